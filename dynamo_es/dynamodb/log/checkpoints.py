"""Checkpoints on DynamoDB: an item for each consumer, and a list of all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts import Checkpoint, CheckpointStrategy
from dynamo_es.contracts.checks import check_consumer, check_position
from dynamo_es.dynamodb.errors import ConditionRefused
from dynamo_es.dynamodb.log.batches import fetch_all
from dynamo_es.dynamodb.requests import Request, number
from dynamo_es.exceptions import UnknownConsumerError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.dynamodb.gateway import Gateway
    from dynamo_es.dynamodb.items import Item
    from dynamo_es.dynamodb.requests import Steps, T
    from dynamo_es.values import Position

CONSUMERS_KEY: Final = "consumers"
"""Partition key of the list of consumers."""

_PLACE: Final = "checkpoint"


class DynamoCheckpoints(CheckpointStrategy):
    """Checkpoints in the table of the log. Safe to share between threads.

    Each consumer's is under a key of its own, so that a policy can let it move its own only.

    Args:
        table: the log's.
        gateway: what sends the requests.
        clock: seconds since the epoch.
    """

    def __init__(self, table: str, gateway: Gateway, clock: Callable[[], float]) -> None:
        self._table = table
        self._gateway = gateway
        self._clock = clock
        self._listed: set[str] = set()

    def position(self, consumer: str) -> Position | None:
        """Return how far a consumer is; see `CheckpointStrategy.position`. Cost: 1 request."""
        check_consumer(consumer)
        return self._run("checkpoint", _read(self._table, consumer))

    def move(self, consumer: str, position: Position) -> Position:
        """Move a consumer forward; see `CheckpointStrategy.move`.

        Cost: 1 request; 1 more the first time in a process, for the list.
        """
        check_consumer(consumer)
        check_position(position)
        return self._run("move_checkpoint", self._move(consumer, position))

    def reset(self, consumer: str, position: Position) -> None:
        """Set a consumer back; see `CheckpointStrategy.reset`. Cost: 1 request."""
        check_consumer(consumer)
        check_position(position)
        try:
            self._run("reset_checkpoint", self._put(consumer, position, "attribute_exists(place)"))
        except ConditionRefused:
            known = [checkpoint.consumer for checkpoint in self.all()]
            raise UnknownConsumerError(consumer, known) from None

    def all(self) -> list[Checkpoint]:
        """Return all checkpoints; see `CheckpointStrategy.all`.

        Cost: 1 request, and 1 for every hundred consumers.
        """
        return self._run("checkpoints", _all(self._table))

    def _move(self, consumer: str, position: Position) -> Steps[Position]:
        if consumer not in self._listed:
            # First: one that is listed and has no checkpoint yet is left out of the list.
            item = {"log_key": {"S": CONSUMERS_KEY}, "place": {"S": consumer}}
            yield Request("put_item", {"TableName": self._table, "Item": item})
            self._listed.add(consumer)
        try:
            yield from self._put(
                consumer, position, "attribute_not_exists(place) OR checkpoint < :checkpoint"
            )
        except ConditionRefused as refused:
            there = refused.items[0]
            if there is None:
                return position
            return int(there["checkpoint"]["N"])
        return position

    def _put(self, consumer: str, position: Position, condition: str) -> Steps[None]:
        moved_at = datetime.fromtimestamp(self._clock(), UTC)
        values: dict[str, Any] = {
            ":checkpoint": number(position),
            ":moved_at": {"S": moved_at.isoformat()},
        }
        yield Request(
            "update_item",
            {
                "TableName": self._table,
                "Key": _key(consumer),
                "UpdateExpression": "SET checkpoint = :checkpoint, moved_at = :moved_at",
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            },
        )

    def _run(self, operation: str, steps: Steps[T]) -> T:
        return self._gateway.run(operation, DEFAULT_TENANT, None, steps)


def _key(consumer: str) -> Item:
    return {"log_key": {"S": f"checkpoint#{consumer}"}, "place": {"S": _PLACE}}


def _read(table: str, consumer: str) -> Steps[Position | None]:
    response = yield Request(
        "get_item", {"TableName": table, "Key": _key(consumer), "ConsistentRead": True}
    )
    return int(response["Item"]["checkpoint"]["N"]) if "Item" in response else None


def _all(table: str) -> Steps[list[Checkpoint]]:
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "log_key = :consumers",
        "ExpressionAttributeValues": {":consumers": {"S": CONSUMERS_KEY}},
        "ConsistentRead": True,
    }
    names: list[str] = []
    while True:
        response = yield Request("query", params)
        names += [item["place"]["S"] for item in response["Items"]]
        if "LastEvaluatedKey" not in response:
            break
        params = {**params, "ExclusiveStartKey": response["LastEvaluatedKey"]}
    items = yield from fetch_all(table, [_key(name) for name in names], lambda k: _get(table, k))
    return sorted((_checkpoint(item) for item in items), key=lambda found: found.consumer)


def _get(table: str, keys: Sequence[Item]) -> Request:
    return Request(
        "batch_get_item", {"RequestItems": {table: {"Keys": list(keys), "ConsistentRead": True}}}
    )


def _checkpoint(item: Item) -> Checkpoint:
    return Checkpoint(
        item["log_key"]["S"].partition("#")[2],
        int(item["checkpoint"]["N"]),
        datetime.fromisoformat(item["moved_at"]["S"]),
    )
