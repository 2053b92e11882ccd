"""infra/event-store.yaml: each property that matters, by name."""

from __future__ import annotations

from typing import Any

import pytest
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from dynamo_es.dynamodb.tables.template import CHECKOUT, parse_yaml, resolve_tables

TEMPLATE = parse_yaml(CHECKOUT.read_text(encoding="utf-8"))
TABLES = resolve_tables(TEMPLATE)
KEY_ARN = "arn:aws:kms:eu-central-1:123456789012:key/0aa0a0a0-0000-0000-0000-000000000000"

every_table = pytest.mark.parametrize("table", ["EventsTable", "LogTable", "KeysTable"])


@pytest.mark.ci
def test_cfn_lint_has_no_findings():
    from cfnlint.api import lint_file  # type: ignore[import-untyped]  # takes a second to load

    assert lint_file(CHECKOUT) == []


def test_it_holds_the_three_tables_and_nothing_else():
    assert {name: entry["Type"] for name, entry in TEMPLATE["Resources"].items()} == dict.fromkeys(
        ("EventsTable", "LogTable", "KeysTable"), "AWS::DynamoDB::Table"
    )


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("EventsTable", {"stream_key": ("HASH", "S"), "version": ("RANGE", "N")}),
        ("LogTable", {"log_key": ("HASH", "S"), "place": ("RANGE", "S")}),
        ("KeysTable", {"tenant": ("HASH", "S"), "subject": ("RANGE", "S")}),
    ],
)
def test_each_table_has_its_key_and_no_other_attribute(table, key):
    kinds = {
        entry["AttributeName"]: entry["AttributeType"]
        for entry in TABLES[table]["AttributeDefinitions"]
    }
    roles = {entry["AttributeName"]: entry["KeyType"] for entry in TABLES[table]["KeySchema"]}
    assert {name: (roles[name], kind) for name, kind in kinds.items()} == key
    assert roles.keys() == key.keys()


@every_table
def test_no_attribute_of_a_key_is_a_reserved_word(table):
    names = {entry["AttributeName"].upper() for entry in TABLES[table]["AttributeDefinitions"]}
    assert names.isdisjoint(ReservedKeywords.get_reserved_keywords())


@every_table
def test_a_table_is_billed_by_request(table):
    assert TABLES[table]["BillingMode"] == "PAY_PER_REQUEST"
    assert "ProvisionedThroughput" not in TABLES[table]


@every_table
def test_no_table_has_an_index_that_every_write_would_pay_for(table):
    assert not {"GlobalSecondaryIndexes", "LocalSecondaryIndexes"} & TABLES[table].keys()


@every_table
def test_a_table_outlives_its_stack(table):
    assert TEMPLATE["Resources"][table]["DeletionPolicy"] == "Retain"
    assert TEMPLATE["Resources"][table]["UpdateReplacePolicy"] == "Retain"


@every_table
def test_a_table_is_protected_against_deletion_unless_that_is_turned_off(table):
    assert TABLES[table]["DeletionProtectionEnabled"] is True
    unprotected = resolve_tables(TEMPLATE, {"DeletionProtection": "false"})
    assert unprotected[table]["DeletionProtectionEnabled"] is False


@pytest.mark.parametrize(
    ("table", "recovery"),
    [
        ("EventsTable", {"PointInTimeRecoveryEnabled": True}),
        ("LogTable", {"PointInTimeRecoveryEnabled": True}),
        ("KeysTable", {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 28}),
    ],
)
def test_a_table_can_be_restored_to_any_second(table, recovery):
    assert TABLES[table]["PointInTimeRecoverySpecification"] == recovery


def test_erased_keys_are_gone_after_as_many_days_as_are_asked_for():
    keys = resolve_tables(TEMPLATE, {"KeysRecoveryDays": 3})["KeysTable"]
    assert keys["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"] == 3


