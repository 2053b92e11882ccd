"""Imitates a Lambda event source mapping: batches of a shard, repeated from the lowest failure."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es import DynamoBackend


class Context:
    """Lambda's context: so many milliseconds are left, and fewer with each look."""

    def __init__(self, left: int, step: int = 0) -> None:
        self._left = left
        self._step = step

    def get_remaining_time_in_millis(self) -> int:
        left, self._left = self._left, self._left - self._step
        return left


class Service:
    """Stands in for a boto3 client: remembers each call."""

    def __init__(self, answer: Any = None) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._answer = answer or {}

    def __getattr__(self, name: str) -> Any:
        def call(**params: Any) -> Any:
            self.sent.append((name, params))
            return self._answer

        return call


class Died(BaseException):
    """The process was killed, or its time was over."""


def records_of(backend: DynamoBackend, table: str) -> list[dict[str, Any]]:
    """Return what a table's stream has, as Lambda is given it: JSON, with bytes in base64."""
    streams = backend._streams_client()
    listed = streams.list_streams(TableName=table)["Streams"]
    found: list[dict[str, Any]] = []
    for stream in listed:
        arn = stream["StreamArn"]
        described = streams.describe_stream(StreamArn=arn)["StreamDescription"]
        for shard in described["Shards"]:
            iterator: str | None = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                reply = streams.get_records(ShardIterator=iterator)
                found += [as_lambda_has_it(record, arn) for record in reply["Records"]]
                iterator = reply.get("NextShardIterator") if reply["Records"] else None
    return found


def as_lambda_has_it(record: Any, arn: str) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return b64encode(value).decode()
        raise TypeError(value)

    dynamodb = {
        key: value
        for key, value in record["dynamodb"].items()
        if key != "ApproximateCreationDateTime"
    }
    whole = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {**dynamodb, "ApproximateCreationDateTime": 1700000000.0},
        "eventSourceARN": arn,
    }
    copy: dict[str, Any] = json.loads(json.dumps(whole, default=plain))
    return copy


def failure(
    backend: DynamoBackend, records: list[dict[str, Any]], **changes: str
) -> dict[str, Any]:
    """Return what Lambda sends to the queue of a mapping that gave a batch up."""
    (stream,) = backend.streams_client.list_streams(TableName="events")["Streams"]
    arn = stream["StreamArn"]
    described = backend.streams_client.describe_stream(StreamArn=arn)["StreamDescription"]
    first, last = (records[at]["dynamodb"]["SequenceNumber"] for at in (0, -1))
    return {
        "requestContext": {
            "requestId": "1",
            "functionArn": "arn:aws:lambda:eu-west-1:1:function:f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 101,
        },
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-01-31T12:00:00.000Z",
        "DDBStreamBatchInfo": {
            "shardId": described["Shards"][0]["ShardId"],
            "startSequenceNumber": first,
            "endSequenceNumber": last,
            "batchSize": len(records),
            "streamArn": arn,
            **changes,
        },
    }


def numbers(answer: dict[str, Any]) -> list[str]:
    """Return the sequence numbers that a partial batch response names."""
    assert answer.keys() <= {"batchItemFailures", "state"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def deliver(
    handler: Callable[..., dict[str, Any]],
    records: list[dict[str, Any]],
    sizes: Iterable[int],
    *,
    most_calls: int = 500,
) -> int:
    """Run a shard through a handler until all of it is done; return the number of calls.

    After a partial response, Lambda calls again from the lowest record named on; after an error
    or a time-out with the whole batch.
    """
    calls = 0
    start = 0
    size = iter(sizes)
    while start < len(records):
        batch = records[start : start + next(size, 10)]
        while batch:
            calls += 1
            assert calls <= most_calls, "it never comes to an end"
            try:
                failed = numbers(handler({"Records": batch}))
            except (Exception, Died):  # noqa: BLE001, S112 - Lambda does not care what it was
                continue
            known = [record["dynamodb"]["SequenceNumber"] for record in batch]
            assert set(failed) <= set(known)
            done = known.index(min(failed, key=int)) if failed else len(batch)
            start += done
            batch = batch[done:]
    return calls
