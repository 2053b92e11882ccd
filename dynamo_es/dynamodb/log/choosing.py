"""Decides from pointers and keys which commits may hold selected events, before it fetches any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts.stream_keys import category_prefix, stream_key, tenant_prefix
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import Selection
    from dynamo_es.dynamodb.log.pointers import Pointer


def chooser(selection: Selection) -> Callable[[Pointer], bool]:
    """Return a function that returns whether a pointer's commit may hold selected events."""
    names = selection.event_names
    chooses_stream = stream_chooser(selection)

    def chooses(pointer: Pointer) -> bool:
        if selection.outbox and not pointer.outbox:
            return False
        if names is not None and names.isdisjoint(pointer.event_names):
            return False
        return chooses_stream(pointer.stream_key)

    return chooses


def stream_chooser(selection: Selection) -> Callable[[str], bool]:
    """Return a function that returns whether a partition key's stream is selected."""
    tenant = None if selection.tenant_id is None else tenant_prefix(selection.tenant_id)
    if selection.stream_id is not None:
        only = stream_key(tenant or tenant_prefix(DEFAULT_TENANT), selection.stream_id)
        return lambda key: key == only
    category = selection.category
    # A key is tenant, category and UUID. So without the UUID it ends with the category.
    whole = None if tenant is None or category is None else category_prefix(tenant, category)
    suffix = None if category is None else category_prefix("#", category)

    def chooses(key: str) -> bool:
        if whole is not None:
            return key.rpartition("#")[0] == whole
        if tenant is not None:
            return key.startswith(tenant)
        return suffix is None or key.rpartition("#")[0].endswith(suffix)

    return chooses
