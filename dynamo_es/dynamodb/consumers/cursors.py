"""Cursors on DynamoDB: an item for each read model and stream, moved by whoever claims it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.checks import check_consumer
from dynamo_es.contracts.cursors import CursorStrategy
from dynamo_es.contracts.leases import Held, LeaseWatch
from dynamo_es.dynamodb.streams.keys import MAX_KEY_BYTES, stream_key, tenant_prefix
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.exceptions import CursorBusyError

if TYPE_CHECKING:
    from dynamo_es.contracts.cursors import Followed
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Response, Steps, T

_PLACE: Final = "cursor"
_MOST_CLAIMS: Final = 4
"""Requests of one claim; each but the first answers what the one before found."""


class DynamoCursors(CursorStrategy):
    """Cursors in the table of the log. Safe to share between threads.

    Args:
        table: the log's.
        gateway: what sends the requests.
    """

    def __init__(self, table: str, gateway: Gateway) -> None:
        self._table = table
        self._gateway = gateway
        self._watch = LeaseWatch()

    def claim(
        self, followed: Followed, version: int, claimant: str, now: int, until: int
    ) -> int | None:
        """Claim a cursor; see `CursorStrategy.claim`.

        Cost: 1 request; 2 in a new generation, or where a claim is taken over.
        """
        check_consumer(followed.name)
        return self._run("claim", followed, self._claim(followed, version, claimant, now, until))

    def renew(self, followed: Followed, version: int, claimant: str, until: int) -> bool:
        """Move a claimed cursor; see `CursorStrategy.renew`. Cost: 1 request."""
        request = _move(self._table, followed, version, claimant, until)
        return self._run("renew_claim", followed, _accepted(request))

    def release(self, followed: Followed, version: int, claimant: str) -> bool:
        """Move a cursor, and give it back; see `CursorStrategy.release`. Cost: 1 request."""
        request = _move(self._table, followed, version, claimant, None)
        return self._run("release_claim", followed, _accepted(request))

    def version(self, followed: Followed) -> int:
        """Return where a cursor is; see `CursorStrategy.version`. Cost: 1 request."""
        check_consumer(followed.name)
        request = Request(
            "get_item",
            {"TableName": self._table, "Key": cursor_key(followed), "ConsistentRead": True},
        )
        item = self._run("cursor", followed, _reply(request)).get("Item", {})
        stored = int(item["generation"]["N"]) if item else 0
        if not item or (stored and followed.generation and stored != followed.generation):
            return 0
        return int(item["upto"]["N"])

    def _run(self, operation: str, followed: Followed, steps: Steps[T]) -> T:
        return self._gateway.run(operation, followed.tenant_id, followed.stream_id, steps)

    def _claim(
        self, followed: Followed, version: int, claimant: str, now: int, until: int
    ) -> Steps[int | None]:
        claim = Held(claimant, until, until - now)
        request = _claim_here(self._table, followed, version, claim, None)
        for _ in range(_MOST_CLAIMS):
            try:
                response = yield request
            except ConditionRefused as refused:
                item = refused.items[0]
            else:
                attributes = response.get("Attributes")
                return 0 if attributes is None else int(attributes["upto"]["N"])
            if item is None:
                request = _begin(self._table, followed, claim, None)
                continue
            held = _held(item)
            if held is not None and held.holder == claimant:  # its own: the reply was lost
                return int(item["upto"]["N"])
            if _is_done(item, followed, version):
                if followed.generation and item["generation"] == number(0):
                    yield from _accepted(_tell_generation(self._table, followed))
                return None
            if held is not None and not self._watch.is_over(_watched(followed), held, now):
                break
            if _begins(item, followed):
                request = _begin(self._table, followed, claim, held)
            else:
                request = _claim_here(self._table, followed, version, claim, held)
        raise CursorBusyError(followed.name, followed.stream_id)


def cursor_key(followed: Followed) -> Item:
    """Return the key of a cursor in the table of the log.

    Where the consumer's name and the stream's key are too long together, a hash stands for the
    latter: no stream's key is one.
    """
    stream = stream_key(tenant_prefix(followed.tenant_id), followed.stream_id)
    key = f"cursor#{followed.name}#{stream}"
    if len(key.encode()) > MAX_KEY_BYTES:
        key = f"cursor#{followed.name}#sha256:{sha256(stream.encode()).hexdigest()}"
    return {"log_key": {"S": key}, "place": {"S": _PLACE}}


def _begins(item: Item, followed: Followed) -> bool:
    """Whether a stream has a later generation than its cursor is in."""
    return 0 < int(item["generation"]["N"]) < followed.generation


def _is_done(item: Item, followed: Followed, version: int) -> bool:
    """Whether a cursor is at a version already, or in a later generation."""
    if 0 < followed.generation < int(item["generation"]["N"]):
        return True
    return not _begins(item, followed) and int(item["upto"]["N"]) >= version


def _watched(followed: Followed) -> tuple[str, str]:
    key = cursor_key(followed)
    return key["log_key"]["S"], key["place"]["S"]


def _held(item: Item) -> Held | None:
    """Return the claim on a cursor, if there is one."""
    if "claimant" not in item:
        return None
    return Held(
        item["claimant"]["S"], int(item["claimed_until"]["N"]), int(item["claimed_for"]["N"])
    )


def _free(held: Held | None, values: dict[str, Any]) -> str:
    """Return the condition that nobody has a cursor, or that a claim on it had no beat since."""
    if held is None:
        return "attribute_not_exists(claimant)"
    values |= {":holder": {"S": held.holder}, ":beat": number(held.until)}
    return "claimant = :holder AND claimed_until = :beat"


def _claim_here(
    table: str, followed: Followed, version: int, claim: Held, held: Held | None
) -> Request:
    """Claim a cursor that is before a version, in its generation or in one that is not known."""
    values: dict[str, Any] = {
        ":claimant": {"S": claim.holder},
        ":until": number(claim.until),
        ":length": number(claim.length),
        ":version": number(version),
    }
    update = "SET claimant = :claimant, claimed_until = :until, claimed_for = :length"
    condition = f"upto < :version AND {_free(held, values)}"
    if followed.generation:
        values |= {":generation": number(followed.generation), ":unknown": number(0)}
        update += ", generation = :generation"
        condition += " AND generation IN (:generation, :unknown)"
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": cursor_key(followed),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def _tell_generation(table: str, followed: Followed) -> Request:
    """Say which generation a cursor is in, if that is not known."""
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": cursor_key(followed),
            "UpdateExpression": "SET generation = :generation",
            "ConditionExpression": "generation = :unknown",
            "ExpressionAttributeValues": {
                ":generation": number(followed.generation),
                ":unknown": number(0),
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def _begin(table: str, followed: Followed, claim: Held, held: Held | None) -> Request:
    """Claim a cursor that is not there, or in an earlier generation, at version 0."""
    values: dict[str, Any] = {":generation": number(followed.generation), ":unknown": number(0)}
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": {
                **cursor_key(followed),
                "generation": number(followed.generation),
                "upto": number(0),
                "claimant": {"S": claim.holder},
                "claimed_until": number(claim.until),
                "claimed_for": number(claim.length),
            },
            "ConditionExpression": (
                "attribute_not_exists(place) OR (generation > :unknown AND "
                f"generation < :generation AND {_free(held, values)})"
            ),
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def _move(
    table: str, followed: Followed, version: int, claimant: str, until: int | None
) -> Request:
    """Move a claimed cursor; keep the claim until a time, or give it back."""
    values: dict[str, Any] = {":claimant": {"S": claimant}, ":version": number(version)}
    update = "SET upto = :version REMOVE claimant, claimed_until, claimed_for"
    if until is not None:
        update = "SET upto = :version, claimed_until = :until"
        values[":until"] = number(until)
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": cursor_key(followed),
            "UpdateExpression": update,
            "ConditionExpression": "claimant = :claimant",
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def _accepted(request: Request) -> Steps[bool]:
    try:
        yield request
    except ConditionRefused as refused:
        # Given back already, by an attempt whose reply was lost, or taken by another.
        item = refused.items[0]
        values = request.params["ExpressionAttributeValues"]
        return (
            refused.maybe_landed
            and item is not None
            and "claimant" not in item
            and item.get("upto") == values.get(":version")
        )
    return True


def _reply(request: Request) -> Steps[Response]:
    return (yield request)
