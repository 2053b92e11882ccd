"""The lease in a checkpoint's item: its requests, and the meaning of their replies.

The lease is in the same item as the position, so that one write saves a position and renews the
lease. Every write under the lease has the fencing token in its condition. The token grows with each
take and each reset, so a write of an earlier holder changes nothing, however late it arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.consumers.claims import CheckpointState, Claim, Saved
from dynamo_es.contracts.consumers.leases import Lease
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Request, number
from dynamo_es.exceptions import EnlistedTableNotFoundError, TableNotFoundError

if TYPE_CHECKING:
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import Position

LEASE: Final = "leased_by, leased_until, leased_for, wanted_by"
"""The attributes of a lease, for a ``REMOVE``."""

MINE: Final = "fencing_token = :token AND attribute_exists(leased_by)"


def take(
    place: Item, worker: str, seen: CheckpointState, until_ms: int, length_ms: int
) -> Steps[CheckpointState | None]:
    """Take a lease if it is still as seen; return the new state, or None if it has changed."""
    values: dict[str, Any] = {
        ":worker": {"S": worker},
        ":until": number(until_ms),
        ":length": number(length_ms),
        ":token": number(seen.token + 1),
    }
    condition = "attribute_not_exists(fencing_token)"
    if seen.token:
        values[":seen"] = number(seen.token)
        condition = "fencing_token = :seen AND (attribute_not_exists(leased_by)"
        if seen.lease is not None:
            values |= {":holder": {"S": seen.lease.holder}, ":beat": number(seen.lease.until)}
            condition += " OR (leased_by = :holder AND leased_until = :beat)"
        condition += ")"
    update = (
        "SET leased_by = :worker, leased_until = :until, leased_for = :length, "
        "fencing_token = :token REMOVE wanted_by"
    )
    try:
        response = yield _update(place, update, condition, values, returned="ALL_NEW")
    except ConditionRefused as refused:
        # If the reply to an earlier attempt was lost, this worker already has the lease.
        now = read_state(refused.items[0] or {})
        mine = now.token == seen.token + 1 and now.lease is not None and now.lease.holder == worker
        return now if mine else None
    return read_state(response["Attributes"])


def renew(place: Item, claim: Claim, until_ms: int) -> Steps[Saved]:
    """Move the end of a lease."""
    values = {":token": number(claim.token), ":until": number(until_ms)}
    try:
        response = yield _update(
            place, "SET leased_until = :until", MINE, values, returned="ALL_NEW"
        )
    except ConditionRefused as refused:
        return what_is_there(refused.items[0], claim)
    return saved(response["Attributes"])


def save(place: Item, claim: Claim, until_ms: int, update: str, values: Item) -> Steps[Saved]:
    """Save a position that is higher than the saved one, and renew the lease.

    Args:
        place: table and key of the item.
        claim: the worker's claim.
        until_ms: end of the lease, in milliseconds since the epoch.
        update: the update expression for the position.
        values: the values of the expression; ``:checkpoint`` is the position.
    """
    values = {**values, ":token": number(claim.token), ":until": number(until_ms)}
    condition = f"{MINE} AND (attribute_not_exists(checkpoint) OR checkpoint < :checkpoint)"
    update = update.replace("SET ", "SET leased_until = :until, ", 1)
    try:
        response = yield _update(place, update, condition, values, returned="ALL_NEW")
    except ConditionRefused as refused:
        return what_is_there(refused.items[0], claim)
    return saved(response["Attributes"])


def apply(  # noqa: PLR0913, PLR0917 - of one transaction
    place: Item,
    claim: Claim,
    until_ms: int,
    previous: Position | None,
    update: str,
    values: Item,
    writes: list[EnlistedWrite],
) -> Steps[Saved | None]:
    """Save a position and carry out writes in one transaction; return None if one was refused.

    Args:
        place: table and key of the checkpoint's item.
        claim: the worker's claim.
        until_ms: end of the lease, in milliseconds since the epoch.
        previous: the saved position; None: none is saved.
        update: the update expression for the position.
        values: the values of the expression; ``:checkpoint`` is the position.
        writes: the writes, up to 99.
    """
    values = {**values, ":token": number(claim.token), ":until": number(until_ms)}
    condition = f"{MINE} AND attribute_not_exists(checkpoint)"
    if previous is not None:
        condition = f"{MINE} AND checkpoint = :previous"
        values[":previous"] = number(previous)
    update = update.replace("SET ", "SET leased_until = :until, ", 1)
    checkpoint = {"Update": _update(place, update, condition, values).params}
    try:
        yield Request("transact_write_items", {"TransactItems": [checkpoint, *writes]})
    except ConditionRefused as refused:
        if 0 not in refused.refused:
            return None
        return what_is_there(refused.items[0], claim)
    except TableNotFoundError as missing:
        yield from look(place)  # raises if the missing table is the log table
        raise name_missing_table(missing, writes) from missing
    return Saved(held=True, position=int(values[":checkpoint"]["N"]))


def name_missing_table(
    missing: TableNotFoundError, writes: list[EnlistedWrite]
) -> EnlistedTableNotFoundError:
    """Return the error for a missing table of a read model. The store's tables exist."""
    tables = dict.fromkeys(params["TableName"] for one in writes for params in one.values())
    return EnlistedTableNotFoundError(
        missing.operation, missing.code, tuple(tables), missing.subject
    )


def release(place: Item, claim: Claim) -> Steps[None]:
    """Give a lease back, if the worker still holds it."""
    try:
        yield _update(place, f"REMOVE {LEASE}", MINE, {":token": number(claim.token)})
    except ConditionRefused:
        return


def ask(place: Item, worker: str, seen: CheckpointState) -> Steps[bool]:
    """Store in a lease that another worker asks for it."""
    values = {":token": number(seen.token), ":worker": {"S": worker}}
    try:
        yield _update(place, "SET wanted_by = :worker", MINE, values)
    except ConditionRefused:
        return False
    return True


def look(place: Item) -> Steps[CheckpointState]:
    """Read position and lease, consistently."""
    response = yield Request("get_item", {**place, "ConsistentRead": True})
    return read_state(response.get("Item", {}))


def read_state(item: Item) -> CheckpointState:
    """Return the position and the lease in an item; an empty item has neither."""
    return CheckpointState(
        position=int(item["checkpoint"]["N"]) if "checkpoint" in item else None,
        token=int(item.get("fencing_token", {"N": "0"})["N"]),
        lease=read_lease(item),
        wanted_by=item.get("wanted_by", {}).get("S"),
        paused="paused" in item,
    )


def read_lease(item: Item) -> Lease | None:
    """Return the lease in an item; None: no worker holds it."""
    if "leased_by" not in item:
        return None
    return Lease(
        item["leased_by"]["S"], int(item["leased_until"]["N"]), int(item["leased_for"]["N"])
    )


def saved(item: Item) -> Saved:
    """Return the result of a write whose condition was met, from the new item."""
    state = read_state(item)
    return Saved(held=True, position=state.position, wanted_by=state.wanted_by, paused=state.paused)


def what_is_there(item: Item | None, claim: Claim) -> Saved:
    """Return the result of a write that was refused, from the stored item."""
    state = read_state(item or {})
    held = state.lease is not None and state.token == claim.token
    wanted_by = state.wanted_by if held else None
    return Saved(
        held=held, position=state.position, wanted_by=wanted_by, paused=held and state.paused
    )


def _update(
    place: Item, update: str, condition: str, values: Item, *, returned: str = ""
) -> Request:
    params: dict[str, Any] = {
        **place,
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if returned:
        params["ReturnValues"] = returned
    return Request("update_item", params)
