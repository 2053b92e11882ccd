"""Makes moto's change sets do what CloudFormation's do.

moto lists resources whose condition does not hold, finds no change in a parameter, leaves out
outputs, exports and the events of resources, takes the number 0 and the text "0" for different,
and imports no table.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def repair() -> None:
    """Replace what moto does with change sets."""
    _read_in_c()
    _compare_text()
    _find_no_changes()
    _import_tables()
    _carry_out()


def _read_in_c() -> None:
    """Let moto read templates ten times as fast, where libyaml is installed."""
    import yaml
    from moto.cloudformation.utils import yaml_tag_constructor

    if hasattr(yaml, "CLoader"):
        yaml.CLoader.add_multi_constructor("", yaml_tag_constructor)
        yaml.Loader = yaml.CLoader  # type: ignore[assignment,misc]


def _carry_out() -> None:
    from moto.cloudformation import models
    from moto.cloudformation.parsing import OutputMap, parse_and_update_resource

    def diff(self: Any) -> list[Any]:
        return [
            models.Change(action, name, self.template_dict["Resources"][name]["Type"])
            for action, name in _changes(self)
        ]

    def apply(self: Any) -> None:
        changes = list(_changes(self))
        stack, creates = self.stack, self.change_set_type == "CREATE"
        exported = models.cloudformation_backends[stack.account_id][stack.region_name].exports
        stack.cross_stack_resources = exported
        stack.template, stack.parameters = self.template, self.parameters
        stack._parse_template()
        if creates:
            stack.resource_map = stack._create_resource_map()
            sys.stdout, kept = sys.stderr, sys.stdout
            try:
                stack.resource_map.create(stack.template_dict)
            finally:
                sys.stdout = kept
        else:
            known = stack.resource_map
            known._template, known.input_parameters = stack.template_dict, self.parameters
            known.load_parameters()
            known.load_conditions()
            known._resource_json_map = stack.template_dict["Resources"]
            for action, name in changes:
                if action in {"Add", "Import"}:
                    assert known[name] or True
                else:
                    known._parsed_resources[name] = parse_and_update_resource(
                        name,
                        known._resource_json_map[name],
                        known,
                        account_id=known._account_id,
                        region_name=known._region_name,
                    )
        holds = stack.resource_map.lazy_condition_map
        outputs = {
            name: output
            for name, output in stack.template_dict.get("Outputs", {}).items()
            if "Condition" not in output or holds[output["Condition"]]
        }
        shown = {**stack.template_dict, "Outputs": outputs}
        stack.output_map = OutputMap(stack.resource_map, shown, stack.stack_id)
        for export in stack.exports:
            exported[export.name] = export
        verb = {"Add": "CREATE", "Modify": "UPDATE", "Import": "IMPORT"}
        for action, name in changes:
            stack.events.append(
                models.Event(
                    stack_id=stack.stack_id,
                    stack_name=stack.name,
                    logical_resource_id=name,
                    physical_resource_id=name,
                    resource_type=stack.template_dict["Resources"][name]["Type"],
                    resource_status=f"{verb[action]}_COMPLETE",
                    resource_status_reason=None,
                    resource_properties=None,
                )
            )

    models.ChangeSet.diff = diff  # type: ignore[method-assign]
    models.ChangeSet.apply = apply  # type: ignore[method-assign]


def _import_tables() -> None:
    """Let a table that exists become part of a stack: the command has asked for that."""
    from moto.dynamodb.models import dynamodb_backends
    from moto.dynamodb.models.table import Table

    create = Table.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]

    def import_or_create(
        cls: Any, /, name: str, template: Any, account_id: str, region_name: str, **named: Any
    ) -> Any:
        there = dynamodb_backends[account_id][region_name].tables.get(name)
        if there is not None:
            return there
        return create(cls, name, template, account_id, region_name, **named)

    Table.create_from_cloudformation_json = classmethod(import_or_create)  # type: ignore[assignment,method-assign]


def _exists(stack: Any, resource: dict[str, Any]) -> bool:
    from moto.dynamodb.models import dynamodb_backends

    tables = dynamodb_backends[stack.account_id][stack.region_name].tables
    return (
        resource["Type"] == "AWS::DynamoDB::Table"
        and resource["Properties"].get("TableName") in tables
    )


def _compare_text() -> None:
    from moto.cloudformation import parsing

    parse_condition = parsing.parse_condition

    def compare_text(condition: Any, resources: Any, conditions: Any) -> bool:
        match condition:
            case {"Fn::Equals": [left, right]}:
                return _text(left, resources) == _text(right, resources)
        return bool(parse_condition(condition, resources, conditions))

    parsing.parse_condition = compare_text  # type: ignore[assignment]


def _find_no_changes() -> None:
    from moto.cloudformation import models

    create = models.CloudFormationBackend.create_change_set

    def create_change_set(self: Any, *arguments: Any, **named: Any) -> Any:
        made = create(self, *arguments, **named)
        change_set = self.change_sets[made[0]]
        same = change_set.stack.template_dict.get("Outputs") == change_set.template_dict.get(
            "Outputs"
        )
        if change_set.change_set_type == "UPDATE" and not change_set.changes and same:
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.status_reason = "The submitted information didn't contain changes."
        return made

    models.CloudFormationBackend.create_change_set = create_change_set  # type: ignore[method-assign]


def _text(node: Any, resources: Any) -> str:
    return str(resources[node["Ref"]] if isinstance(node, dict) else node)


def _changes(change_set: Any) -> Iterator[tuple[str, str]]:
    """Yield what a change set does: ``Add``, ``Import`` or ``Modify``, and the logical id."""
    stack = change_set.stack
    creates = change_set.change_set_type == "CREATE"
    before = {} if creates else _resolved(stack, stack.template_dict, stack.parameters)
    after = _resolved(stack, change_set.template_dict, change_set.parameters)
    for name, resource in after.items():
        if name not in before:
            yield "Import" if _exists(stack, json.loads(resource)) else "Add", name
        elif before[name] != resource:
            yield "Modify", name


def _resolved(stack: Any, template: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
    """Return the resources whose condition holds, with the values of parameters."""
    from moto.cloudformation.parsing import ResourceMap

    resources = ResourceMap(
        stack.stack_id,
        stack.name,
        given,
        {},
        account_id=stack.account_id,
        region_name=stack.region_name,
        template=template,
        cross_stack_resources={},
    )
    resources.load_parameters()
    resources.load_conditions()
    holds, values = resources.lazy_condition_map, resources.resolved_parameters

    def value(node: Any) -> Any:
        if isinstance(node, list):
            return [value(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        match node:
            case {"Ref": str(name)} if name in values:
                return str(values[name])
            case {"Fn::Sub": str(text)}:
                return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), text)
            case {"Fn::If": [condition, then, otherwise]}:
                return value(then if holds[condition] else otherwise)
        return {name: value(entry) for name, entry in node.items()}

    return {
        name: json.dumps(value(resource), sort_keys=True)
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or holds[resource["Condition"]]
    }
