"""The template of a deployment, with added variables of its functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.cli.aws.template import text_of
from dynamo_es.dynamodb.tables.template import parse_yaml
from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FUNCTION: Final = "AWS::Lambda::Function"
ADDED: Final = "AddedVariables"
"""Metadata key of a deployed template, for the variables that a deployment added."""


NESTED: Final = "AWS::CloudFormation::Stack"
_ADDRESSES: Final = ("https://", "http://", "s3://")


def load(file: Path | None = None) -> dict[str, Any]:
    """Return a template, with functions in their long form.

    Args:
        file: your own template; None: infra/app.yaml.

    Raises:
        ConfigurationError: the file cannot be read, or is not a template.
    """
    if file is None:
        return parse_yaml(text_of("app"))
    from yaml import YAMLError

    try:
        found: object = parse_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The template {file} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, YAMLError) as error:
        raise ConfigurationError(f"The template {file} is not YAML: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), dict):
        raise ConfigurationError(f"The template {file} has no Resources.")
    return {"Parameters": {}, **found}


def variables_of(deployed: str | Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that an earlier deployment added to its functions.

    Args:
        deployed: the template of the stack, as GetTemplate returns it.
    """
    template = parse_yaml(deployed) if isinstance(deployed, str) else deployed
    added: dict[str, str] = template.get("Metadata", {}).get(ADDED, {})
    return dict(added)


def with_variables(
    template: dict[str, Any],
    variables: Mapping[str, str],
    file: Path | None = None,
    *,
    changed: bool = False,
) -> str:
    """Return the text of a template with additional variables of its functions.

    Without variables and changes, the text is that of the file, with its comments.

    Args:
        template: the template, from `load`.
        variables: the environment variables to add.
        file: file of the template; None: infra/app.yaml.
        changed: whether the template differs from the file.

    Raises:
        ConfigurationError: the template itself sets one of the variables.
    """
    if not variables and not changed:
        return text_of("app") if file is None else file.read_text(encoding="utf-8")
    for resource in template["Resources"].values():
        if resource["Type"] != FUNCTION:
            continue
        environment = resource["Properties"].setdefault("Environment", {})
        own = environment.get("Variables", {})
        if taken := sorted(own.keys() & variables.keys()):
            raise ConfigurationError(
                f"The template sets {taken[0]} itself: see its parameters"
                + (", which `dynamo-es template app` prints." if file is None else ".")
            )
        environment["Variables"] = {**own, **variables}
    if variables:
        template.setdefault("Metadata", {})[ADDED] = dict(variables)
    return json.dumps(template, indent=1)


def upload_nested(
    template: dict[str, Any], folder: Path, upload: Callable[[Path, str], str]
) -> bool:
    """Upload the files of nested stacks, and put the addresses of the uploads into the template.

    Args:
        template: the template, from `load`. It is changed.
        folder: folder of its file, to which a nested stack's ``TemplateURL`` is relative.
        upload: uploads a file, given its path and text; returns its address.

    Returns:
        Whether the template was changed.

    Raises:
        ConfigurationError: a file cannot be read, or is not a template.
    """
    nested = _nested(template)
    for resource in nested:
        file = (folder / resource["Properties"]["TemplateURL"]).resolve()
        inner = load(file)
        changed = upload_nested(inner, file.parent, upload)
        text = with_variables(inner, {}, file, changed=changed)
        resource["Properties"]["TemplateURL"] = upload(file, text)
    return bool(nested)


def check_nested(template: Mapping[str, Any], folder: Path) -> None:
    """Check that each file that a nested stack names is a template.

    Raises:
        ConfigurationError: a file cannot be read, or is not a template.
    """
    for resource in _nested(template):
        file = (folder / resource["Properties"]["TemplateURL"]).resolve()
        check_nested(load(file), file.parent)


def _nested(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the nested stacks whose template is a file."""
    stacks = [each for each in template["Resources"].values() if each.get("Type") == NESTED]
    return [each for each in stacks if _is_file(each.get("Properties", {}).get("TemplateURL"))]


def _is_file(place: object) -> bool:
    return isinstance(place, str) and not place.startswith(_ADDRESSES)
