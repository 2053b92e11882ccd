"""The sequencer as a Lambda function."""

from __future__ import annotations

import pytest

from dynamo_es import ANY_VERSION, StreamId
from dynamo_es.aws_lambda import sequence_events, sequencer
from dynamo_es.dynamodb.maintenance.repair import read_set_aside, repair
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.testing.conformance.language import events
from tests.aws_lambda.lambdas import Context, numbers, records_of
from tests.log.hostile import a_victim


def append(backend, streams, commits=1):
    for _ in range(commits):
        for stream in streams:
            backend.storage.insert_events(stream, ANY_VERSION, events(stream, 2))


def verified(backend):
    report = verify(backend.config, lambda: backend.client)
    assert report.sound, report.faults
    return report


def test_every_commit_gets_its_position_once(backend):
    append(backend, [StreamId() for _ in range(30)], commits=4)
    records = records_of(backend, "events")
    handler = sequence_events(backend)

    for _ in range(2):
        assert handler({"Records": records}) == {"batchItemFailures": []}

    report = verified(backend)
    assert (report.pointers, report.positions, report.not_sequenced) == (120, 240, 0)
    assert report.pages == 2
    assert handler.sequenced == 240


def test_what_is_no_commit_is_counted(backend):
    stream = StreamId()
    append(backend, [stream])
    backend.storage.delete_stream(stream)
    backend.client.put_item(
        TableName="events",
        Item={"stream_key": {"S": "mine"}, "version": {"N": "1"}, "note": {"S": "x"}},
    )
    handler = sequence_events(backend)

    handler({"Records": records_of(backend, "events")})

    assert (handler.sequenced, handler.foreign) == (2, 1)
    assert handler.skipped == 3  # two fences, and the expiry of one


@pytest.mark.parametrize("flaw", [{"event_count": {"N": "0"}}, {"item_format": {"N": "2"}}])
def test_what_cannot_be_read_is_set_aside(backend, flaw):
    append(backend, [StreamId()])
    damaged = a_victim(**flaw)
    backend.client.put_item(TableName="events", Item=damaged)
    handler = sequence_events(backend)

    assert handler({"Records": records_of(backend, "events")}) == {"batchItemFailures": []}

    assert (handler.sequenced, handler.foreign, handler.set_aside) == (2, 0, 1)
    (entry,) = read_set_aside(backend.config, lambda: backend.client)
    assert entry.stream_key == damaged["stream_key"]["S"]


def test_a_failure_names_the_first_record_that_is_not_in_the_log(backend):
    append(backend, [StreamId() for _ in range(150)])
    records = records_of(backend, "events")
    handler = sequence_events(backend)
    puts = []

    def fail(params, **_):
        puts.append(params)
        if len(puts) == 2:
            params["TableName"] = "nowhere"

    backend.client.meta.events.register("provide-client-params.dynamodb.PutItem", fail)

    answer = handler({"Records": records})

    assert numbers(answer) == [records[100]["dynamodb"]["SequenceNumber"]]
    assert numbers(handler({"Records": records[100:]})) == []
    assert verified(backend).pointers == 150


def test_it_stops_in_time(backend):
    append(backend, [StreamId() for _ in range(150)])
    records = records_of(backend, "events")

    answer = sequence_events(backend, margin=1)({"Records": records}, Context(1200, step_ms=200))

    assert numbers(answer) == [records[100]["dynamodb"]["SequenceNumber"]]
    assert verified(backend).pointers == 100


def test_what_never_came_is_repaired(backend):
    append(backend, [StreamId() for _ in range(3)])
    sequence_events(backend)({"Records": records_of(backend, "events")[1:]})

    repair(backend.config, lambda: backend.client)

    assert verified(backend).pointers == 3


def test_its_observer_is_the_backends(backend):
    told = []
    backend.observer = told.append
    append(backend, [StreamId()])

    sequence_events(backend)({"Records": records_of(backend, "events")})

    assert [(report.operation, report.requests) for report in told] == [("sequence", 4)]


def test_the_handler_without_code_is_configured_by_the_environment(monkeypatch):
    sequencer._of_environment.cache_clear()
    for name in ("EVENTS", "LOG", "KEYS"):
        monkeypatch.delenv(f"DYNAMO_ES_{name}_TABLE", raising=False)
    monkeypatch.setenv("DYNAMO_ES_LOG_TABLE", "log")
    with pytest.raises(ConfigurationError, match="DYNAMO_ES_EVENTS_TABLE"):
        sequencer.handler({"Records": []})
    for name in ("EVENTS", "LOG", "KEYS"):
        monkeypatch.setenv(f"DYNAMO_ES_{name}_TABLE", name.lower())

    assert sequencer.handler({"Records": []}) == {"batchItemFailures": []}
    sequencer._of_environment.cache_clear()