@pytest.mark.parametrize("table", ["EventsTable", "LogTable"])
def test_events_and_log_have_streams_of_what_was_written(table):
    assert TABLES[table]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_keys_leave_their_table_by_no_stream():
    assert "StreamSpecification" not in TABLES["KeysTable"]


def test_only_items_of_the_events_table_expire():
    assert TABLES["EventsTable"]["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }
    assert "TimeToLiveSpecification" not in TABLES["LogTable"]
    assert "TimeToLiveSpecification" not in TABLES["KeysTable"]


@every_table
def test_a_table_is_encrypted_with_the_key_of_aws_or_with_the_one_given(table):
    assert TABLES[table]["SSESpecification"] == {"SSEEnabled": False}
    with_key = resolve_tables(TEMPLATE, {"KmsKeyArn": KEY_ARN})
    assert with_key[table]["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": KEY_ARN,
    }


@pytest.mark.parametrize(
    ("table", "component"), [("EventsTable", "events"), ("LogTable", "log"), ("KeysTable", "keys")]
)
def test_a_table_is_tagged_and_named(table, component):
    tags = {tag["Key"]: tag["Value"] for tag in TABLES[table]["Tags"]}
    assert tags == {"application": "dynamo_es", "component": component}
    assert TABLES[table]["TableName"] == f"dynamo-es-{component}"
    other = resolve_tables(TEMPLATE, {"NamePrefix": "shop"})
    assert other[table]["TableName"] == f"shop-{component}"


def test_every_parameter_has_a_safe_default():
    defaults = {name: entry["Default"] for name, entry in TEMPLATE["Parameters"].items()}
    assert defaults == {
        "NamePrefix": "dynamo-es",
        "DeletionProtection": "true",
        "KmsKeyArn": "",
        "KeysRecoveryDays": 28,
        "TableClass": "STANDARD",
        "MaxReadUnits": 0,
        "MaxWriteUnits": 0,
        "WarmReadUnits": 12_000,
        "WarmWriteUnits": 4_000,
    }


CAPACITY = ("TableClass", "OnDemandThroughput", "WarmThroughput")


@every_table
def test_by_default_a_table_has_the_class_and_the_capacity_that_aws_gives(table):
    assert TABLES[table].keys().isdisjoint(CAPACITY)


@pytest.mark.parametrize("table", ["EventsTable", "LogTable"])
def test_events_and_log_get_the_class_and_the_limits_that_were_asked_for(table):
    asked = {"TableClass": "STANDARD_INFREQUENT_ACCESS", "MaxWriteUnits": 500}
    found = resolve_tables(TEMPLATE, asked | {"WarmReadUnits": 20_000})[table]

    assert {name: found[name] for name in CAPACITY} == {
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "OnDemandThroughput": {"MaxWriteRequestUnits": 500},
        "WarmThroughput": {"ReadUnitsPerSecond": 20_000, "WriteUnitsPerSecond": 4_000},
    }


def test_names_and_arns_are_exported_for_other_stacks():
    table, arn, stream = "Ref", "Arn", "StreamArn"
    wanted: dict[str, Any] = {
        "EventsTableName": {table: "EventsTable"},
        "EventsTableArn": {"Fn::GetAtt": ["EventsTable", arn]},
        "EventsStreamArn": {"Fn::GetAtt": ["EventsTable", stream]},
        "LogTableName": {table: "LogTable"},
        "LogTableArn": {"Fn::GetAtt": ["LogTable", arn]},
        "LogStreamArn": {"Fn::GetAtt": ["LogTable", stream]},
        "KeysTableName": {table: "KeysTable"},
        "KeysTableArn": {"Fn::GetAtt": ["KeysTable", arn]},
    }
    outputs = TEMPLATE["Outputs"]
    assert {name: output["Value"] for name, output in outputs.items()} == wanted
    assert {name: output["Export"]["Name"] for name, output in outputs.items()} == {
        name: {"Fn::Sub": f"${{AWS::StackName}}-{name}"} for name in wanted
    }
