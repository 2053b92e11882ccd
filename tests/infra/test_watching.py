"""What the templates watch: schedules, filters, alarms, their runbooks, and the dashboard."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, StreamId
from dynamo_es.aws_lambda import metrics as metrics_module
from dynamo_es.aws_lambda import project_log, project_streams, publish_outbox, sequence_events
from dynamo_es.dynamodb.tables.template import CHECKOUT
from dynamo_es.testing.conformance.language import a_snapshot, events
from tests.aws_lambda.lambdas import records_of
from tests.infra.test_function_templates import NAMES, TEMPLATES, every_function, properties

RUNBOOKS = CHECKOUT.parents[1] / "docs" / "how-to" / "runbooks.md"
URL = "https://dynamo-es.github.io/dynamo_es/how-to/runbooks/#"
WATCHED = (*NAMES, "alarms")


def alarms_of(name: str) -> dict[str, dict[str, Any]]:
    return {
        key: resource["Properties"]
        for key, resource in TEMPLATES[name]["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


def anchors() -> set[str]:
    headings = re.findall(r"^##+ (.+)$", RUNBOOKS.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9]+", "-", one.lower().replace("'", "")).strip("-") for one in headings}


@pytest.mark.parametrize("name", WATCHED)
def test_every_alarm_names_a_runbook_that_exists(name):
    for key, alarm in alarms_of(name).items():
        text, _, anchor = alarm["AlarmDescription"].partition(URL)
        assert text.strip(), key
        assert anchor in anchors(), key


def test_every_runbook_is_that_of_an_alarm_or_says_that_it_has_none():
    named = {
        alarm["AlarmDescription"].partition(URL)[2]
        for name in WATCHED
        for alarm in alarms_of(name).values()
    }
    without = {
        "send-failure-records-again",
        "a-table-was-lost",
        "the-keys-table-was-lost",
        "the-log-is-torn",
        "the-bill-rises",
        "a-read-model-is-wrong",
        "upgrade-to-a-new-release",
        "a-region-is-lost",
        "which-policies-you-need",
    }
    assert anchors() == named | without


@every_function
def test_an_alarm_watches_a_metric_that_the_handler_writes(name):
    written = set(re.findall(r"``(\w+)``", metrics_module.FunctionMetrics.__doc__ or ""))
    for alarm in alarms_of(name).values():
        if alarm["Namespace"] == "dynamo_es":
            assert alarm["MetricName"] in written
            assert alarm["Dimensions"] == [{"Name": "function", "Value": {"Ref": "Function"}}]


@every_function
def test_failures_are_watched_and_not_lambdas_errors(name):
    alarms = alarms_of(name)

    assert alarms["RetriesAlarm"]["MetricName"] == "Failures"
    assert alarms["RetriesAlarm"]["Statistic"] == "Sum"
    assert "Errors" not in {alarm["MetricName"] for alarm in alarms.values()}


@every_function
def test_a_mapping_that_is_off_or_a_function_that_is_silent_raises_an_alarm(name):
    alarm = alarms_of(name)["MappingAlarm"]

    assert (alarm["MetricName"], alarm["TreatMissingData"]) == ("MappingsOff", "breaching")
    assert "lambda:ListEventSourceMappings" in json.dumps(properties(name, "Role"))


def test_each_consumer_has_the_alarm_of_what_waits_for_somebody():
    assert alarms_of("sequencer")["WaitingAlarm"]["MetricName"] == "LagSeconds"
    assert alarms_of("sequencer")["WaitingAlarm"]["TreatMissingData"] == "breaching"
    assert alarms_of("sequencer")["SetAsideAlarm"]["MetricName"] == "SetAside"
    assert alarms_of("outbox")["DeadAlarm"]["MetricName"] == "Dead"
    assert alarms_of("outbox")["OldestAlarm"]["MetricName"] == "OldestSeconds"
    assert alarms_of("projection")["ParkedAlarm"]["MetricName"] == "Parked"
    hot = {alarm["MetricName"] for key, alarm in alarms_of("alarms").items() if "Hot" in key}
    assert hot == {f"{kind}KeyRangeThroughputThrottleEvents" for kind in ("Read", "Write")}


def test_a_sequencer_runs_once_at_a_time():
    assert TEMPLATES["sequencer"]["Parameters"]["Concurrency"]["Default"] == 1
    reserved = properties("sequencer", "Function")["ReservedConcurrentExecutions"]
    assert reserved["Fn::If"][:2] == ["HasReserve", {"Ref": "Concurrency"}]


@pytest.fixture(scope="module")
def backend():
    with DynamoBackend.local(sequencing="stream") as backend:
        yield backend


def schedules(name: str) -> dict[str, dict[str, Any]]:
    return {
        key: json.loads(resource["Properties"]["Targets"][0]["Input"])
        for key, resource in TEMPLATES[name]["Resources"].items()
        if resource["Type"] == "AWS::Events::Rule"
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_handlers_take_what_the_schedules_send(name, backend):
    made: dict[str, list[Any]] = {
        "sequencer": [sequence_events(backend)],
        "outbox": [publish_outbox(backend, lambda _: None, keep_unknown=True)],
        "projection": [
            project_log(backend, "log", keep_unknown=True)(lambda _: None),
            project_streams(backend, "streams", keep_unknown=True)(lambda _: None),
        ],
    }
    handlers = made[name]
    sent = schedules(name)
    assert sent["EachMinute"] == {"dynamo_es": "upkeep"}
    assert ("RetryParked" in sent) == (name == "projection")

    for handler in handlers:
        for event in sent.values():
            assert handler(event) == {"batchItemFailures": []}
    for rule in sent:
        permission = properties(name, f"{rule}Permission")
        assert permission["SourceArn"] == {"Fn::GetAtt": [rule, "Arn"]}


def passes(pattern: Any, value: Any) -> bool:
    """Whether a value matches a pattern of Lambda's filters, as far as the templates use them."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            passes(inner, value.get(key)) for key, inner in pattern.items()
        )
    return any(
        value not in one["anything-but"] if isinstance(one, dict) else value == one
        for one in pattern
    )


