"""Makes the backend in memory refuse what is too large for DynamoDB, with the same error.

So a test in memory fails where the same call on DynamoDB would. The code of `DynamoBackend`
computes the sizes of the items that it would put.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.streams.appending.commits import check_transaction, plan_snapshot
from dynamo_es.dynamodb.streams.appending.cost import append_cost
from dynamo_es.dynamodb.streams.boundaries.state_items import plan_state
from dynamo_es.dynamodb.streams.items import encode_events
from dynamo_es.dynamodb.wire.sizes import MAX_TRANSACTION_ITEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import AppendCost, StreamAppend, StreamCheck
    from dynamo_es.values import RawEvent, TenantId

_SURELY_FITS: Final = 100 * 1024
"""Bytes of JSON that always fit into one call, however long the names are."""

_SOME_TIME: Final = 4_111_111_111
"""Seconds since the epoch: a time with as many digits as any other."""


def check_append_size(tenant_id: TenantId, append: StreamAppend) -> None:
    """Raise `CommitTooLargeError` if an append is too large for DynamoDB."""
    if len(encode_events(append.events)) > _SURELY_FITS:
        _cost(tenant_id, append)


def check_sizes_together(
    tenant_id: TenantId, appends: Sequence[StreamAppend], unchanged: Sequence[StreamCheck]
) -> None:
    """Raise `CommitTooLargeError` if appends to several streams are too large for one call.

    Args:
        tenant_id: the tenant.
        appends: one append or more.
        unchanged: the checks in the same call.
    """
    if len(appends) == 1 and not unchanged:
        check_append_size(tenant_id, appends[0])
        return
    parts = len(appends) + len(unchanged)
    text = sum(len(encode_events(append.events)) for append in appends)
    if parts <= MAX_TRANSACTION_ITEMS // 2 and text <= _SURELY_FITS:
        return
    costs = [_cost(tenant_id, append) for append in appends]
    check_transaction(
        appends[0].stream_id,
        streams=len(appends),
        checks=len(unchanged),
        items=sum(cost.items for cost in costs) + len(unchanged),
        size=sum(cost.size for cost in costs),
    )


def check_snapshot_size(tenant_id: TenantId, snapshot: RawEvent, generation: int) -> None:
    """Raise `CommitTooLargeError` if a snapshot is too large for DynamoDB."""
    key = stream_key(tenant_prefix(tenant_id), snapshot.stream_id)
    plan_snapshot(key, snapshot, generation, "units")


def check_state_size(tenant_id: TenantId, key: str, state: RawEvent) -> None:
    """Raise `CommitTooLargeError` if the saved state of a model is too large for DynamoDB."""
    if len(encode_events([state])) > _SURELY_FITS:
        boundary = stream_key(tenant_prefix(tenant_id), state.stream_id)
        plan_state(boundary, key, state, _SOME_TIME, "units")


def _cost(tenant_id: TenantId, append: StreamAppend) -> AppendCost:
    return append_cost(
        append.stream_id, append.events, versioning=append.versioning, tenant_id=tenant_id
    )
