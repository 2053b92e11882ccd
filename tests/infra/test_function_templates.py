"""The templates of sequencer, projection, outbox and alarms: each property that matters."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest

from dynamo_es.aws_lambda.settings import OutboxSettings
from dynamo_es.contracts.log_scope import LOG_SCOPES
from dynamo_es.dynamodb.config import REPLICATION
from dynamo_es.dynamodb.log.pages import MAX_POINTERS
from dynamo_es.dynamodb.tables.template import CHECKOUT, parse_yaml
from dynamo_es.outbox.outbox import DEFAULT_NAME

NAMES = ("sequencer", "projection", "outbox")
TEMPLATES: dict[str, dict[str, Any]] = {
    name: parse_yaml(CHECKOUT.with_name(f"{name}.yaml").read_text(encoding="utf-8"))
    for name in (*NAMES, "alarms", "access", "event-store")
}
every_function = pytest.mark.parametrize("name", NAMES)


def properties(name: str, resource: str) -> dict[str, Any]:
    found: dict[str, Any] = TEMPLATES[name]["Resources"][resource]["Properties"]
    return found


@pytest.mark.ci
@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_has_no_findings(name):
    from cfnlint.api import lint_file  # type: ignore[import-untyped]  # takes a second to load

    assert lint_file(CHECKOUT.with_name(f"{name}.yaml")) == []


@every_function
def test_a_mapping_answers_in_parts_and_states_every_limit(name):
    mapping = properties(name, "Mapping")

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["BatchSize"] == {"Ref": "BatchSize"}
    assert TEMPLATES[name]["Parameters"]["BatchSize"]["Default"] == MAX_POINTERS
    assert mapping["MaximumBatchingWindowInSeconds"] == {"Ref": "WindowSeconds"}
    assert mapping["ParallelizationFactor"] == 1
    assert mapping["BisectBatchOnFunctionError"] is True
    limits = mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]
    # A sequencer never gives a commit up; what starts a consumer does not matter for so long.
    assert limits == ((-1, -1) if name == "sequencer" else (100, 3600))
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {
        "Fn::GetAtt": ["FailureQueue", "Arn"]
    }


@pytest.mark.parametrize(
    ("name", "stream"), [("sequencer", "EventsStreamArn"), ("outbox", "LogStreamArn")]
)
def test_a_mapping_reads_its_tables_stream(name, stream):
    wanted = {"Fn::ImportValue": {"Fn::Sub": f"${{EventStore}}-{stream}"}}

    assert properties(name, "Mapping")["EventSourceArn"] == wanted
    statements = properties(name, "Role")["Policies"][0]["PolicyDocument"]["Statement"]
    assert statements[0]["Resource"] == wanted
    assert sorted(statements[0]["Action"]) == [
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
    ]


def test_a_projection_reads_the_stream_that_was_asked_for():
    wanted = properties("projection", "Mapping")["EventSourceArn"]["Fn::If"]

    assert wanted[0] == "FollowsLog"
    assert "LogStreamArn" in json.dumps(wanted[1])
    assert "EventsStreamArn" in json.dumps(wanted[2])


@every_function
def test_the_logs_own_consumers_wake_nobody(name):
    text = json.dumps(properties(name, "Mapping").get("FilterCriteria"))

    if name != "sequencer":
        assert '\\"log_key\\": {\\"S\\": [\\"log\\", {\\"suffix\\": \\"#log\\"}]}' in text


@pytest.mark.parametrize("name", ["sequencer", "outbox"])
def test_the_handler_is_there(name):
    module, _, function = properties(name, "Function")["Handler"].rpartition(".")

    assert callable(getattr(import_module(module), function))


@every_function
def test_a_function_knows_the_tables_and_has_its_roles_policy(name):
    variables = properties(name, "Function")["Environment"]["Variables"]
    for table in ("Events", "Log", "Keys"):
        assert variables[f"DYNAMO_ES_{table.upper()}_TABLE"] == {
            "Fn::ImportValue": {"Fn::Sub": f"${{EventStore}}-{table}TableName"}
        }
    assert variables["DYNAMO_ES_LOG_SCOPE"] == {"Ref": "LogScope"}
    assert TEMPLATES[name]["Parameters"]["LogScope"]["AllowedValues"] == list(LOG_SCOPES)
    assert variables["DYNAMO_ES_REPLICATION"] == {"Ref": "Replication"}
    assert TEMPLATES[name]["Parameters"]["Replication"]["AllowedValues"] == list(REPLICATION)
    policy = "SequencersPolicy" if name == "sequencer" else "ConsumersPolicy"
    managed = properties(name, "Role")["ManagedPolicyArns"]
    assert {"Fn::ImportValue": {"Fn::Sub": f"${{Access}}-{policy}"}} in managed
    assert policy in TEMPLATES["access"]["Outputs"]


def test_the_outbox_is_configured_by_what_its_handler_reads():
    variables = properties("outbox", "Function")["Environment"]["Variables"]

    assert variables["DYNAMO_ES_OUTBOX_TARGET"] == {"Ref": "TargetArn"}
    assert variables["DYNAMO_ES_OUTBOX_SOURCE"] == {"Ref": "Source"}
    assert variables["DYNAMO_ES_OUTBOX_ATTEMPTS"] == {"Ref": "Attempts"}
    assert variables["DYNAMO_ES_OUTBOX_HOURS"] == {"Ref": "Hours"}
    assert variables["DYNAMO_ES_OUTBOX_NAME"] == {"Ref": "Name"}
    parameters = TEMPLATES["outbox"]["Parameters"]
    defaults = {
        "DYNAMO_ES_OUTBOX_TARGET": "arn:aws:sqs:eu-west-1:1:q",
        "DYNAMO_ES_OUTBOX_SOURCE": parameters["Source"]["Default"],
        "DYNAMO_ES_OUTBOX_ATTEMPTS": parameters["Attempts"]["Default"],
        "DYNAMO_ES_OUTBOX_HOURS": str(parameters["Hours"]["Default"]),
        "DYNAMO_ES_OUTBOX_NAME": parameters["Name"]["Default"],
    }
    assert OutboxSettings.from_env(defaults) == OutboxSettings(
        target="arn:aws:sqs:eu-west-1:1:q", name=DEFAULT_NAME
    )


@every_function
def test_what_is_given_up_and_what_lags_raises_an_alarm(name):
    lag, failure = properties(name, "LagAlarm"), properties(name, "FailureAlarm")

    assert (lag["MetricName"], lag["Threshold"]) == ("IteratorAge", 300_000)
    assert (failure["MetricName"], failure["Threshold"]) == (
        "ApproximateNumberOfMessagesVisible",
        0,
    )
    assert properties(name, "FailureQueue")["SqsManagedSseEnabled"] is True
    assert properties(name, "FailureQueue")["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert TEMPLATES[name]["Resources"]["FailureQueue"]["DeletionPolicy"] == "Delete"
    assert TEMPLATES[name]["Resources"]["FailureQueue"]["UpdateReplacePolicy"] == "Retain"


def test_the_tables_have_their_alarms():
    alarms = {
        name: resource["Properties"] for name, resource in TEMPLATES["alarms"]["Resources"].items()
    }

    del alarms["Dashboard"]
    assert alarms.keys() == {
        "EventsHotReads",
        "EventsHotWrites",
        "LogHotReads",
        "LogHotWrites",
        "KeysReadThrottles",
        "KeysWriteThrottles",
        "EventsReadThrottles",
        "EventsWriteThrottles",
        "EventsSystemErrors",
        "LogReadThrottles",
        "LogWriteThrottles",
        "LogSystemErrors",
        "KeysSystemErrors",
        "Conflicts",
    }
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopicArn"}]
        assert alarm["TreatMissingData"] == "notBreaching"
        if "Throttles" in name:
            kind = "Read" if "Read" in name else "Write"
            assert alarm["MetricName"] == f"{kind}ThrottleEvents"
    assert alarms["Conflicts"]["MetricName"] == "ConditionalCheckFailedRequests"
    assert "SystemErrors" in json.dumps(alarms["LogSystemErrors"]["Metrics"])


@pytest.mark.parametrize("name", [*NAMES, "alarms", "access"])
def test_what_is_imported_is_exported(name):
    exported = {
        f"{stack}-{entry['Export']['Name']['Fn::Sub'].partition('-')[2]}"
        for stack, template in (("EventStore", "event-store"), ("Access", "access"))
        for entry in TEMPLATES[template]["Outputs"].values()
    }

    imported = set(_imports(TEMPLATES[name]))

    assert imported
    assert {text.removeprefix("${").replace("}", "") for text in imported} <= exported


def _imports(node: Any) -> Any:
    if isinstance(node, dict):
        if "Fn::ImportValue" in node:
            yield node["Fn::ImportValue"]["Fn::Sub"]
        for entry in node.values():
            yield from _imports(entry)
    elif isinstance(node, list):
        for entry in node:
            yield from _imports(entry)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_resource_that_can_be_is_tagged(name):
    for resource in TEMPLATES[name]["Resources"].values():
        if resource["Type"] in {
            "AWS::DynamoDB::Table",
            "AWS::IAM::Role",
            "AWS::Lambda::Function",
            "AWS::Logs::LogGroup",
            "AWS::SQS::Queue",
        }:
            assert {"Key": "application", "Value": "dynamo_es"} in resource["Properties"]["Tags"]
