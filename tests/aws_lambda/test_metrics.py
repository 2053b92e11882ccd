"""Handlers write metrics in a Lambda function: one line a call, with one dimension."""

from __future__ import annotations

import json

import pytest

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.aws_lambda import project_log, project_streams, publish_outbox, sequence_events
from dynamo_es.aws_lambda.metrics import FunctionMetrics
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.testing.clock import FrozenClock
from tests.aws_lambda.lambdas import Spent, records_of
from tests.event_store.accounts import Deposited
from tests.infra.kinds_of_streams import another_process

ANN = StreamId(name="ann", category="account")


@pytest.fixture
def lines(monkeypatch, capsys):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    monkeypatch.setattr("dynamo_es.aws_lambda.metrics._states", lambda _: ["Enabled"])

    def read():
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    read()
    return read


def deposit(backend, *amounts):
    for amount in amounts:
        backend.event_store.append(
            Deposited(amount=amount),
            stream_id=ANN,
            expected_version=backend.event_store.version(ANN),
        )


def metrics_of(line):
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["function"]]
    assert directive["Namespace"] == "dynamo_es"
    return {metric["Name"]: line[metric["Name"]] for metric in directive["Metrics"]}


def test_a_line_names_the_function_and_the_call(lines):
    metrics = FunctionMetrics("balances", clock=lambda: 1_800_000_000.5)
    metrics.count("Failures", 2)
    metrics.count("Failures", 1)
    metrics.gauge("LagSeconds", 0)

    metrics.flush(Spent(1000))

    [line] = lines()
    assert line["_aws"]["Timestamp"] == 1_800_000_000_500
    assert (line["function"], line["consumer"], line["request_id"]) == (
        *("orders", "balances", "request-1"),
    )
    assert metrics_of(line) == {"Failures": 3, "LagSeconds": 0}
    units = {one["Name"]: one["Unit"] for one in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units == {"Failures": "Count", "LagSeconds": "Seconds"}
    metrics.flush()
    assert lines() == [], "nothing was counted since"


def test_nothing_is_written_elsewhere_or_where_metrics_are_off(lines, monkeypatch):
    metrics = FunctionMetrics("x")
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    metrics.gauge("Dead", 1)
    metrics.flush()
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED")
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
    metrics.gauge("Dead", 1)
    metrics.check_mappings()
    metrics.flush()
    assert lines() == []


@pytest.mark.parametrize(
    ("states", "off"),
    [
        (["Enabled"], 0),
        (["Enabled", "Updating"], 0),
        (["Enabled", "Disabled"], 1),
        (["Disabling"], 1),
        ([], 1),
    ],
)
def test_a_mapping_that_is_off_or_missing_counts(lines, states, off):
    metrics = FunctionMetrics("x", mappings=lambda _: states)
    metrics.check_mappings()
    metrics.flush()
    [line] = lines()
    assert metrics_of(line) == {"MappingsOff": off}


def test_mappings_that_cannot_be_seen_leave_the_metric_out(lines, caplog):
    denied = PermissionError("se" + "cret")

    def refuse(_):
        raise denied

    metrics = FunctionMetrics("x", mappings=refuse)
    metrics.check_mappings()
    metrics.flush()
    assert lines() == []
    assert "PermissionError" in caplog.text
    assert "secret" not in caplog.text


def test_a_sequencer_counts_positions_and_measures_its_lag(lines):
    clock = FrozenClock()
    with DynamoBackend.local(sequencing="stream") as backend:
        handler = sequence_events(another_process(backend, clock=clock))
        deposit(backend, 1, 2)
        lags = []
        for _ in range(3):
            handler({"dynamo_es": "upkeep"}, Spent(60_000))
            lags.append(metrics_of(lines()[-1])["LagSeconds"])
            clock.advance(60)
        assert lags == [0, 60, 120]

        handler({"Records": records_of(backend, "events")})
        assert metrics_of(lines()[-1]) == {"Sequenced": 2}
        handler({"dynamo_es": "upkeep"})
        assert metrics_of(lines()[-1]) == {"LagSeconds": 0, "MappingsOff": 0}


@pytest.fixture
def filled(backend):
    backend.with_outbox()
    deposit(backend, 1, 2, 3)
    sequence_events(backend)({"Records": records_of(backend, "events")})
    return backend


def test_an_outbox_counts_what_went_out_what_waits_and_what_is_dead(filled, lines):
    def publish(recorded):
        if recorded.position > 1:
            raise OSError

    publish_outbox(filled, publish, attempts=1)({"dynamo_es": "upkeep"})
    assert metrics_of(lines()[-1]) == {
        "Published": 1,
        "Failures": 2,
        "Dead": 2,
        "Waiting": 0,
        "OldestSeconds": 0,
        "MappingsOff": 0,
    }
    filled.outbox.retry_all()
    publish_outbox(filled, publish, retry_delay=60)({"dynamo_es": "upkeep"})
    found = metrics_of(lines()[-1])
    assert (found["Dead"], found["Waiting"]) == (0, 2)
    assert 0 <= found["OldestSeconds"] < 10


def test_read_models_count_failures_and_parked_streams(filled, lines):
    def fail(recorded):
        raise OSError

    records = {"Records": records_of(filled, "events")}
    streams = project_streams(filled, "one", on_failure="park")(fail)
    for _ in range(3):
        streams(records)
    assert [metrics_of(line) for line in lines()] == [{"Failures": 1}] * 2
    streams({"dynamo_es": "upkeep"})
    assert metrics_of(lines()[-1]) == {"Parked": 1, "MappingsOff": 0}

    stopping = project_log(filled, "log")(fail)
    stopping({"Records": records_of(filled, "log")})
    assert metrics_of(lines()[-1]) == {"Failures": 1}
    parking = project_log(filled, "parking", on_failure="park")(fail)
    parking({"dynamo_es": "upkeep"})
    found = metrics_of(lines()[-1])
    assert (found["Parked"], found["Lag"], found["MappingsOff"]) == (1, 0, 0)


def test_a_schedule_retries_parked_streams(filled):
    broken = True
    seen = []

    def handle(recorded):
        if broken:
            raise OSError
        seen.append(recorded.wrapped_event.event.amount)

    by_stream = project_streams(filled, "by stream", on_failure="park")(handle)
    for _ in range(3):
        by_stream({"Records": records_of(filled, "events")})
    in_order = project_log(filled, "in order", on_failure="park")(handle)
    in_order({})
    assert len(filled.parked.all()) == 2

    broken = False
    for handler in (by_stream, in_order):
        assert handler({"dynamo_es": "retry_parked"}) == {"batchItemFailures": []}

    assert seen == [1, 2, 3] * 2
    assert filled.parked.all() == []


def test_a_task_that_a_handler_does_not_have_is_refused(filled):
    for handler in (sequence_events(filled), publish_outbox(filled, lambda _: None)):
        with pytest.raises(ConfigurationError, match="upkeep"):
            handler({"dynamo_es": "retry_parked"})


def test_a_long_rebuild_is_no_failure_where_a_schedule_goes_on(filled, monkeypatch):
    deposit(filled, *range(4, 41))
    sequence_events(filled)({"Records": records_of(filled, "events")})
    seen = []
    context = Spent(0)
    handler = project_log(filled, "rebuilt", margin=1, batch_size=5)(
        context.taking(200, lambda recorded: seen.append(recorded.position))
    )
    pages = {"Records": records_of(filled, "log")}
    context.left_ms = 2000
    assert handler(pages, context)["batchItemFailures"], "without a schedule, Lambda has to know"

    monkeypatch.setenv("DYNAMO_ES_UPKEEP", "true")
    context.left_ms = 2000
    assert handler(pages, context) == {"batchItemFailures": []}
    calls = 0
    while len(seen) < 40:
        context.left_ms = 2000
        handler({"dynamo_es": "upkeep"}, context)
        calls += 1
        assert calls < 20
    assert seen == list(range(1, 41))
