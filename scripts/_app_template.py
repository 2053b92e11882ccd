"""Makes infra/app.yaml of all templates, where an import from another one is a reference."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from dynamo_es.dynamodb.tables.template import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER: Final = """\
# A whole event store in one stack. To deploy it with its package, and to update it later:
#
#   dynamo-es deploy --stack my-app
#
# This file is long because it is made from the other templates, by scripts/infra. To understand a
# part, or to change it, open the template that it comes from: there each choice has a comment with
# its reason and its cost. Never edit this file.
#
# part                      from              it is there if you set
#
# three tables              event-store.yaml  (always)
# a policy for each role    access.yaml       (always)
# sequencer                 sequencer.yaml    Sequencer=true, the default
# outbox                    outbox.yaml       OutboxTargetArn
# a read model              projection.yaml   ReadModelHandler and ReadModelPolicyArn
# alarms and a dashboard    alarms.yaml       AlarmTopicArn
#
# Functions need their package: CodeBucket and CodeKey, which `dynamo-es deploy` fills in. The
# parameters come first below, by part; names of tables, ARNs and roles are last, under Outputs.
#
# More read models: deploy projection.yaml for each. This stack is its EventStore and its Access.
# Several Regions: deploy the templates one by one, with global-event-store.yaml for the tables.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A template that becomes a part of the app.

    Attributes:
        template: name of its file, without the suffix.
        prefix: of its logical ids, and of the parameters that it does not share.
        condition: that all its resources have; None: none.
        title: of its parameters.
    """

    template: str
    prefix: str
    condition: str | None
    title: str


PARTS: Final = (
    Part("event-store", "", None, "Tables"),
    Part("access", "", None, "Policies"),
    Part("sequencer", "Sequencer", "HasSequencer", "Sequencer"),
    Part("outbox", "Outbox", "HasOutbox", "Outbox"),
    Part("projection", "ReadModel", "HasReadModel", "Read model"),
    Part("alarms", "", "HasTopic", "Alarms"),
)
IMPORTED: Final = frozenset({"EventStore", "Access"})
"""Parameters that name the stacks of other templates: here they are this stack."""
SHARED: Final = {
    "CodeBucket": "sequencer",
    "CodeKey": "projection",
    "Runtime": "sequencer",
    "Architecture": "sequencer",
    "Transport": "sequencer",
    "LogScope": "sequencer",
    "Replication": "sequencer",
    "KmsKeyArn": "sequencer",
    "FieldKmsKeyArn": "outbox",
    "SubnetIds": "sequencer",
    "SecurityGroupIds": "sequencer",
    "Tracing": "sequencer",
    "LogFormat": "sequencer",
    "LogLevel": "sequencer",
    "LogRetentionDays": "sequencer",
    "AlarmTopicArn": "sequencer",
}
"""Parameters that all functions share, and the template that describes them here."""
OPTIONAL: Final = frozenset(
    {"CodeBucket", "OutboxTargetArn", "ReadModelHandler", "ReadModelPolicyArn"}
)
"""Parameters that may be empty here, because what needs them may be left out."""
OWN_PARAMETERS: Final[dict[str, Any]] = {
    "Sequencer": {
        "Type": "String",
        "Default": "true",
        "AllowedValues": ["true", "false"],
        "Description": "Whether a function gives events their positions in the log.",
    },
}
OWN_CONDITIONS: Final[dict[str, Any]] = {
    "HasSequencer": {"Fn::Equals": [{"Ref": "Sequencer"}, "true"]},
    "HasOutbox": {"Fn::Not": [{"Fn::Equals": [{"Ref": "OutboxTargetArn"}, ""]}]},
    "HasReadModel": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ReadModelHandler"}, ""]}]},
    "HasTopic": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopicArn"}, ""]}]},
}


def _needs(what: str, when: Any, parameter: str) -> dict[str, Any]:
    given = {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}
    return {
        "RuleCondition": when,
        "Assertions": [{"Assert": given, "AssertDescription": f"{what} needs {parameter}."}],
    }


RULES: Final[dict[str, Any]] = {
    "SequencerHasCode": _needs("The sequencer", OWN_CONDITIONS["HasSequencer"], "CodeBucket"),
    "OutboxHasCode": _needs("The outbox", OWN_CONDITIONS["HasOutbox"], "CodeBucket"),
    "ReadModelHasCode": _needs("The read model", OWN_CONDITIONS["HasReadModel"], "CodeBucket"),
    "ReadModelHasPolicy": _needs(
        "The read model", OWN_CONDITIONS["HasReadModel"], "ReadModelPolicyArn"
    ),
}
_PLACEHOLDER: Final = re.compile(r"\$\{([A-Za-z0-9]+)([^}]*)\}")


class Merger:
    """Adds one template after another."""

    def __init__(self, folder: Path) -> None:
        self._sources = {
            part.template: parse_yaml(
                (folder / f"{part.template}.yaml").read_text(encoding="utf-8")
            )
            for part in PARTS
        }
        self._exported: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.groups: dict[str, list[str]] = {}
        self.conditions: dict[str, Any] = dict(OWN_CONDITIONS)
        self.resources: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}

    def add(self, part: Part) -> None:
        """Add what a template has, under this stack's names."""
        source = self._sources[part.template]
        names = {name: _prefixed(part, name) for name in source["Resources"]}
        names |= self._add_parameters(part, source)
        names |= self._add_conditions(part, source, names)
        for name, resource in source["Resources"].items():
            self._put(self.resources, names[name], self._conditional(part, names, resource))
        for name, output in source.get("Outputs", {}).items():
            moved = self._conditional(part, names, {**output, "Export": None})
            moved["Export"] = {"Name": {"Fn::Sub": f"${{AWS::StackName}}-{part.prefix}{name}"}}
            self._put(self.outputs, f"{part.prefix}{name}", moved)
            self._exported[name] = moved["Value"]

    def _add_parameters(self, part: Part, source: dict[str, Any]) -> dict[str, str]:
        names = {}
        for name in source.get("Parameters", {}).keys() - IMPORTED:
            names[name] = name if name in SHARED else _prefixed(part, name)
        for name, parameter in source.get("Parameters", {}).items():
            if name in IMPORTED or names[name] in self.parameters:
                continue
            shared = name in SHARED
            described = self._sources[SHARED[name]]["Parameters"][name] if shared else parameter
            self._put(self.parameters, names[name], _optional(names[name], described))
            title = "All functions" if shared else part.title
            self.groups.setdefault(title, []).append(names[name])
        return names

    def _add_conditions(
        self, part: Part, source: dict[str, Any], names: dict[str, str]
    ) -> dict[str, str]:
        """Add conditions; one that means the same as an earlier one is that one."""
        found: dict[str, str] = {}
        for name, condition in source.get("Conditions", {}).items():
            moved = self._moved(condition, names | found)
            same = [known for known, other in self.conditions.items() if other == moved]
            own = set(_references(condition)) - SHARED.keys()
            found[name] = same[0] if same else _prefixed(part, name) if own else name
            if not same:
                self._put(self.conditions, found[name], moved)
        return found

    def _conditional(
        self, part: Part, names: dict[str, str], entry: dict[str, Any]
    ) -> dict[str, Any]:
        moved: dict[str, Any] = {
            key: value if key == "Condition" else self._moved(value, names)
            for key, value in entry.items()
        }
        own = names[entry["Condition"]] if "Condition" in entry else None
        conditions = [each for each in (part.condition, own) if each is not None]
        if len(set(conditions)) > 1:
            both = f"{part.condition}And{own}"
            self.conditions[both] = {"Fn::And": [{"Condition": each} for each in conditions]}
            conditions = [both]
        if "DependsOn" in entry:
            wanted = entry["DependsOn"]
            moved["DependsOn"] = (
                names[wanted] if isinstance(wanted, str) else [names[each] for each in wanted]
            )
        return moved | ({"Condition": conditions[0]} if conditions else {})

    def _moved(self, node: Any, names: dict[str, str]) -> Any:  # noqa: PLR0911 - one for each function
        if isinstance(node, list):
            return [self._moved(entry, names) for entry in node]
        if not isinstance(node, dict):
            return node
        match node:
            case {"Fn::ImportValue": {"Fn::Sub": str(text)}}:
                return self._exported[text.partition("-")[2]]
            case {"Ref": str(name)} | {"Condition": str(name)}:
                (key,) = node
                return {key: names.get(name, name)}
            case {"Fn::GetAtt": [name, attribute]}:
                return {"Fn::GetAtt": [names[name], attribute]}
            case {"Fn::Sub": str(text)}:
                return {"Fn::Sub": _renamed(text, names)}
            case {"Fn::If": [condition, then, otherwise]}:
                branches = [self._moved(then, names), self._moved(otherwise, names)]
                return {"Fn::If": [names[condition], *branches]}
        return {key: self._moved(value, names) for key, value in node.items()}

    @staticmethod
    def _put(entries: dict[str, Any], name: str, entry: Any) -> None:
        if name in entries:
            raise ValueError(f"Two templates have {name}: give one of them a prefix.")
        entries[name] = entry


