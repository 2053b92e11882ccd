"""Cursors on DynamoDB: an item for each read model and stream, moved by whoever claims it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.checks import check_consumer
from dynamo_es.contracts.cursors import CursorStrategy
from dynamo_es.dynamodb.errors import ConditionRefused
from dynamo_es.dynamodb.keys import MAX_KEY_BYTES, stream_key, tenant_prefix
from dynamo_es.dynamodb.requests import Request, number
from dynamo_es.exceptions import CursorBusyError

if TYPE_CHECKING:
    from dynamo_es.contracts.cursors import Followed
    from dynamo_es.dynamodb.gateway import Gateway
    from dynamo_es.dynamodb.items import Item
    from dynamo_es.dynamodb.requests import Response, Steps, T

_PLACE: Final = "cursor"
_FREE: Final = "(attribute_not_exists(claimed_until) OR claimed_until < :now)"


class DynamoCursors(CursorStrategy):
    """Cursors in the table of the log. Safe to share between threads.

    Args:
        table: the log's.
        gateway: what sends the requests.
    """

    def __init__(self, table: str, gateway: Gateway) -> None:
        self._table = table
        self._gateway = gateway

    def claim(
        self, followed: Followed, version: int, claimant: str, now: int, until: int
    ) -> int | None:
        """Claim a cursor; see `CursorStrategy.claim`. Cost: 1 request; 2 in a new life."""
        check_consumer(followed.consumer)
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
        check_consumer(followed.consumer)
        request = Request(
            "get_item",
            {"TableName": self._table, "Key": cursor_key(followed), "ConsistentRead": True},
        )
        item = self._run("cursor", followed, _reply(request)).get("Item", {})
        if item.get("generation") != number(followed.generation):
            return 0
        return int(item["upto"]["N"])

    def _run(self, operation: str, followed: Followed, steps: Steps[T]) -> T:
        return self._gateway.run(operation, followed.tenant_id, followed.stream_id, steps)

    def _claim(
        self, followed: Followed, version: int, claimant: str, now: int, until: int
    ) -> Steps[int | None]:
        claim = {":claimant": {"S": claimant}, ":until": number(until), ":now": number(now)}
        for request in (
            _claim_here(self._table, followed, version, claim),
            _begin(self._table, followed, claim),
        ):
            try:
                response = yield request
            except ConditionRefused as refused:
                item = refused.items[0]
            else:
                attributes = response.get("Attributes")
                return 0 if attributes is None else int(attributes["upto"]["N"])
            if item is None:
                continue
            if item.get("claimant") == {"S": claimant}:  # its own: the reply was lost
                return int(item["upto"]["N"])
            generation = int(item["generation"]["N"])
            if generation > followed.generation or (
                generation == followed.generation and int(item["upto"]["N"]) >= version
            ):
                return None
            if int(item.get("claimed_until", number(-1))["N"]) >= now:
                break
        raise CursorBusyError(followed.consumer, followed.stream_id)


def cursor_key(followed: Followed) -> Item:
    """Return the key of a cursor in the table of the log.

    Where the consumer's name and the stream's key are too long together, a hash stands for the
    latter: no stream's key is one.
    """
    stream = stream_key(tenant_prefix(followed.tenant_id), followed.stream_id)
    key = f"cursor#{followed.consumer}#{stream}"
    if len(key.encode()) > MAX_KEY_BYTES:
        key = f"cursor#{followed.consumer}#sha256:{sha256(stream.encode()).hexdigest()}"
    return {"log_key": {"S": key}, "place": {"S": _PLACE}}


def _claim_here(table: str, followed: Followed, version: int, claim: dict[str, Any]) -> Request:
    """Claim a cursor that is behind a version, in its generation."""
    return Request(
        "update_item",
        {
            "TableName": table,
            "Key": cursor_key(followed),
            "UpdateExpression": "SET claimant = :claimant, claimed_until = :until",
            "ConditionExpression": f"generation = :generation AND upto < :version AND {_FREE}",
            "ExpressionAttributeValues": {
                **claim,
                ":generation": number(followed.generation),
                ":version": number(version),
            },
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )


def _begin(table: str, followed: Followed, claim: dict[str, Any]) -> Request:
    """Claim a cursor that is not there, or in an earlier generation, at version 0."""
    values = {":generation": number(followed.generation), ":now": claim[":now"]}
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": {
                **cursor_key(followed),
                "generation": number(followed.generation),
                "upto": number(0),
                "claimant": claim[":claimant"],
                "claimed_until": claim[":until"],
            },
            "ConditionExpression": (
                f"attribute_not_exists(place) OR (generation < :generation AND {_FREE})"
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
    update = "SET upto = :version REMOVE claimant, claimed_until"
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
            and item.get("upto") == values[":version"]
        )
    return True


def _reply(request: Request) -> Steps[Response]:
    return (yield request)
