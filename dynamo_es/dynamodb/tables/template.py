"""Reads the CloudFormation template of the tables, and resolves it to plain properties.

An installed package has the template as JSON, and needs no YAML parser. A checkout reads
``infra/event-store.yaml``. It resolves only the functions that this template uses; any other
function is an error.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dynamo_es.exceptions import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGED: Final = "infra/event-store.json"
"""Path of the template in an installed package, inside ``dynamo_es``."""

CHECKOUT: Final = Path(__file__).parents[3] / "infra" / "event-store.yaml"
"""Path of the template in a checkout."""

_PLACEHOLDER: Final = re.compile(r"\$\{([^}]+)\}")

_NOTHING: Final = object()
"""The value of `AWS::NoValue`: the property or list entry is left out."""


class _Scope(NamedTuple):
    """Values of the parameters and definitions of the conditions, for references to them."""

    values: Mapping[str, Any]
    conditions: Mapping[str, Any]


def load_template() -> dict[str, Any]:
    """Return the template, with intrinsic functions in their long form: ``{"Ref": "KmsKeyArn"}``.

    Raises:
        ConfigurationError: the template is missing, because the installation is damaged.
        MissingExtraError: this is a checkout, and pyyaml is not installed.
    """
    packaged = files("dynamo_es").joinpath(PACKAGED)
    if packaged.is_file():
        template: dict[str, Any] = json.loads(packaged.read_text(encoding="utf-8"))
        return template
    if CHECKOUT.is_file():
        return parse_yaml(CHECKOUT.read_text(encoding="utf-8"))
    raise ConfigurationError(
        f"The template of the tables is neither in the package ({PACKAGED}) nor at {CHECKOUT}: "
        "install dynamo_es again."
    )


def template_path(name: str) -> Path:
    """Return the file of a template, from the installed package or the checkout.

    Args:
        name: name of the template, such as ``sequencer``.

    Raises:
        ConfigurationError: the template is missing, because the installation is damaged.
    """
    packaged = Path(str(files("dynamo_es").joinpath(f"infra/{name}.yaml")))
    for file in (packaged, CHECKOUT.with_name(f"{name}.yaml")):
        if file.is_file():
            return file
    raise ConfigurationError(f"The template {name!r} is missing: install dynamo_es again.")


def parse_yaml(text: str) -> dict[str, Any]:
    """Parse a template in YAML; ``!Ref X`` and similar tags get their long form.

    Raises:
        MissingExtraError: pyyaml is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("local", "Reading the template of a checkout") from error

    # With libyaml installed, the parser in C is ten times as fast.
    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Reads CloudFormation's tags. It is a subclass, to leave yaml's own loaders unchanged."""

    def construct(loader: Loader, name: str, node: yaml.Node) -> dict[str, Any]:
        argument: Any
        if isinstance(node, yaml.ScalarNode):
            argument = loader.construct_scalar(node)
            if name == "GetAtt":
                argument = argument.split(".", 1)
        elif isinstance(node, yaml.SequenceNode):
            argument = loader.construct_sequence(node, deep=True)
        else:
            argument = loader.construct_mapping(node, deep=True)
        return {name if name in ("Ref", "Condition") else f"Fn::{name}": argument}

    Loader.add_multi_constructor("!", construct)
    template: dict[str, Any] = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    return template


def resolve_tables(
    template: Mapping[str, Any], parameters: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Return the properties of the template's tables, resolved, by their logical ids.

    Args:
        template: as `load_template` returns it.
        parameters: values of parameters; the others have their defaults.

    Raises:
        ConfigurationError: an unknown parameter, a parameter without a value, or a function that
            is not resolved here.
    """
    declared = template.get("Parameters", {})
    given = parameters or {}
    if unknown := sorted(given.keys() - declared.keys()):
        raise ConfigurationError(f"The template has no parameters {', '.join(unknown)}.")
    defaults = {name: entry["Default"] for name, entry in declared.items() if "Default" in entry}
    scope = _Scope({**defaults, **given}, template.get("Conditions", {}))
    return {
        name: _resolve(resource["Properties"], scope)
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table"
    }


def _resolve(node: Any, scope: _Scope) -> Any:
    if isinstance(node, list):
        return [each for entry in node if (each := _resolve(entry, scope)) is not _NOTHING]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((name, argument),) = node.items()
        if name in {"Ref", "Condition"} or name.startswith("Fn::"):
            return _call(name, argument, scope)
    resolved = {name: _resolve(entry, scope) for name, entry in node.items()}
    return {name: entry for name, entry in resolved.items() if entry is not _NOTHING}


def _call(function: str, argument: Any, scope: _Scope) -> Any:  # noqa: PLR0911 - one for each
    match function, argument:
        case "Ref", "AWS::NoValue":
            return _NOTHING
        case "Ref", str(name):
            return _value(name, scope)
        case "Fn::Sub", str(text):
            return _PLACEHOLDER.sub(lambda found: str(_value(found[1], scope)), text)
        case "Fn::If", [str(condition), then, otherwise]:
            return _resolve(then if _holds(condition, scope) else otherwise, scope)
        case "Fn::Equals", [left, right]:
            # CloudFormation compares text: a Number parameter equals its digits.
            return str(_resolve(left, scope)) == str(_resolve(right, scope))
        case "Fn::Not", [condition]:
            return not _resolve(condition, scope)
        case "Fn::Or", [*conditions]:
            return any(_resolve(condition, scope) for condition in conditions)
        case "Condition", str(name):
            return _holds(name, scope)
    raise ConfigurationError(
        f"{function} of {argument!r} cannot be resolved without CloudFormation: deploy the "
        "template instead."
    )


def _value(name: str, scope: _Scope) -> Any:
    if name not in scope.values:
        raise ConfigurationError(f"The template refers to {name}, which has no value.")
    return scope.values[name]


def _holds(condition: str, scope: _Scope) -> bool:
    if condition not in scope.conditions:
        raise ConfigurationError(f"The template has no condition {condition}.")
    return bool(_resolve(scope.conditions[condition], scope))
