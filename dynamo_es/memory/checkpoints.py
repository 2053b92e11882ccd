"""Checkpoints in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from dynamo_es.contracts import Checkpoint, CheckpointStrategy
from dynamo_es.contracts.checkpoints import in_order
from dynamo_es.contracts.checks import check_position, check_tenant
from dynamo_es.contracts.stream_keys import consumer_key
from dynamo_es.exceptions import UnknownConsumerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.memory.data import Data
    from dynamo_es.values import Position, TenantId


class MemoryCheckpoints(CheckpointStrategy):
    """Checkpoints of the consumers of a backend in memory.

    Args:
        data: data that the backend's parts share.
        clock: returns seconds since the epoch.
        tenant_id: tenant whose events the consumers handle; None: all tenants.
    """

    def __init__(
        self, data: Data, clock: Callable[[], float], tenant_id: TenantId | None = None
    ) -> None:
        self._data = data
        self._clock = clock
        self._tenant_id = tenant_id

    def position(self, consumer: str) -> Position | None:
        """Return a consumer's checkpoint; see `CheckpointStrategy.position`."""
        consumer_key(consumer, self._tenant_id)  # refuses what DynamoDB refuses
        with self._data.lock:
            saved = self._data.checkpoints.get((self._tenant_id, consumer))
        return None if saved is None else saved[0]

    def move(self, consumer: str, position: Position) -> Position:
        """Move a consumer forward; see `CheckpointStrategy.move`."""
        consumer_key(consumer, self._tenant_id)  # refuses what DynamoDB refuses
        check_position(position)
        with self._data.lock:
            saved = self._data.checkpoints.get((self._tenant_id, consumer))
            if saved is not None and saved[0] >= position:
                return saved[0]
            self._data.checkpoints[self._tenant_id, consumer] = (position, self._now())
        return position

    def reset(self, consumer: str, position: Position) -> None:
        """Set a consumer back; see `CheckpointStrategy.reset`."""
        consumer_key(consumer, self._tenant_id)  # refuses what DynamoDB refuses
        check_position(position)
        with self._data.lock:
            if (self._tenant_id, consumer) not in self._data.checkpoints:
                known = [
                    name for tenant, name in self._data.checkpoints if tenant == self._tenant_id
                ]
                raise UnknownConsumerError(consumer, sorted(known))
            self._data.checkpoints[self._tenant_id, consumer] = (position, self._now())

    def all(self) -> list[Checkpoint]:
        """Return all checkpoints; see `CheckpointStrategy.all`."""
        with self._data.lock:
            found = [
                Checkpoint(consumer, position, moved_at, tenant_id)
                for (tenant_id, consumer), (position, moved_at) in self._data.checkpoints.items()
                if self._tenant_id is None or tenant_id == self._tenant_id
            ]
        return sorted(found, key=in_order)

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the checkpoints of a tenant; see `CheckpointStrategy.scoped_for_tenant`."""
        check_tenant(tenant_id)
        return type(self)(self._data, self._clock, tenant_id)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
