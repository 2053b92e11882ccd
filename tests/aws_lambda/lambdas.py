"""Tools of the tests of Lambda functions: records, failure records, and deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es.testing import EventSourceMapping, Killed, LambdaContext
from dynamo_es.testing.batches import EXHAUSTED, Batch, failure_record
from dynamo_es.testing.stream_records import ShardRecord, stream_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es import DynamoBackend

Context = LambdaContext
Died = Killed


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


class Spent:
    """The context of a call whose time a test takes away."""

    aws_request_id = "request-1"

    def __init__(self, left_ms: float) -> None:
        self.left_ms = left_ms

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left_ms)

    def taking(self, ms: float, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose calls take so many milliseconds."""

        def call(*args: Any) -> Any:
            self.left_ms -= ms
            return function(*args)

        return call


def records_of(backend: DynamoBackend, table: str) -> list[dict[str, Any]]:
    """Return what a table's stream has, as Lambda is given it."""
    return [one.record for one in stream_records(backend, table)]


def failure(
    backend: DynamoBackend, records: list[dict[str, Any]], **changes: str
) -> dict[str, Any]:
    """Return what Lambda sends to the queue of a mapping that gave a batch up."""
    shard_id = stream_records(backend)[0].shard_id
    batch = Batch(tuple(ShardRecord(record, shard_id) for record in records), 0.0, calls=101)
    told = failure_record(batch, EXHAUSTED)
    told["DDBStreamBatchInfo"] |= changes
    return told


def numbers(answer: dict[str, Any]) -> list[str]:
    """Return the sequence numbers that a partial batch response names."""
    assert answer.keys() <= {"batchItemFailures", "state"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def deliver(
    handler: Callable[..., dict[str, Any]],
    records: list[dict[str, Any]],
    sizes: Iterable[int],
) -> None:
    """Run a shard through a handler, in batches of these sizes and then of 10, until it is done."""
    size, start = iter(sizes), 0
    events = []
    while start < len(records):
        end = start + next(size, 10)
        events.append({"Records": records[start:end]})
        start = end
    EventSourceMapping(lambda event, context: handler(event), maximum_retry_attempts=500).deliver(
        events
    )
