"""Checkpoints in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from dynamo_es.contracts import Checkpoint, CheckpointStrategy
from dynamo_es.contracts.checkpoints import in_order
from dynamo_es.contracts.checks import check_position, check_tenant
from dynamo_es.contracts.failures import ConsumerFailure
from dynamo_es.contracts.stream_keys import consumer_key
from dynamo_es.exceptions import UnknownConsumerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts.failures import NewFailure
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
            self._set(consumer, position)
        return position

    def fail(self, consumer: str, position: Position, failure: NewFailure) -> None:
        """Store a failure; see `CheckpointStrategy.fail`."""
        consumer_key(consumer, self._tenant_id)  # refuses what DynamoDB refuses
        check_position(position)
        key = self._tenant_id, consumer
        with self._data.lock:
            saved = self._data.checkpoints.get(key)
            if saved is not None and saved[0] >= failure.place:
                return
            _, before = self._data.failures.get(key, (0, None))
            self._data.failures[key] = position, failed_again(before, failure)

    def reset(self, consumer: str, position: Position) -> None:
        """Set a consumer back; see `CheckpointStrategy.reset`."""
        consumer_key(consumer, self._tenant_id)  # refuses what DynamoDB refuses
        check_position(position)
        with self._data.lock:
            key = self._tenant_id, consumer
            if key not in self._data.checkpoints and key not in self._data.failures:
                known = [
                    name for tenant, name in self._data.checkpoints if tenant == self._tenant_id
                ]
                raise UnknownConsumerError(consumer, sorted(known))
            self._set(consumer, position)

    def all(self) -> list[Checkpoint]:
        """Return all checkpoints; see `CheckpointStrategy.all`."""
        with self._data.lock:
            found = [
                self._checkpoint(*key)
                for key in {**self._data.checkpoints, **self._data.failures}
                if self._tenant_id is None or key[0] == self._tenant_id
            ]
        return sorted(found, key=in_order)

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the checkpoints of a tenant; see `CheckpointStrategy.scoped_for_tenant`."""
        check_tenant(tenant_id)
        return type(self)(self._data, self._clock, tenant_id)

    def _checkpoint(self, tenant_id: TenantId | None, consumer: str) -> Checkpoint:
        key = tenant_id, consumer
        after, failure = self._data.failures.get(key, (0, None))
        if key not in self._data.checkpoints and failure is not None:
            return Checkpoint(consumer, after, failure.failed_at, tenant_id, failure)
        position, moved_at = self._data.checkpoints[key]
        return Checkpoint(consumer, position, moved_at, tenant_id, failure)

    def _set(self, consumer: str, position: Position) -> None:
        self._data.checkpoints[self._tenant_id, consumer] = (position, self._now())
        self._data.failures.pop((self._tenant_id, consumer), None)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def failed_again(before: ConsumerFailure | None, failure: NewFailure) -> ConsumerFailure:
    """Return a failure with the attempts of the stored one, if that is of the same event."""
    again = before is not None and before.place == failure.place
    attempts = before.attempts + 1 if before is not None and again else 1
    failed_at = datetime.fromtimestamp(failure.at_ms / 1000, UTC)
    return ConsumerFailure(failure.place, attempts, failure.reason, failed_at)
