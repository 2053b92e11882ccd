"""infra/global-event-store.yaml has the tables of event-store.yaml, in several regions."""

from __future__ import annotations

from typing import Any

import pytest

from dynamo_es.dynamodb.tables.template import CHECKOUT, parse_yaml, resolve_tables

INFRA = CHECKOUT.parent
TEMPLATE = parse_yaml((INFRA / "global-event-store.yaml").read_text(encoding="utf-8"))
TABLES = resolve_tables(parse_yaml(CHECKOUT.read_text(encoding="utf-8")))
EXISTING = parse_yaml((INFRA / "existing-tables.yaml").read_text(encoding="utf-8"))

every_table = pytest.mark.parametrize("table", ["EventsTable", "LogTable", "KeysTable"])


def resolved(consistency: str, **parameters: Any) -> dict[str, dict[str, Any]]:
    """Return the properties of each table."""
    own = {"AWS::Region": {"Default": "eu-west-1"}}
    tables = {
        name: {**each, "Type": "AWS::DynamoDB::Table"}
        for name, each in TEMPLATE["Resources"].items()
    }
    template = {**TEMPLATE, "Parameters": {**TEMPLATE["Parameters"], **own}, "Resources": tables}
    given = {"Consistency": consistency, "SecondRegion": "eu-central-1", **parameters}
    return resolve_tables(template, given)


@every_table
def test_a_table_is_the_one_of_a_single_region_except_for_its_replicas(table):
    found = resolved("STRONG", ThirdRegion="eu-west-2")[table]
    replica = found["Replicas"][0]
    own = TABLES[table]
    shared = own.keys() - {"TimeToLiveSpecification"}
    assert {name: {**replica, **found}[name] for name in shared} == {
        name: own[name] for name in shared
    }
    resource = TEMPLATE["Resources"][table]
    assert (resource["Type"], resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == (
        *("AWS::DynamoDB::GlobalTable", "Retain", "Retain"),
    )


def regions(table: dict[str, Any]) -> list[str]:
    return [each["Region"] for each in table["Replicas"]]


@every_table
def test_strong_consistency_has_three_regions_and_no_expiry(table):
    three = resolved("STRONG", ThirdRegion="eu-west-2")[table]
    assert regions(three) == ["eu-west-1", "eu-central-1", "eu-west-2"]
    witnessed = resolved("STRONG", WitnessRegion="eu-west-2")[table]
    assert regions(witnessed) == ["eu-west-1", "eu-central-1"]
    assert witnessed["GlobalTableWitnesses"] == [{"Region": "eu-west-2"}]
    for found in (three, witnessed):
        assert found["MultiRegionConsistency"] == "STRONG"
        assert "TimeToLiveSpecification" not in found
    assert "GlobalTableWitnesses" not in three


@every_table
def test_eventual_consistency_expires_fences_and_has_the_stream_that_aws_needs(table):
    found = resolved("EVENTUAL")[table]
    assert found["MultiRegionConsistency"] == "EVENTUAL"
    assert found["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert found.get("TimeToLiveSpecification") == TABLES[table].get("TimeToLiveSpecification")
    assert regions(found) == ["eu-west-1", "eu-central-1"]


def test_keys_have_a_stream_only_where_aws_needs_one():
    assert "StreamSpecification" not in resolved("STRONG")["KeysTable"]


def test_each_replica_is_protected_recoverable_and_encrypted_by_its_own_key():
    key = "mrk-" + 32 * "a"
    for table in resolved("EVENTUAL", ThirdRegion="us-east-1", KmsKeyId=key).values():
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
        assert len(table["Replicas"]) == 3
        for replica in table["Replicas"]:
            assert replica["DeletionProtectionEnabled"] is True
            assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
            assert replica["SSESpecification"] == {"KMSMasterKeyId": key}


def test_limits_of_reads_are_those_of_a_region_and_limits_of_writes_of_the_table():
    found = resolved("EVENTUAL", MaxReadUnits=100, MaxWriteUnits=50)["LogTable"]
    assert found["WriteOnDemandThroughputSettings"] == {"MaxWriteRequestUnits": 50}
    for replica in found["Replicas"]:
        assert replica["ReadOnDemandThroughputSettings"] == {"MaxReadRequestUnits": 100}


def test_consistency_cannot_be_changed_later_so_it_has_no_default():
    without = {name for name, each in TEMPLATE["Parameters"].items() if "Default" not in each}
    assert without == {"Consistency", "SecondRegion"}


def holds(node: Any, values: dict[str, str]) -> bool:
    ((function, argument),) = node.items()
    match function:
        case "Fn::Equals":
            left, right = (
                values[each["Ref"]] if isinstance(each, dict) else each for each in argument
            )
            return bool(left == right)
        case "Fn::Not":
            return not holds(argument[0], values)
        case "Fn::And":
            return all(holds(each, values) for each in argument)
        case "Fn::Or":
            return any(holds(each, values) for each in argument)
    raise AssertionError(function)


@pytest.mark.parametrize(
    ("consistency", "third", "witness", "allowed"),
    [
        ("STRONG", "", "", False),
        ("STRONG", "eu-west-2", "", True),
        ("STRONG", "", "eu-west-2", True),
        ("STRONG", "eu-west-2", "eu-west-3", False),
        ("EVENTUAL", "", "", True),
        ("EVENTUAL", "eu-west-2", "", True),
        ("EVENTUAL", "", "eu-west-2", False),
    ],
)
def test_regions_that_aws_would_refuse_are_refused_before(consistency, third, witness, allowed):
    values = {"Consistency": consistency, "ThirdRegion": third, "WitnessRegion": witness}
    assert allowed is all(
        holds(assertion["Assert"], values)
        for rule in TEMPLATE["Rules"].values()
        if holds(rule["RuleCondition"], values)
        for assertion in rule["Assertions"]
    )


def test_other_templates_find_the_same_exports_in_each_place():
    single = parse_yaml(CHECKOUT.read_text(encoding="utf-8"))["Outputs"]
    exports = {name: each["Export"] for name, each in single.items()}
    for other in (TEMPLATE, EXISTING):
        assert {name: each["Export"] for name, each in other["Outputs"].items()} == exports
