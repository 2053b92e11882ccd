"""Metrics in CloudWatch's embedded format."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from dynamo_es import DEFAULT_TENANT, DynamoBackend, ExplicitVersioning, OperationReport, StreamId
from dynamo_es.exceptions import (
    AppendsFailedError,
    ConcurrentStreamWriteError,
    ConfigurationError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.observability import EmfMetrics, observers
from dynamo_es.testing.conformance.language import events

REPORT = OperationReport(
    operation="append",
    tenant_id=DEFAULT_TENANT,
    stream_id=StreamId(),
    requests=1,
    attempts=1,
    read_units=None,
    write_units=2.0,
    bytes_written=1500,
    bytes_read=30,
    duration=0.0042,
    error=None,
)


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def metrics(lines, clock):
    return EmfMetrics(environ={}, write=lines.append, clock=clock)


def test_a_line_is_what_cloudwatch_takes(metrics, lines):
    metrics(REPORT)
    metrics(replace(REPORT, requests=2, attempts=4, duration=0.001))
    assert lines == []

    metrics.flush()

    (line,) = map(json.loads, lines)
    assert line == {
        "_aws": {
            "Timestamp": 1_800_000_000_000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "dynamo_es",
                    "Dimensions": [["service", "operation"]],
                    "Metrics": [
                        {"Name": "Duration", "Unit": "Milliseconds"},
                        {"Name": "Requests", "Unit": "Count"},
                        {"Name": "WriteUnits", "Unit": "Count"},
                        {"Name": "Retries", "Unit": "Count"},
                    ],
                }
            ],
        },
        "service": "dynamo_es",
        "operation": "append",
        "Duration": [4.2, 1.0],
        "Requests": 3,
        "WriteUnits": 4.0,
        "Retries": 2,
        "bytes_written": 3000,
        "bytes_read": 60,
    }
    metrics.flush()
    assert len(lines) == 1, "nothing is told twice"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ConcurrentStreamWriteError(StreamId(), 1, 2), "Conflicts"),
        (AppendsFailedError((1, 2), (5, ConcurrentStreamWriteError(2, 1, 2))), "Conflicts"),
        (
            AppendsFailedError((1, 2), (ConcurrentStreamWriteError(1, 1, 2), ValueError("own"))),
            "Errors",
        ),
        (ThrottledError("PutItem", "Throttling", "slowly."), "Throttles"),
        (UnavailableError("PutItem", "Timeout", "late."), "Errors"),
    ],
)
def test_what_failed_is_counted_by_its_kind(metrics, lines, error, name):
    metrics(replace(REPORT, error=error))
    metrics.flush()

    line = json.loads(lines[0])
    assert {key for key in ("Conflicts", "Throttles", "Errors") if key in line} == {name}
    assert line[name] == 1


def test_operations_have_lines_of_their_own(metrics, lines):
    metrics(REPORT)
    metrics(replace(REPORT, operation="load"))
    metrics.flush()

    assert [json.loads(line)["operation"] for line in lines] == ["append", "load"]


def test_or_have_not(lines, clock):
    metrics = EmfMetrics(environ={}, write=lines.append, clock=clock, by_operation=False)
    metrics(REPORT)
    metrics(replace(REPORT, operation="load"))
    metrics.flush()

    (line,) = map(json.loads, lines)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert line["Requests"] == 2


def test_a_full_line_and_one_that_is_due_are_written(metrics, lines, clock):
    for _ in range(100):
        metrics(REPORT)
    assert len(lines) == 1
    assert len(json.loads(lines[0])["Duration"]) == 100
    metrics(REPORT)
    clock.now += 60
    metrics(REPORT)
    assert len(lines) == 2


def test_the_lag_of_a_projection_is_a_metric(metrics, lines):
    metrics.progress(SimpleNamespace(name="balances", lag=17))
    metrics.flush()

    line = json.loads(lines[0])
    assert (line["consumer"], line["Lag"]) == ("balances", [17])


def test_the_parked_streams_of_a_projection_are_a_metric_while_there_are_some(metrics, lines):
    metrics.progress(SimpleNamespace(name="quiet", lag=0, parked=0))
    for parked in (0, 2, 0):
        metrics.progress(SimpleNamespace(name="balances", lag=0, parked=parked))
    metrics.flush()

    quiet, line = map(json.loads, lines)
    assert "Parked" not in quiet
    assert (line["consumer"], line["Parked"]) == ("balances", [2, 0])


def test_a_handler_is_flushed_whatever_becomes_of_it(metrics, lines):
    @metrics.flushing
    def handler(event: str) -> str:
        metrics(REPORT)
        if event == "bad":
            raise ValueError(event)
        return event

    assert handler("good") == "good"
    with pytest.raises(ValueError, match="bad"):
        handler("bad")
    assert len(lines) == 2


def test_names_are_those_of_powertools(lines):
    environ = {"POWERTOOLS_SERVICE_NAME": "shop", "POWERTOOLS_METRICS_NAMESPACE": "Shop"}
    metrics = EmfMetrics(environ=environ, write=lines.append, dimensions={"stage": "prod"})
    metrics(REPORT)
    metrics.flush()

    line = json.loads(lines[0])
    assert (line["service"], line["stage"]) == ("shop", "prod")
    (declared,) = line["_aws"]["CloudWatchMetrics"]
    assert declared["Namespace"] == "Shop"
    assert declared["Dimensions"] == [["service", "stage", "operation"]]


def test_it_can_be_turned_off(lines):
    metrics = EmfMetrics(environ={"POWERTOOLS_METRICS_DISABLED": "true"}, write=lines.append)
    metrics(REPORT)
    metrics.flush()

    assert lines == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": "AWS/Mine"},
        {"dimensions": {"operation": "x"}},
        {"dimensions": {"stage": ""}},
        {"dimensions": {f"d{n}": "x" for n in range(30)}},
    ],
)
def test_what_cloudwatch_refuses_is_refused_at_once(wrong):
    with pytest.raises(ConfigurationError):
        EmfMetrics(environ={}, **wrong)


def test_a_backend_tells_it_all(lines, capsys):
    metrics = EmfMetrics(environ={})
    with DynamoBackend.local(metrics) as backend:
        stream = StreamId()
        backend.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))
    metrics.flush()

    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    append = next(line for line in written if line["operation"] == "append")
    assert append["WriteUnits"] == 1.0
    assert append["Requests"] == 1


def test_several_observers_are_told_though_one_fails(caplog):
    told = []

    def fail(_):
        raise ValueError("no")

    observers(fail, told.append)(REPORT)

    assert told == [REPORT]
    assert "failed on append" in caplog.text
