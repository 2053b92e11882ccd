"""Moves a cursor and carries out the writes of a read model, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dynamo_es.dynamodb.consumers.failures import FORGET
from dynamo_es.dynamodb.consumers.leases import look, name_missing_table
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.exceptions import TableNotFoundError

if TYPE_CHECKING:
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.wire.steps import Item, Steps


class Move(NamedTuple):
    """A move of a cursor under its lease.

    Attributes:
        place: table and key of the cursor.
        generation: generation of the stream; 0: unknown.
        previous: version of the cursor before.
        version: version of the cursor after.
        worker: holder of the lease.
    """

    place: Item
    generation: int
    previous: int
    version: int
    worker: str

    def is_at(self, item: Item, version: int) -> bool:
        """Return whether a stored cursor is at a version and the worker holds its lease."""
        mine: bool = item.get("leased_by") == {"S": self.worker}
        return mine and item.get("version") == number(version)

    def request(self, until_ms: int) -> Item:
        """Return the update of the cursor, for a transaction."""
        values = {
            ":worker": {"S": self.worker},
            ":previous": number(self.previous),
            ":version": number(self.version),
            ":until": number(until_ms),
        }
        condition = "leased_by = :worker AND version = :previous"
        if self.generation:
            condition += " AND generation = :generation"
            values[":generation"] = number(self.generation)
        return {
            **self.place,
            "UpdateExpression": (f"SET version = :version, leased_until = :until REMOVE {FORGET}"),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def move_with(move: Move, until_ms: int, writes: list[EnlistedWrite]) -> Steps[bool | None]:
    """Move a cursor and carry out writes in one transaction.

    After a request without a reply, the stored cursor decides: it is at the new version, or the
    request is sent again. The condition makes sure that only one of both changes anything.

    Returns:
        True: this call moved the cursor; False: another worker holds the lease; None: the condition
        of a write was not met.
    """
    cursor = {"Update": move.request(until_ms)}
    transaction = Request("transact_write_items", {"TransactItems": [cursor, *writes]})
    try:
        return (yield from _send(move, transaction, writes))
    except OutcomeUnknown:
        found = yield Request("get_item", {**move.place, "ConsistentRead": True})
    item = found.get("Item", {})
    if move.is_at(item, move.previous):
        return (yield from _send(move, transaction, writes))
    return move.is_at(item, move.version)


def _send(move: Move, transaction: Request, writes: list[EnlistedWrite]) -> Steps[bool | None]:
    try:
        yield transaction
    except ConditionRefused as refused:
        if 0 not in refused.refused:
            return None
        # An earlier attempt may have been carried out.
        return move.is_at(refused.items[0] or {}, move.version)
    except TableNotFoundError as missing:
        yield from look(move.place)  # raises if the missing table is the log table
        raise name_missing_table(missing, writes) from missing
    return True
