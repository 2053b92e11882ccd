"""Makes the Terraform module of infra/app.yaml, for the provider awscc.

That provider has CloudFormation's own resources, whose properties it names in lower case. So each
resource of the template becomes the same resource, and each parameter a variable.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from _hcl import Expression, block, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER: Final = (
    "# Made from infra/app.yaml by scripts/infra: edit the templates, then run it again.\n\n"
)
VERSIONS: Final = """\
terraform {
  required_version = ">= 1.5"

  required_providers {
    awscc = {
      source  = "hashicorp/awscc"
      version = ">= 1.40"
    }
  }
}
"""
REFERENCES: Final = {
    "AWS::CloudWatch::Dashboard": "dashboard_name",
    "AWS::DynamoDB::Table": "table_name",
    "AWS::IAM::ManagedPolicy": "policy_arn",
    "AWS::IAM::Role": "role_name",
    "AWS::Lambda::Function": "function_name",
    "AWS::Logs::LogGroup": "log_group_name",
    "AWS::SQS::Queue": "queue_url",
}
"""What `Ref` of a resource is, in the provider's words."""
AS_JSON: Final = frozenset(
    {"AssumeRolePolicyDocument", "PolicyDocument", "KeySchema", "EventPattern", "RedrivePolicy"}
)
"""Properties that the provider takes as JSON, with their own names."""
NO_VALUE: Final = {"Ref": "AWS::NoValue"}
_PSEUDO: Final = {
    "AWS::Partition": "var.partition",
    "AWS::Region": "var.region",
    "AWS::StackName": "var.name",
    "AWS::AccountId": "var.account_id",
}
_PSEUDO_VARIABLES: Final = {
    "var.partition": ("partition", "Partition of AWS.", "aws"),
    "var.region": ("region", "Region of the provider, for names and links.", None),
    "var.name": ("name", "Name of what this module makes, for names and links.", "dynamo-es"),
    "var.account_id": ("account_id", "Id of the account.", None),
}
_PLACEHOLDER: Final = re.compile(r"\$\{(!?)([A-Za-z0-9:]+)(?:\.([A-Za-z0-9.]+))?\}")
_NOT_AWS: Final = r"(?!aws\.).+"


def snake(name: str) -> str:
    """Return a name of CloudFormation as the provider has it."""
    parts = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parts).lower()


