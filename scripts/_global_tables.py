"""Derives infra/global-event-store.yaml from event-store.yaml: its tables in several Regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from _app_template import dumped

from dynamo_es.dynamodb.tables.template import parse_yaml

if TYPE_CHECKING:
    from pathlib import Path

HEADER: Final = """\
# The tables of event-store.yaml in two or three AWS Regions, as global tables. Do not edit this
# file: scripts/infra generates it from that one. Deploy it once, in the Region that will write
# events:
#
#   aws cloudformation deploy --template-file global-event-store.yaml --stack-name event-store \\
#       --region eu-west-1 --parameter-overrides Consistency=EVENTUAL SecondRegion=eu-central-1
#
# Then deploy access.yaml and the functions as usual. For functions and roles in another Region,
# deploy existing-tables.yaml there first.
#
# Choose the consistency now: it cannot be changed later, and only new, empty tables can be STRONG.
#
# EVENTUAL  One Region writes events, and the others read them about a second later. Set
#           DYNAMO_ES_REPLICATION=replica in the others.
# STRONG    Each Region may append. An append takes longer, because it waits for a second Region.
#           Exactly three Regions: three with tables (ThirdRegion), or two and a witness that only
#           votes (WitnessRegion). All three belong to one of AWS's sets, such as Ireland, London,
#           Paris and Frankfurt. Such tables have no transactions: set DYNAMO_ES_REPLICATION=strong
#           in all Regions. Nor do they have expiry (TTL): the fences of deleted streams stay, about
#           90 bytes for each commit.
#
# Cost: each Region stores everything, and each write is billed in each Region, in replicated write
# units.
#
# The tables outlive the stack (Retain).
"""

PARAMETERS: Final[dict[str, Any]] = {
    "Consistency": {
        "Type": "String",
        "AllowedValues": ["EVENTUAL", "STRONG"],
        "Description": "Consistency between Regions. It cannot be changed later.",
    },
    "SecondRegion": {
        "Type": "String",
        "AllowedPattern": "[a-z]{2}(-[a-z]+)+-[0-9]",
        "ConstraintDescription": "the name of a Region, such as eu-central-1",
        "Description": "Second Region that gets the tables. The first is the Region of the stack.",
    },
    "ThirdRegion": {
        "Type": "String",
        "Default": "",
        "AllowedPattern": "^$|[a-z]{2}(-[a-z]+)+-[0-9]",
        "ConstraintDescription": "empty, or the name of a Region",
        "Description": "Third Region that gets the tables; empty for none.",
    },
    "WitnessRegion": {
        "Type": "String",
        "Default": "",
        "AllowedPattern": "^$|[a-z]{2}(-[a-z]+)+-[0-9]",
        "ConstraintDescription": "empty, or the name of a Region",
        "Description": "Third Region of STRONG with two tables. It only votes; empty for none.",
    },
    # Other Regions cannot use a key of this one. A multi-Region key has the same id in all Regions.
    "KmsKeyId": {
        "Type": "String",
        "Default": "",
        "AllowedPattern": "^$|mrk-[0-9a-f]{32}",
        "ConstraintDescription": "empty, or the id of a multi-Region key",
        "Description": (
            "Id of a multi-Region KMS key with a replica in each Region; empty for the key that "
            "AWS owns."
        ),
    },
}
CONDITIONS: Final[dict[str, Any]] = {
    "IsStrong": {"Fn::Equals": [{"Ref": "Consistency"}, "STRONG"]},
    "HasThirdRegion": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ThirdRegion"}, ""]}]},
    "HasWitness": {"Fn::Not": [{"Fn::Equals": [{"Ref": "WitnessRegion"}, ""]}]},
    "HasKmsKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "KmsKeyId"}, ""]}]},
}
_NOTHING: Final = {"Ref": "AWS::NoValue"}
_OF_A_REPLICA: Final = (
    *("TableClass", "PointInTimeRecoverySpecification", "DeletionProtectionEnabled", "Tags"),
)
"""Properties that each replica of a table sets for itself."""


def _empty(parameter: str) -> dict[str, Any]:
    return {"Fn::Equals": [{"Ref": parameter}, ""]}


def _given(parameter: str) -> dict[str, Any]:
    return {"Fn::Not": [_empty(parameter)]}


RULES: Final[dict[str, Any]] = {
    "StrongHasThreeRegions": {
        "RuleCondition": CONDITIONS["IsStrong"],
        "Assertions": [
            {
                "Assert": {
                    "Fn::Or": [
                        {"Fn::And": [_given("ThirdRegion"), _empty("WitnessRegion")]},
                        {"Fn::And": [_empty("ThirdRegion"), _given("WitnessRegion")]},
                    ]
                },
                "AssertDescription": "STRONG needs either ThirdRegion or WitnessRegion.",
            }
        ],
    },
    "EventualHasNoWitness": {
        "RuleCondition": {"Fn::Equals": [{"Ref": "Consistency"}, "EVENTUAL"]},
        "Assertions": [
            {
                "Assert": _empty("WitnessRegion"),
                "AssertDescription": "Only STRONG has a WitnessRegion.",
            }
        ],
    },
}


def template(folder: Path) -> dict[str, Any]:
    """Return the template, with functions in their long form."""
    source = parse_yaml((folder / "event-store.yaml").read_text(encoding="utf-8"))
    parameters = {name: each for name, each in source["Parameters"].items() if name != "KmsKeyArn"}
    groups = [
        {"Label": {"default": "Regions"}, "Parameters": [*PARAMETERS][:-1]},
        *source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"],
    ]
    # Global tables have separate conditions for the limits of reads and of writes.
    conditions = {name: each for name, each in source["Conditions"].items() if name != "HasMaximum"}
    for group in groups:
        group["Parameters"] = [
            "KmsKeyId" if name == "KmsKeyArn" else name for name in group["Parameters"]
        ]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{source['Description']} in several Regions",
        "Metadata": {"AWS::CloudFormation::Interface": {"ParameterGroups": groups}},
        "Parameters": {**PARAMETERS, **parameters},
        "Rules": RULES,
        "Conditions": {**conditions, **CONDITIONS},
        "Resources": {name: _global(each) for name, each in source["Resources"].items()},
        "Outputs": source["Outputs"],
    }


def text(folder: Path) -> str:
    """Return the template as YAML, with functions in their short form."""
    return HEADER + dumped(template(folder))


def _global(resource: dict[str, Any]) -> dict[str, Any]:
    table = dict(resource["Properties"])
    replica = {name: table.pop(name) for name in _OF_A_REPLICA if name in table}
    del table["SSESpecification"]
    table["SSESpecification"] = {
        "Fn::If": ["HasKmsKey", {"SSEEnabled": True, "SSEType": "KMS"}, {"SSEEnabled": False}]
    }
    replica["SSESpecification"] = {
        "Fn::If": ["HasKmsKey", {"KMSMasterKeyId": {"Ref": "KmsKeyId"}}, _NOTHING]
    }
    if table.pop("OnDemandThroughput", None):
        table["WriteOnDemandThroughputSettings"] = _limit("HasMaxWrites", "Write")
        replica["ReadOnDemandThroughputSettings"] = _limit("HasMaxReads", "Read")
    # An eventually consistent global table must have a stream of old and new images, even the keys
    # table. It shows keys for a day after their deletion, but no policy here allows reads of it.
    changes = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    strong = table.get("StreamSpecification", _NOTHING)
    table["StreamSpecification"] = {"Fn::If": ["IsStrong", strong, changes]}
    if expiry := table.get("TimeToLiveSpecification"):
        table["TimeToLiveSpecification"] = {"Fn::If": ["IsStrong", _NOTHING, expiry]}
    table["MultiRegionConsistency"] = {"Ref": "Consistency"}
    witnesses = [{"Region": {"Ref": "WitnessRegion"}}]
    table["GlobalTableWitnesses"] = {"Fn::If": ["HasWitness", witnesses, _NOTHING]}
    table["Replicas"] = [
        {"Region": {"Ref": "AWS::Region"}, **replica},
        {"Region": {"Ref": "SecondRegion"}, **replica},
        {"Fn::If": ["HasThirdRegion", {"Region": {"Ref": "ThirdRegion"}, **replica}, _NOTHING]},
    ]
    return {**resource, "Type": "AWS::DynamoDB::GlobalTable", "Properties": table}


def _limit(condition: str, kind: str) -> dict[str, Any]:
    setting = {f"Max{kind}RequestUnits": {"Ref": f"Max{kind}Units"}}
    return {"Fn::If": [condition, setting, _NOTHING]}
