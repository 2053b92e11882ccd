"""The parameters of a deployment. They are checked first; missing ones keep their last values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.cli.aws.packaging.runtimes import Target
from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynamo_es.cli.aws.packaging.building import Package

FUNCTIONS: Final = frozenset({"Sequencer", "OutboxTargetArn", "ReadModelHandler"})
"""Parameters of infra/app.yaml that add a function."""
CODE: Final = frozenset({"CodeBucket", "CodeKey"})
"""Parameters that name the package."""
_OFF: Final = frozenset({"", "false"})


def parse(pairs: Iterable[str], option: str = "--parameter") -> dict[str, str]:
    """Return the values of ``NAME=VALUE`` texts.

    Raises:
        ConfigurationError: a text without ``=``, or a name twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"{option} must be NAME=VALUE, not {pair!r}.")
        if name in found:
            raise ConfigurationError(f"{option} gives {name} twice.")
        found[name] = value
    return found


def check(template: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Check values against the declarations of the template.

    Raises:
        ConfigurationError: an unknown parameter, or a value that CloudFormation would refuse.
    """
    declared = template["Parameters"]
    for name, value in given.items():
        if name not in declared:
            raise ConfigurationError(
                f"The template has no parameter {name!r}. Parameters: {', '.join(declared)}."
            )
        if problem := _problem(declared[name], value):
            raise ConfigurationError(f"The parameter {name} must be {problem}, not {value!r}.")


def _problem(declared: Mapping[str, Any], value: str) -> str | None:
    allowed = [str(each) for each in declared.get("AllowedValues", ())]
    if allowed and value not in allowed:
        return f"one of {', '.join(allowed)}"
    if declared["Type"] == "Number":
        return _problem_of_number(declared, value)
    pattern = declared.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, value):
        return str(declared.get("ConstraintDescription", f"text like {pattern}"))
    return None


def _problem_of_number(declared: Mapping[str, Any], value: str) -> str | None:
    least, most = declared.get("MinValue"), declared.get("MaxValue")
    if not re.fullmatch(r"\d+", value):
        return "a whole number"
    if least is not None and int(value) < least:
        return f"{least} or more"
    if most is not None and int(value) > most:
        return f"{most} or less"
    return None


def check_complete(
    template: Mapping[str, Any], given: Mapping[str, str], known: Mapping[str, str]
) -> None:
    """Check that each parameter has a value or a default, except those of the package.

    Args:
        template: template of the stack.
        given: values of this deployment.
        known: values of the last deployment.

    Raises:
        ConfigurationError: a parameter has neither.
    """
    for name, declared in template["Parameters"].items():
        if "Default" not in declared and name not in CODE | given.keys() | known.keys():
            raise ConfigurationError(
                f"The template's parameter {name} has no value: give --parameter {name}=VALUE."
                f" {declared.get('Description', '')}".rstrip()
            )


def takes_package(template: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    """Return whether a deployment has a function that runs a package.

    Args:
        template: template of the stack. Your own template takes a package if it has the parameters
            CodeBucket and CodeKey.
        values: values of parameters; the others have their defaults.
    """
    declared = template["Parameters"]
    if not declared.keys() >= CODE:
        return False
    if not declared.keys() >= FUNCTIONS:
        return True
    return any(str(values.get(name, declared[name]["Default"])) not in _OFF for name in FUNCTIONS)


def target(template: Mapping[str, Any], values: Mapping[str, str]) -> Target:
    """Return the runtime that the parameters name."""
    default = Target()
    chosen = {
        name: values.get(name, declared.get("Default"))
        for name, declared in template["Parameters"].items()
    }
    return Target(
        chosen.get("Runtime") or default.runtime,
        chosen.get("Architecture") or default.architecture,
    )


def with_package(
    template: Mapping[str, Any], given: Mapping[str, str], package: Package
) -> dict[str, str]:
    """Return the parameters with the runtime that a package was built for.

    Raises:
        ConfigurationError: a parameter names another runtime.
    """
    built = {"Runtime": package.target.runtime, "Architecture": package.target.architecture}
    for name, value in built.items():
        if given.get(name, value) != value:
            raise ConfigurationError(
                f"The package {package.path} was built for {value}, but {name} is {given[name]}. "
                "With a package for another runtime, a function fails at its first import."
            )
    return {**given, **{name: built[name] for name in built if name in template["Parameters"]}}


def request(
    template: Mapping[str, Any], given: Mapping[str, str], previous: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the parameters as CreateChangeSet takes them.

    Args:
        template: template of the stack.
        given: values of this deployment.
        previous: values of the last deployment, which stay unless a new one is given.
    """
    chosen: list[dict[str, Any]] = []
    for name in template["Parameters"]:
        if name in given:
            chosen.append({"ParameterKey": name, "ParameterValue": given[name]})
        elif name in previous:
            chosen.append({"ParameterKey": name, "UsePreviousValue": True})
    return chosen
