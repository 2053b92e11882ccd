"""Stores the saved states of a boundary's decision models.

All states of a boundary are in a separate partition. So the stream's partition keeps its
throughput, and a deletion finds the states with one query. The item is like that of a snapshot,
with a sort key derived from the state's key. A state is used only after a consistent read of the
stream has shown the state's generation, and a version that is not below the state's (ADR 29).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.streams.boundaries import state_items
from dynamo_es.dynamodb.streams.items import decode_events, snapshot_version
from dynamo_es.dynamodb.streams.requests import put_snapshot
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Request, good, number, together
from dynamo_es.exceptions import StoredItemError, describe_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import RawEvent

_log = logging.getLogger("dynamo_es")

STATE_SECONDS: Final = 90 * 24 * 3600
"""DynamoDB may remove a state after this many seconds, so that states of old queries disappear."""

_AT_ONCE: Final = 100


def fetch_states(stream: Stream, keys: Sequence[str]) -> Steps[list[RawEvent | None]]:
    """Return saved states, from memory if this process has read them recently.

    The read is eventually consistent, because an older state is as correct as the newest one.
    """
    heads = stream.heads
    # After a silence the table may be another one, with other events at the same versions.
    is_same_table = heads.get(stream.key) is not None
    items: dict[str, Item | None] = {}
    unknown: dict[str, str] = {}
    for key in keys:
        known = heads.states.get(stream.key, key, heads.epoch) if is_same_table else None
        if known is None:
            unknown[state_items.place_of(key)] = key
        else:
            items[key] = known.item
    if unknown:
        partition = state_items.states_key(stream.key)
        found = yield from fetch_all(
            stream.table,
            [_key(partition, place) for place in unknown],
            lambda left: _get_states(stream.table, left),
        )
        items |= dict.fromkeys(unknown.values())
        items |= {unknown[item["version"]["N"]]: item for item in found}
        for key in unknown.values():
            heads.states.remember(stream.key, key, items[key], heads.epoch)
    return [_state_of(stream, key, items[key]) for key in keys]


def save_state(stream: Stream, key: str, state: RawEvent) -> Steps[None]:
    """Save a state, unless one that is as new or newer exists; see `StateStrategy.save_state`."""
    heads = stream.heads
    head = heads.get(stream.key)
    generation = state.generation or 0
    if head is not None and head.generation != generation:
        return  # The state is of a deleted generation.
    expires_at = int(stream.clock()) + STATE_SECONDS
    item = state_items.plan_state(stream.key, key, state, expires_at, stream.compression)
    try:
        yield put_snapshot(stream.table, item)
    except ConditionRefused:
        return  # A state that is as new, or of a later generation, is already stored.
    heads.states.remember(stream.key, key, item, heads.epoch)


def delete_states(stream: Stream, closed: int) -> Steps[None]:
    """Delete the states of a generation and of earlier ones, never of a later one."""
    partition = state_items.states_key(stream.key)
    after: Item | None = None
    while True:
        page = yield _list_states(stream.table, partition, after)
        items = page["Items"]
        for begin in range(0, len(items), _AT_ONCE):
            some = items[begin : begin + _AT_ONCE]
            outcomes = yield from together(
                _delete_state(stream.table, item, closed) for item in some
            )
            good(one for one in outcomes if not isinstance(one, ConditionRefused))
        after = page.get("LastEvaluatedKey")
        if after is None:
            return


def _state_of(stream: Stream, key: str, item: Item | None) -> RawEvent | None:
    """Return the state that an item holds; None if it has another key or cannot be read."""
    if item is None or item.get("state_key") != {"S": key}:
        return None
    try:
        found = decode_events(item, stream.id, snapshot_version(item), stream.most_bytes)
    except StoredItemError as error:
        # Continue without it: all events are stored, and a state only saves time.
        _log.warning("Skipped a state of boundary %s: %s", describe_stream(stream.id), error)
        return None
    return found[0] if len(found) == 1 else None


def _key(partition: str, place: str) -> Item:
    return {"stream_key": {"S": partition}, "version": {"N": place}}


def _get_states(table: str, keys: Sequence[Item]) -> Request:
    wanted: dict[str, Any] = {"Keys": list(keys), "ConsistentRead": False}
    return Request("batch_get_item", {"RequestItems": {table: wanted}})


def _list_states(table: str, partition: str, after: Item | None) -> Request:
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "stream_key = :key",
        "ExpressionAttributeValues": {":key": {"S": partition}},
        "ProjectionExpression": "stream_key, version",
        "ConsistentRead": True,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def _delete_state(table: str, item: Item, closed: int) -> Request:
    return Request(
        "delete_item",
        {
            "TableName": table,
            "Key": _key(item["stream_key"]["S"], item["version"]["N"]),
            "ConditionExpression": "generation <= :generation",
            "ExpressionAttributeValues": {":generation": number(closed)},
        },
    )
