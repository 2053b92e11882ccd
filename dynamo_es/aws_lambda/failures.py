"""Handles batches again that Lambda or EventBridge Pipes gave up on, given their failure records.

A failure record names the shard and the sequence numbers of a batch. It arrives from the queue or
topic of an event source mapping (``OnFailure``), or you invoke the function with it. A failure
record in a bucket holds the batch itself. Send it to the handler that failed. The handler reads the
records from the table's stream, which keeps them for 24 hours, and handles them like any other
batch.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard, cast

from dynamo_es.aws_lambda.records import source_of
from dynamo_es.dynamodb.table_stream.requests import get_records, shard_iterator_at
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import ConfigurationError, EventStoreError, ServiceError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynamo_es.dynamodb.backend import DynamoBackend
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.facade.backend import Backend

_INFO: Final = "DDBStreamBatchInfo"
_MOST_EMPTY_READS: Final = 100
"""Give up after this many empty replies in a row. A stream now and then returns a few."""

_GONE: Final = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})


class RecordNotDoneError(EventStoreError):
    """A record was not handled and waits for the next call; the log says why."""


class FailedBatch(NamedTuple):
    """A batch that Lambda or a pipe gave up on.

    Attributes:
        message_id: id of the queue message that reports the batch; None: no queue delivered it.
        shard: stream ARN, shard id, and the sequence numbers of the first and last record, both
            inclusive; None: the failure record holds the records themselves.
        records: the records, if the failure record holds them.
    """

    message_id: str | None
    shard: tuple[str, str, str, str] | None
    records: Sequence[Mapping[str, Any]] = ()


def failed_batches(event: object) -> list[FailedBatch]:
    """Return the failed batches that an event reports; an empty list for any other event.

    Raises:
        ConfigurationError: a message of a queue or a topic that is not a failure record.
    """
    if not _is_object(event):
        return []
    if _is_failure(event):
        return [_failed(event, None)]
    records = event.get("Records")
    found = []
    for record in records if isinstance(records, list) else ():
        if not _is_object(record) or not ("body" in record or "Sns" in record):
            return []
        message = _message(record)
        if not _is_failure(message):
            raise ConfigurationError(
                "This handler takes batches of a DynamoDB table's stream and their failure "
                f"records. A message from {source_of(record)} is neither."
            )
        found.append(_failed(message, record.get("messageId")))
    return found


def handle_again(
    backend: Backend,
    batches: Sequence[FailedBatch],
    handle: Callable[[dict[str, Any]], Mapping[str, Any]],
) -> dict[str, Any]:
    """Handle failed batches; return the messages that the queue must deliver again.

    Args:
        backend: reads the table's stream.
        batches: from `failed_batches`.
        handle: the handler of a batch.

    Raises:
        RecordNotDoneError: a batch that did not come from a queue is not handled, or its records
            are gone.
        ServiceError: AWS refused or did not answer.
    """
    left: list[str] = []
    for batch in batches:
        records = (
            batch.records
            if batch.shard is None
            else _read(cast("DynamoBackend", backend), batch.shard)
        )
        if handle({"Records": records})["batchItemFailures"]:
            if batch.message_id is None:
                raise RecordNotDoneError(
                    "Some records of the failed batch are not handled: invoke the function with "
                    "the failure record again."
                )
            left.append(batch.message_id)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in left]}


def _is_failure(event: object) -> TypeGuard[Mapping[str, Any]]:
    return _is_object(event) and (_INFO in event or "requestPayload" in event)


def _failed(report: Mapping[str, Any], message_id: str | None) -> FailedBatch:
    if "requestPayload" in report:  # an asynchronous call: the payload is the event itself
        return FailedBatch(message_id, None, _records(report["requestPayload"]))
    if "payload" in report:  # a bucket: the payload is the batch as text
        return FailedBatch(message_id, None, _records(_parsed(report["payload"])))
    info = report[_INFO]
    try:
        shard = (
            str(info["streamArn"]),
            str(info["shardId"]),
            str(info["startSequenceNumber"]),
            str(info["endSequenceNumber"]),
        )
        int(shard[2]), int(shard[3])
    except (KeyError, TypeError, ValueError):
        raise ConfigurationError(
            f"A failure record's {_INFO} must name a stream, a shard and two sequence numbers."
        ) from None
    return FailedBatch(message_id, shard)


def _message(record: Mapping[str, Any]) -> object:
    if "body" in record:
        body = _parsed(record["body"])
        # A topic that feeds the queue wraps its message.
        if _is_object(body) and body.get("Type") == "Notification":
            return _parsed(body.get("Message"))
        return body
    topic = record["Sns"]
    return _parsed(topic.get("Message")) if _is_object(topic) else None


def _parsed(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return None


def _records(payload: object) -> Sequence[Mapping[str, Any]]:
    found = payload.get("Records") if _is_object(payload) else payload
    if not isinstance(found, list):
        raise ConfigurationError("A failure record's payload is not a batch of a table's stream.")
    return found


def _read(backend: DynamoBackend, shard: tuple[str, str, str, str]) -> Sequence[Mapping[str, Any]]:
    """Return the records of a batch from its stream."""
    config = replace(backend.config, report_capacity=False)
    # The gateway uses only methods that all clients have.
    gateway = Gateway(lambda: backend.streams_client, config)  # type: ignore[arg-type,return-value]
    try:
        return gateway.run("read_failed", DEFAULT_TENANT, None, _read_shard(*shard))
    except ServiceError as error:
        if error.code not in _GONE:
            raise
        raise RecordNotDoneError(
            f"The records {shard[2]} to {shard[3]} of shard {shard[1]} are gone: the stream keeps "
            "records for 24 hours. The events are in the table. Run `dynamo-es log repair` to add "
            "them to the log; a read model gets them with the next event of their stream."
        ) from error


def _read_shard(stream_arn: str, shard_id: str, start: str, end: str) -> Steps[list[Any]]:
    found: list[Any] = []
    empty = 0
    iterator = (yield shard_iterator_at(stream_arn, shard_id, start)).get("ShardIterator")
    while iterator is not None and empty < _MOST_EMPTY_READS:
        response = yield get_records(iterator)
        for record in response["Records"]:
            number = int(record["dynamodb"]["SequenceNumber"])
            if number <= int(end):
                found.append(record)
            if number >= int(end):
                return found
        empty = 0 if response["Records"] else empty + 1
        iterator = response.get("NextShardIterator")
    raise RecordNotDoneError(
        f"Shard {shard_id} has no record {end}, the last of the failed batch: pass the failure "
        "record unchanged."
    )


def _is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, dict)
