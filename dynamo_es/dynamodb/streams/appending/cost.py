"""Calculates the cost of an append, without a request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts import AppendCost
from dynamo_es.contracts.checks.events import check_append
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.streams.appending.commits import plan_commits
from dynamo_es.dynamodb.streams.items import Head
from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
from dynamo_es.dynamodb.streams.stream import Stream
from dynamo_es.dynamodb.wire.sizes import write_units
from dynamo_es.values import ANY_VERSION, DEFAULT_TENANT, NO_VERSIONING, ExplicitVersioning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.config import Compression
    from dynamo_es.values import RawEvent, StreamId, TenantId, Versioning

_GENERATION: Final = 1_999_999_999_999_999
"""A typical generation, in microseconds since the epoch. A number that ends with zeros takes fewer
bytes, so with the current time the cost would vary by some bytes."""


def append_cost(
    stream_id: StreamId,
    events: Sequence[RawEvent],
    *,
    versioning: Versioning = ANY_VERSION,
    tenant_id: TenantId = DEFAULT_TENANT,
    compression: Compression = "units",
) -> AppendCost:
    """Return the bytes and units that DynamoDB charges for an append, without a request.

    ``append_cost(stream, [event]).write_units``. For typed events, use `EventStore.append_cost`.

    The size is an upper bound: with a generation that ends with zeros, an append takes a few bytes
    less.

    Args:
        stream_id: the stream; its category and name are part of the item.
        events: the events; without events the cost is 0.
        versioning: the versioning of the append; a higher version takes a few bytes more.
        tenant_id: the tenant; its id is part of the key.
        compression: as in `DynamoConfig`.

    Raises:
        InvalidStreamIdError: not a stream id, or its key is too long for DynamoDB.
        InvalidVersioningError: not one of the three ways to append.
        InvalidEventError: an event that cannot be stored.
        CommitTooLargeError: the events do not fit into one append.
    """
    check_append(stream_id, versioning, events)
    if not events:
        return AppendCost(events=0, items=0, size=0, compressed=False, write_units=0)
    key = stream_key(tenant_prefix(tenant_id), stream_id)
    heads = RememberedHeads(0, time.time)
    stream = Stream("", key, stream_id, heads, time.time, compression=compression)
    version = versioning.expected_version if isinstance(versioning, ExplicitVersioning) else 0
    head = Head(_GENERATION, version, versioning is NO_VERSIONING)
    commits, sizes, _ = plan_commits(stream, head, events)
    return AppendCost(
        events=len(events),
        items=len(commits),
        size=sum(sizes),
        compressed=any("B" in commit.item["events"] for commit in commits),
        write_units=sum(write_units(size, transactional=len(commits) > 1) for size in sizes),
    )
