"""Finds the cursors and outboxes of a backend in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from uuid import UUID

from dynamo_es.contracts.checks.arguments import check_tenant
from dynamo_es.contracts.consumers.finder import (
    ConsumerFinder,
    CursorInfo,
    FoundConsumers,
    OutboxInfo,
)
from dynamo_es.contracts.stream_keys import EMPTY_CATEGORY, SEPARATOR, unescape
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from dynamo_es.memory.data import Cursor, Data
    from dynamo_es.values import TenantId


class MemoryFinder(ConsumerFinder):
    """Finds all cursors and outboxes at once.

    Args:
        data: data that the backend's parts share.
        tenant_id: tenant whose consumers it finds; None: all tenants.
    """

    def __init__(self, data: Data, tenant_id: TenantId | None = None) -> None:
        self._data = data
        self._tenant_id = tenant_id

    def find(self, after: str | None = None) -> FoundConsumers:  # noqa: ARG002 - one part is all
        """Return all cursors and outboxes; see `ConsumerFinder.find`."""
        with self._data.lock:
            cursors = [cursor_info(*key, one) for key, one in self._data.cursors.items()]
        outboxes = [
            OutboxInfo(name, tenant_id, position)
            for tenant_id, name, position in self._data.outbox.used()
        ]
        scope = self._tenant_id
        return FoundConsumers(
            tuple(one for one in cursors if scope is None or one.tenant_id == scope),
            tuple(one for one in outboxes if scope is None or one.tenant_id == scope),
            None,
        )

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a finder of a tenant's consumers; see `ConsumerFinder.scoped_for_tenant`."""
        check_tenant(tenant_id)
        return type(self)(self._data, tenant_id)


def cursor_info(name: str, key: str, cursor: Cursor) -> CursorInfo:
    """Return the public description of a cursor.

    Args:
        name: name of the read model.
        key: key of the stream.
        cursor: the stored cursor.
    """
    tenant, category, uuid = key.split(SEPARATOR)
    known = "" if category == EMPTY_CATEGORY else unescape(category) if category else None
    return CursorInfo(
        name=name,
        version=cursor.version,
        generation=cursor.generation,
        tenant_id=unescape(tenant),
        stream_id=StreamId(UUID(uuid), category=known),
        failure=cursor.failure,
        busy=cursor.lease is not None,
    )