def template(folder: Path) -> dict[str, Any]:
    """Return the template that has all parts, with functions in their long form."""
    merger = Merger(folder)
    merger.parameters |= OWN_PARAMETERS
    for part in PARTS:
        merger.add(part)
    merger.groups = {"Parts": list(OWN_PARAMETERS), **merger.groups}
    groups = [
        {"Label": {"default": title}, "Parameters": names} for title, names in merger.groups.items()
    ]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "dynamo_es: tables, policies, sequencer, outbox, read model and alarms",
        "Metadata": {
            "AWS::CloudFormation::Interface": {"ParameterGroups": groups},
            # Parameters that may be empty: then the resource that needs them is left out.
            "cfn-lint": {"config": {"ignore_checks": ["W1030", "W1033"]}},
        },
        "Parameters": merger.parameters,
        "Rules": RULES,
        "Conditions": merger.conditions,
        "Resources": merger.resources,
        "Outputs": merger.outputs,
    }


def text(folder: Path) -> str:
    """Return the template as YAML, with functions in their short form."""
    return HEADER + dumped(template(folder))


def dumped(made: dict[str, Any]) -> str:
    """Return a template as YAML, with functions in their short form."""
    return yaml.dump(made, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


def _prefixed(part: Part, name: str) -> str:
    return name if name.startswith(part.prefix) else part.prefix + name


def _optional(name: str, parameter: dict[str, Any]) -> dict[str, Any]:
    if name not in OPTIONAL:
        return parameter
    pattern = parameter["AllowedPattern"]
    return {**parameter, "Default": "", "AllowedPattern": f"^$|^(?:{pattern})$"}


def _renamed(text: str, names: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: f"${{{names.get(found[1], found[1])}{found[2]}}}", text)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("Ref"), str):
            yield node["Ref"]
        node = list(node.values())
    if isinstance(node, list):
        for entry in node:
            yield from _references(entry)


class _Dumper(yaml.SafeDumper):
    """Writes functions in their short form."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True

    def choose_scalar_style(self) -> str:
        """Leave out the quotes that PyYAML puts around the name after a tag."""
        event = self.event  # type: ignore[attr-defined]
        if str(event.tag).startswith("!") and _PLAIN.fullmatch(event.value):
            return ""
        return super().choose_scalar_style()  # type: ignore[misc, no-any-return]


_SHORT: Final = {"Ref": "!Ref", "Condition": "!Condition"}
_MULTILINE: Final = 60
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9.]*")


def _represent(dumper: yaml.SafeDumper, node: dict[str, Any]) -> yaml.Node:
    if len(node) == 1:
        ((name, argument),) = node.items()
        tag = _SHORT.get(name) or ("!" + name[4:] if name.startswith("Fn::") else None)
        if tag is not None and isinstance(argument, str):
            return dumper.represent_scalar(tag, argument)
        if tag == "!GetAtt":
            return dumper.represent_scalar(tag, ".".join(argument))
        if tag is not None:
            flow = len(str(argument)) < _MULTILINE
            return dumper.represent_sequence(tag, argument, flow_style=flow)
    return dumper.represent_dict(node)


_Dumper.add_representer(dict, _represent)
