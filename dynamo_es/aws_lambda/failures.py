"""What Lambda and EventBridge Pipes say of a batch that they gave up, and its records again.

A failure record names the shard and the sequence numbers of a batch. It comes from the queue or
topic of an event source mapping (``OnFailure``), by hand, or with the batch itself where the
destination is a bucket. Give it to the handler that failed: it reads the records from the table's
stream, which keeps them for 24 hours, and handles them as it does those of the mapping.
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
"""In a row: a stream answers with nothing now and then, but not for ever."""

_GONE: Final = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})


class RecordNotDoneError(EventStoreError):
    """A record was not applied, and waits for the next call; the log says why."""


class FailedBatch(NamedTuple):
    """A batch that was given up.

    Attributes:
        message_id: of the queue's message that tells of it; None where it came otherwise.
        shard: its stream, its shard, and the sequence numbers of its first and last record; None
            where the records themselves came along.
        records: its records, where they came along.
    """

    message_id: str | None
    shard: tuple[str, str, str, str] | None
    records: Sequence[Mapping[str, Any]] = ()


def failed_batches(event: object) -> list[FailedBatch]:
    """Return the batches that an event tells of; none if it is a batch itself, or a schedule's.

    Raises:
        ConfigurationError: it is of a queue or a topic, and a message is no failure record.
    """
    if not _is_object(event):
        return []
    if _tells_of_failure(event):
        return [_failed(event, None)]
    records = event.get("Records")
    found = []
    for record in records if isinstance(records, list) else ():
        if not _is_object(record) or not ("body" in record or "Sns" in record):
            return []
        message = _message(record)
        if not _tells_of_failure(message):
            raise ConfigurationError(
                "This handler takes batches of a DynamoDB table's stream, and failure records of "
                f"them; a message of {source_of(record)} is neither."
            )
        found.append(_failed(message, record.get("messageId")))
    return found


def handle_again(
    backend: Backend,
    batches: Sequence[FailedBatch],
    handle: Callable[[dict[str, Any]], Mapping[str, Any]],
) -> dict[str, Any]:
    """Handle batches that were given up, and say which messages have to come again.

    Args:
        backend: whose streams.
        batches: from `failed_batches`.
        handle: the handler, for a batch.

    Raises:
        RecordNotDoneError: a batch that no queue tells of is not done, or its records are gone.
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
                raise RecordNotDoneError("A batch that was given up is not done yet: try again.")
            left.append(batch.message_id)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in left]}


def _tells_of_failure(event: object) -> TypeGuard[Mapping[str, Any]]:
    return _is_object(event) and (_INFO in event or "requestPayload" in event)


def _failed(told: Mapping[str, Any], message_id: str | None) -> FailedBatch:
    if "requestPayload" in told:  # of an asynchronous call: the event as it was
        return FailedBatch(message_id, None, _records(told["requestPayload"]))
    if "payload" in told:  # of a bucket: the batch as text
        return FailedBatch(message_id, None, _records(_parsed(told["payload"])))
    info = told[_INFO]
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
            f"A failure record's {_INFO} names no stream, shard and sequence numbers."
        ) from None
    return FailedBatch(message_id, shard)


def _message(record: Mapping[str, Any]) -> object:
    if "body" in record:
        told = _parsed(record["body"])
        # A topic that feeds the queue wraps what it was given.
        if _is_object(told) and told.get("Type") == "Notification":
            return _parsed(told.get("Message"))
        return told
    return _parsed(record["Sns"].get("Message"))


def _parsed(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return None


def _records(payload: object) -> Sequence[Mapping[str, Any]]:
    found = payload.get("Records") if _is_object(payload) else payload
    if not isinstance(found, list):
        raise ConfigurationError("A failure record's payload is no batch of a table's stream.")
    return found


def _read(backend: DynamoBackend, shard: tuple[str, str, str, str]) -> Sequence[Mapping[str, Any]]:
    """Return the records of a batch from its stream."""
    config = replace(backend.config, report_capacity=False)
    # A gateway uses of a client what all clients have.
    gateway = Gateway(lambda: backend.streams_client, config)  # type: ignore[arg-type,return-value]
    try:
        return gateway.run("read_failed", DEFAULT_TENANT, None, _read_shard(*shard))
    except ServiceError as error:
        if error.code not in _GONE:
            raise
        raise RecordNotDoneError(
            f"The records {shard[2]} to {shard[3]} of shard {shard[1]} are gone: a stream keeps "
            "them for 24 hours. The events are in the table: `dynamo-es log repair` brings them "
            "into the log, and the next event of its stream brings them to a read model."
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
        f"Shard {shard_id} has no record {end}, at which the batch that was given up ends: "
        "give the failure record as it was delivered."
    )


def _is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, dict)