@pytest.mark.parametrize("name", ["sequencer", "projection"])
def test_removals_and_snapshots_start_no_function(name, backend):
    criteria = properties(name, "Mapping")["FilterCriteria"]
    if name == "projection":
        criteria = criteria["Fn::If"][2]
    (one,) = criteria["Filters"]
    pattern = json.loads(one["Pattern"])
    before = len(records_of(backend, "events"))
    stream = StreamId()
    backend.storage.insert_events(stream, ANY_VERSION, events(stream, 2))
    backend.storage.save_snapshot(a_snapshot(stream, 2))
    backend.storage.delete_stream(stream)
    records = records_of(backend, "events")[before:]
    removed = {**records[0], "eventName": "REMOVE"}

    found = [(one["eventName"], passes(pattern, one)) for one in [*records, removed]]

    assert found[0] == ("INSERT", True)
    snapshots = [
        one for one in records if one["dynamodb"]["Keys"]["version"]["N"] == f"1{'0' * 18}"
    ]
    assert snapshots
    assert not any(passes(pattern, one) for one in snapshots)
    assert not any(passed for kind, passed in found if kind == "REMOVE")


def test_the_dashboard_is_json_and_shows_what_the_alarms_watch():
    body, names = properties("alarms", "Dashboard")["DashboardBody"]["Fn::Sub"]
    for name in [*names, "AWS::Region"]:
        body = body.replace(f"${{{name}}}", name.lower())
    assert "${" not in body
    widgets = json.loads(body)["widgets"]

    shown = json.dumps(widgets)
    for metric in ("LagSeconds", "Parked", "MappingsOff", "Failures", "Dead", "OldestSeconds"):
        assert metric in shown
    places = {(one["x"], one["y"]) for one in widgets}
    assert len(places) == len(widgets)
    assert all(one["x"] + one["width"] <= 24 for one in widgets)