class Module:
    """The files of the module.

    Args:
        template: infra/app.yaml, with functions in their long form.
    """

    def __init__(self, template: dict[str, Any]) -> None:
        self._template = template
        self._pseudo: set[str] = set()

    def files(self) -> dict[str, str]:
        """Return the text of each file, by its name."""
        main = "\n".join([self._locals(), *self._resources()])
        outputs = "\n".join(self._outputs())
        variables = "\n".join(self._variables())
        return {
            "versions.tf": HEADER + VERSIONS,
            "variables.tf": HEADER + variables,
            "main.tf": HEADER + main,
            "outputs.tf": HEADER + outputs,
        }

    def _locals(self) -> str:
        conditions = {
            snake(name): Expression(self._condition(each))
            for name, each in self._template["Conditions"].items()
        }
        return block("locals", conditions)

    def _variables(self) -> Iterator[str]:
        for name, each in self._template["Parameters"].items():
            kind, default = _typed(each)
            body: dict[str, Any] = {
                "description": each["Description"],
                "type": Expression(kind),
                "default": default,
            }
            checks = [
                {"condition": Expression(condition), "error_message": message}
                for condition, message in _checks(snake(name), each)
            ]
            yield block(
                f'variable "{snake(name)}"', body, [("validation", each) for each in checks]
            )
        yield block(
            'variable "environment"',
            {
                "description": "More variables of all functions.",
                "type": Expression("map(string)"),
                "default": {},
            },
        )
        for pseudo in sorted(self._pseudo):
            name, description, default = _PSEUDO_VARIABLES[pseudo]
            body = {"description": description, "type": Expression("string")}
            # One without a default has to be given.
            body |= {} if default is None else {"default": default}
            yield block(f'variable "{name}"', body)

    def _resources(self) -> Iterator[str]:
        for name, resource in self._template["Resources"].items():
            body: dict[str, Any] = {}
            if "Condition" in resource:
                body["count"] = Expression(f"local.{snake(resource['Condition'])} ? 1 : 0")
            body |= self._properties(resource["Properties"])
            inner = []
            if resource.get("DeletionPolicy") == "Retain":
                inner.append(("lifecycle", {"prevent_destroy": True}))
            kind = _kind(resource["Type"])
            yield block(f'resource "{kind}" "{snake(name)}"', body, inner)

    def _outputs(self) -> Iterator[str]:
        for name, output in self._template["Outputs"].items():
            value = self._value(output["Value"])
            if "Condition" in output:
                value = Expression(f"local.{snake(output['Condition'])} ? {value} : null")
            body = {"description": output["Description"], "value": value}
            yield block(f'output "{snake(name)}"', body)

    def _properties(self, node: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in node.items():
            if name in AS_JSON and not isinstance(value, str):
                found[snake(name)] = Expression(f"jsonencode({Expression.of(self._raw(value))})")
            elif name == "Variables":
                variables = f"merge({Expression.of(self._raw(value))}, var.environment)"
                kept = f"{{ for name, each in {variables} : name => each if each != null }}"
                found[snake(name)] = Expression(kept)
            else:
                found[snake(name)] = self._value(value)
        return found

    def _value(self, node: Any) -> Any:
        """Return a value whose keys are properties."""
        return self._translated(node, self._properties, self._value)

    def _raw(self, node: Any) -> Any:
        """Return a value whose keys are data, such as a policy."""
        return self._translated(
            node, lambda each: {key: self._raw(value) for key, value in each.items()}, self._raw
        )

    def _translated(self, node: Any, entries: Any, again: Any) -> Any:
        if isinstance(node, list):
            translated = [again(entry) for entry in node]
            if any(isinstance(entry, dict) and "Fn::If" in entry for entry in node):
                whole = Expression.of(translated)
                return Expression(f"[for each in {whole} : each if each != null]")
            return translated
        if isinstance(node, dict):
            called = self._call(node, again)
            return entries(node) if called is None else called
        return node

    def _call(self, node: dict[str, Any], again: Any) -> Any:  # noqa: PLR0911 - one for each
        """Return the expression of a function; None if it is none."""
        match node:
            case {"Ref": "AWS::NoValue"}:
                return Expression("null")
            case {"Ref": str(name)}:
                return Expression(self._reference(name, None))
            case {"Fn::GetAtt": [name, attribute]}:
                return Expression(self._reference(name, attribute))
            case {"Fn::Sub": str(text)}:
                return Expression(self._substituted(text, {}))
            case {"Fn::Sub": [str(text), dict(names)]}:
                own = {name: str(Expression.of(again(each))) for name, each in names.items()}
                return Expression(self._substituted(text, own))
            case {"Fn::Split": [separator, text]}:
                return Expression(f"split({quoted(separator)}, {again(text)})")
            case {"Fn::Join": [separator, list(parts)]}:
                return Expression(f"join({quoted(separator)}, {Expression.of(again(parts))})")
            case {"Fn::If": [condition, then, otherwise]}:
                then, otherwise = _same_keys(then, otherwise)
                branches = (Expression.of(again(each)) for each in (then, otherwise))
                whole = f"local.{snake(condition)} ? {' : '.join(map(str, branches))}"
                # Where `terraform fmt` puts that brace.
                return Expression(whole.replace("\n} : {", "\n  } : {"))
        if len(node) == 1 and next(iter(node)).startswith("Fn::"):
            raise ValueError(f"The Terraform module has no {next(iter(node))}.")
        return None

    def _reference(self, name: str, attribute: str | None) -> str:
        if name in _PSEUDO:
            self._pseudo.add(_PSEUDO[name])
            return _PSEUDO[name]
        if name in self._template["Parameters"]:
            return f"var.{snake(name)}"
        resource = self._template["Resources"][name]
        place = f"{_kind(resource['Type'])}.{snake(name)}"
        place += "[0]" if "Condition" in resource else ""
        return f"{place}.{snake(attribute) if attribute else REFERENCES[resource['Type']]}"

    def _substituted(self, text: str, own: dict[str, str]) -> str:
        parts, end = [], 0
        for found in _PLACEHOLDER.finditer(text):
            parts.append(quoted(text[end : found.start()])[1:-1])
            if found[1]:
                parts.append(f"$${{{found[2]}}}")
            else:
                known = own.get(found[2])
                parts.append(f"${{{known or self._reference(found[2], found[3])}}}")
            end = found.end()
        parts.append(quoted(text[end:])[1:-1])
        return f'"{"".join(parts)}"'

    def _condition(self, node: Any) -> str:
        match node:
            case {"Condition": str(name)}:
                return f"local.{snake(name)}"
            case {"Fn::Not": [{"Fn::Equals": [left, right]}]}:
                return f"{self._text(left)} != {self._text(right)}"
            case {"Fn::Not": [one]}:
                return f"!({self._condition(one)})"
            case {"Fn::Equals": [left, right]}:
                return f"{self._text(left)} == {self._text(right)}"
            case {"Fn::Or": [*each]}:
                return " || ".join(map(self._condition, each))
            case {"Fn::And": [*each]}:
                return " && ".join(map(self._condition, each))
        raise ValueError(f"The Terraform module has no condition {node}.")

    def _text(self, node: Any) -> str:
        match node:
            case {"Ref": str(name)} if name in self._template["Parameters"]:
                kind, _ = _typed(self._template["Parameters"][name])
                variable = f"var.{snake(name)}"
                return variable if kind == "string" else f"tostring({variable})"
        return str(Expression.of(self._raw(node)))


def _kind(cloudformation: str) -> str:
    _, service, resource = cloudformation.split("::")
    return f"awscc_{service.lower()}_{snake(resource)}"


def _typed(parameter: dict[str, Any]) -> tuple[str, Any]:
    default = parameter["Default"]
    if parameter.get("AllowedValues") == ["true", "false"]:
        return "bool", default == "true"
    if parameter["Type"] == "Number":
        return "number", int(default)
    return "string", default


def _checks(name: str, parameter: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kind, _ = _typed(parameter)
    variable = f"var.{name}"
    allowed = parameter.get("AllowedValues")
    if allowed and kind != "bool":
        listed = ", ".join(json.dumps(each) for each in allowed)
        words = ", ".join(map(str, allowed))
        yield f"contains([{listed}], {variable})", f"{name} must be one of {words}."
    if "MinValue" in parameter:
        least = parameter["MinValue"]
        yield f"{variable} >= {least}", f"{name} must be {least} or more."
    if "MaxValue" in parameter:
        most = parameter["MaxValue"]
        yield f"{variable} <= {most}", f"{name} must be {most} or less."
    pattern = parameter.get("AllowedPattern")
    if pattern == _NOT_AWS:  # Terraform has no lookahead
        yield f'{variable} != "" && !startswith({variable}, "aws.")', f"{name} must not be of AWS."
    elif pattern:
        said = parameter.get("ConstraintDescription", f"text like {pattern}")
        whole = quoted(f"^(?:{pattern})$")
        yield f"can(regex({whole}, {variable}))", f"{name} must be {said}."


def _same_keys(then: Any, otherwise: Any) -> tuple[Any, Any]:
    """Return two branches with the same keys: Terraform wants them to be of one type."""
    if not (_is_object(then) and _is_object(otherwise)):
        return then, otherwise
    both = {**then, **otherwise}
    return tuple({key: each.get(key, NO_VALUE) for key in both} for each in (then, otherwise))


def _is_object(node: Any) -> bool:
    return isinstance(node, dict) and not any(
        key == "Ref" or key.startswith("Fn::") for key in node
    )
