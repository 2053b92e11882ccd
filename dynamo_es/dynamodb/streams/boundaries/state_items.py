"""The item that holds a saved state of a decision model."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.boundaries.strategy import BOUNDARY_CATEGORY
from dynamo_es.contracts.stream_keys import SEPARATOR
from dynamo_es.dynamodb.streams.items import snapshot_item
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.wire.sizes import SAFE_ITEM_BYTES, item_size
from dynamo_es.dynamodb.wire.steps import number
from dynamo_es.exceptions import CommitTooLargeError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.config import Compression
    from dynamo_es.dynamodb.wire.steps import Item
    from dynamo_es.values import RawEvent

STATES_CATEGORY: Final = f"{BOUNDARY_CATEGORY}-states"
"""Category in the keys of the partitions with states."""


def states_key(stream_key: str) -> str:
    """Return the partition key of a boundary's states, given the partition key of its stream."""
    tenant, _, uuid = stream_key.split(SEPARATOR)
    return SEPARATOR.join((tenant, STATES_CATEGORY, uuid))


def plan_state(
    stream_key: str, key: str, state: RawEvent, expires_at: int, compression: Compression
) -> Item:
    """Return the item that saves a state of a boundary.

    Raises:
        CommitTooLargeError: the state is too large for an item.
    """
    item, _ = snapshot_item(
        states_key(stream_key), state, generation=state.generation or 0, compression=compression
    )
    item["version"] = {"N": place_of(key)}
    item["state_key"] = {"S": key}
    item["expires_at"] = number(expires_at)
    if (size := item_size(item)) > SAFE_ITEM_BYTES:
        raise CommitTooLargeError(
            state.stream_id,
            size,
            SAFE_ITEM_BYTES,
            f"the state of a model takes {size:,} bytes after compression, but an item carries at "
            f"most {SAFE_ITEM_BYTES:,}: keep less in it, or remove __snapshot__() from the model.",
        )
    return item


def place_of(key: str) -> str:
    """Return the sort key of a state, as text: a number below the sort key of a snapshot."""
    return str(int.from_bytes(sha256(key.encode()).digest()) % SNAPSHOT_VERSION)
