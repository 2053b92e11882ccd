"""The template of a deployment, with the variables that its functions get."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.cli.template import text_of
from dynamo_es.dynamodb.tables.template import parse_yaml
from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTION: Final = "AWS::Lambda::Function"
ADDED: Final = "AddedVariables"
"""Where a deployed template says which variables of its functions are not its own."""


def load() -> dict[str, Any]:
    """Return infra/app.yaml, with functions in their long form."""
    return parse_yaml(text_of("app"))


def variables_of(deployed: str | Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that an earlier deployment added to its functions.

    Args:
        deployed: the template of the stack, as GetTemplate returns it.
    """
    template = parse_yaml(deployed) if isinstance(deployed, str) else deployed
    added: dict[str, str] = template.get("Metadata", {}).get(ADDED, {})
    return dict(added)


def with_variables(template: dict[str, Any], variables: Mapping[str, str]) -> str:
    """Return the text of a template whose functions have more variables.

    Without variables it is the text of the package, so that comments stay.

    Args:
        template: as `load` returns it.
        variables: of the environment.

    Raises:
        ConfigurationError: a variable that the template sets itself.
    """
    if not variables:
        return text_of("app")
    for resource in template["Resources"].values():
        if resource["Type"] != FUNCTION:
            continue
        own = resource["Properties"]["Environment"]["Variables"]
        if taken := sorted(own.keys() & variables.keys()):
            raise ConfigurationError(
                f"The template sets {taken[0]} itself: see the parameters of "
                "`dynamo-es template app`."
            )
        resource["Properties"]["Environment"]["Variables"] = {**own, **variables}
    template["Metadata"][ADDED] = dict(variables)
    return json.dumps(template, indent=1)
