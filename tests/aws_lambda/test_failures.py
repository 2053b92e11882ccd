"""Batches of EventBridge Pipes, and failure records of batches that Lambda gave up on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynamo_es import ANY_VERSION, StreamId
from dynamo_es.aws_lambda import project_log, project_streams, publish_outbox, sequence_events
from dynamo_es.aws_lambda.failures import RecordNotDoneError
from dynamo_es.exceptions import ConfigurationError, ServiceError
from dynamo_es.testing.conformance.language import events
from tests.aws_lambda.lambdas import failure, numbers, records_of

ANN, BOB = (StreamId(name=name, category="order") for name in ("ann", "bob"))
NONE_LEFT = {"batchItemFailures": []}


@pytest.fixture
def records(backend):
    """Records of four commits, of two streams."""
    backend.with_outbox()
    for stream in (ANN, BOB, ANN, BOB):
        backend.storage.insert_events(stream, ANY_VERSION, events(stream, 2))
    return records_of(backend, "events")


def by_queue(*messages: Any) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{n}", "eventSource": "aws:sqs", "body": json.dumps(message)}
            for n, message in enumerate(messages)
        ]
    }


def by_topic(message: Any) -> dict[str, Any]:
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(message)}}]}


def by_topic_and_queue(message: Any) -> dict[str, Any]:
    return by_queue({"Type": "Notification", "Message": json.dumps(message)})


def from_bucket(records: Any) -> Any:
    return lambda told: {**told, "payload": json.dumps({"Records": records})}


def collecting(backend):
    """Return a handler that collects events, and these."""
    seen: list[tuple[str, int]] = []

    @project_streams(backend, "seen", keep_unknown=True)
    def handler(recorded):
        seen.append((recorded.stream_id.name, recorded.wrapped_event.version))

    return handler, seen


def test_a_pipe_s_list_is_a_batch(backend, records):
    handler, seen = collecting(backend)

    assert sequence_events(backend)(records) == NONE_LEFT
    assert handler(records) == NONE_LEFT

    assert backend.log.last_position == 8
    assert sorted(seen) == [(name, version) for name in ("ann", "bob") for version in (1, 2, 3, 4)]


def test_what_is_left_of_a_pipe_s_list_is_named(backend, records):
    @project_streams(backend, "failing", keep_unknown=True)
    def handler(recorded):
        if recorded.stream_id == BOB:
            raise RuntimeError("down")

    assert numbers(handler(records)) == [records[1]["dynamodb"]["SequenceNumber"]]


def test_a_pipe_s_list_of_the_log_is_a_reason_to_look(backend, records):
    sequence_events(backend)(records)
    seen, sent = [], []
    log = records_of(backend, "log")

    assert project_log(backend, "log", keep_unknown=True)(seen.append)(log) == NONE_LEFT
    assert publish_outbox(backend, sent.append, keep_unknown=True)(log) == NONE_LEFT

    assert len(seen) == len(sent) == 8


@pytest.mark.parametrize("wrap", [dict, by_queue, by_topic, by_topic_and_queue])
def test_the_records_of_a_failed_batch_are_read_again(backend, records, wrap):
    told = wrap(failure(backend, records[1:3]))
    handler, seen = collecting(backend)

    assert sequence_events(backend)(told) == NONE_LEFT
    assert handler(told) == NONE_LEFT

    # Those of the batch, and those that came before them in their streams.
    assert sorted(seen) == [("ann", 1), ("ann", 2), ("ann", 3), ("ann", 4), ("bob", 1), ("bob", 2)]
    assert backend.log.last_position == 6


def test_a_failed_batch_that_came_along_is_not_read_again(backend, records):
    told = from_bucket(records)(failure(backend, records, shardId="gone"))
    assert sequence_events(backend)(told) == NONE_LEFT
    assert backend.log.last_position == 8


def test_the_event_of_a_failed_asynchronous_call_is_handled(backend, records):
    told = {"version": "1.0", "requestContext": {}, "requestPayload": {"Records": records}}
    assert sequence_events(backend)(told) == NONE_LEFT
    assert backend.log.last_position == 8


def test_a_message_whose_batch_fails_again_comes_again(backend, records):
    @project_streams(backend, "failing", keep_unknown=True)
    def handler(recorded):
        if recorded.stream_id == BOB:
            raise RuntimeError("down")

    told = by_queue(failure(backend, records[:1]), failure(backend, records[1:2]))

    assert numbers(handler(told)) == ["m1"]
    with pytest.raises(RecordNotDoneError):
        handler(failure(backend, records[1:2]))


def test_a_failure_record_is_a_reason_to_look_at_the_log(backend, records):
    sequence_events(backend)(records)
    seen, sent = [], []
    for told in (failure(backend, records), by_queue(failure(backend, records))):
        project_log(backend, "log", keep_unknown=True)(seen.append)(told)
        publish_outbox(backend, sent.append, keep_unknown=True)(told)
    assert len(seen) == len(sent) == 8


def test_records_that_are_gone_are_told_of(backend, records, monkeypatch):
    def gone(**_):
        raise ServiceError("GetShardIterator", "TrimmedDataAccessException", "Trimmed.")

    monkeypatch.setattr("dynamo_es.aws_lambda.failures.shard_iterator_at", gone_of(gone))
    with pytest.raises(RecordNotDoneError, match="log repair"):
        sequence_events(backend)(failure(backend, records))


def gone_of(gone):
    def build(*_):
        gone()

    return build


def test_a_failure_record_that_ends_where_no_record_is_does_not_run_for_ever(backend, records):
    told = failure(backend, records, endSequenceNumber="9" * 30)
    with pytest.raises(RecordNotDoneError, match="no record"):
        sequence_events(backend)(told)


WRONG = {
    "a schedule": {"source": "aws.events"},
    "None": None,
    "text": "x",
    "a number": 5,
    "no records": {},
    "a list of text": ["x"],
    "a queue's messages": by_queue({"order": 1}),
    "a queue's text": {"Records": [{"messageId": "m", "body": "hello"}]},
    "a topic's message": by_topic({"order": 1}),
    "text for records": {"Records": "x"},
    "a record of text": {"Records": ["x"]},
    "a failure record that names nothing": {"DDBStreamBatchInfo": {}},
    "one of another stream": {"KinesisBatchInfo": {"shardId": "s"}},
    "one with a payload of text": {"DDBStreamBatchInfo": {}, "payload": "x"},
    "one of an asynchronous call without records": {"requestPayload": {"a": 1}},
}


@pytest.mark.parametrize("event", WRONG.values(), ids=WRONG)
def test_what_is_neither_is_refused_and_never_taken_for_done(backend, event):
    for handler in (sequence_events(backend), collecting(backend)[0]):
        with pytest.raises(ConfigurationError):
            handler(event)
