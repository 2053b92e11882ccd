"""Checkpoints in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn, Self

from dynamo_es.contracts import Checkpoint, CheckpointStrategy
from dynamo_es.contracts.checks.arguments import check_position, check_tenant
from dynamo_es.contracts.consumers.checkpoints import held_by, in_order
from dynamo_es.contracts.consumers.claims import CheckpointState, Saved, check_claim, check_taking
from dynamo_es.contracts.consumers.failures import ConsumerFailure
from dynamo_es.contracts.consumers.leases import Lease
from dynamo_es.contracts.consumers.live_versions import LiveVersion, check_version
from dynamo_es.contracts.stream_keys import consumer_key
from dynamo_es.exceptions import InvalidEnlistedWriteError, UnknownConsumerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts.consumers.claims import Claim
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.memory.data import Data
    from dynamo_es.values import Position, TenantId


class MemoryCheckpoints(CheckpointStrategy):
    """Checkpoints of the consumers of a backend in memory.

    Args:
        data: data that the backend's parts share.
        clock: returns seconds since the epoch.
        tenant_id: tenant whose events the consumers handle; None: all tenants.
        version: version of the projections; None: projections without versions.
    """

    def __init__(
        self,
        data: Data,
        clock: Callable[[], float],
        tenant_id: TenantId | None = None,
        version: int | None = None,
    ) -> None:
        self._version = version
        self._data = data
        self._clock = clock
        self._tenant_id = tenant_id

    def position(self, consumer: str) -> Position | None:
        """Return a consumer's checkpoint; see `CheckpointStrategy.position`."""
        consumer = self._named(consumer)
        with self._data.lock:
            saved = self._data.checkpoints.get((self._tenant_id, consumer))
        return None if saved is None else saved[0]

    def move(self, consumer: str, position: Position) -> Position:
        """Move a consumer forward; see `CheckpointStrategy.move`."""
        consumer = self._named(consumer)
        check_position(position)
        with self._data.lock:
            saved = self._data.checkpoints.get((self._tenant_id, consumer))
            if saved is not None and saved[0] >= position:
                return saved[0]
            self._set(consumer, position)
        return position

    def fail(self, consumer: str, position: Position, failure: NewFailure) -> None:
        """Store a failure; see `CheckpointStrategy.fail`."""
        consumer = self._named(consumer)
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
        consumer = self._named(consumer)
        check_position(position)
        with self._data.lock:
            key = self._tenant_id, consumer
            self._check_known(*key)
            self._set(consumer, position)
            before = self._data.leases.get(key, CheckpointState())
            self._data.leases[key] = CheckpointState(token=before.token + 1, paused=before.paused)

    def pause(self, consumer: str) -> None:
        """Pause a consumer; see `CheckpointStrategy.pause`."""
        self._set_paused(consumer, paused=True)

    def resume(self, consumer: str) -> None:
        """Resume a consumer; see `CheckpointStrategy.resume`."""
        self._set_paused(consumer, paused=False)

    def _set_paused(self, consumer: str, *, paused: bool) -> None:
        key = self._tenant_id, self._named(consumer)
        with self._data.lock:
            self._check_known(*key)
            kept = self._data.leases.get(key, CheckpointState())
            self._data.leases[key] = kept._replace(paused=paused)

    def _check_known(self, tenant_id: TenantId | None, consumer: str) -> None:
        key = tenant_id, consumer
        if key not in self._data.checkpoints and key not in self._data.failures:
            known = {
                name.partition("#")[0]
                for tenant, name in self._data.checkpoints
                if tenant == tenant_id
            }
            raise UnknownConsumerError(consumer.partition("#")[0], sorted(known))

    def look(self, consumer: str) -> CheckpointState:
        """Return position and lease; see `CheckpointStrategy.look`."""
        consumer = self._named(consumer)
        with self._data.lock:
            return self._state(consumer)

    def take(
        self, consumer: str, worker: str, seen: CheckpointState, until_ms: int, length_ms: int
    ) -> CheckpointState | None:
        """Take the lease; see `CheckpointStrategy.take`."""
        consumer = self._named(consumer)
        check_taking(worker, seen, until_ms, length_ms)
        with self._data.lock:
            now = self._state(consumer)
            if now.token != seen.token or now.lease not in {None, seen.lease}:
                return None
            lease = Lease(worker, until_ms, length_ms)
            self._data.leases[self._tenant_id, consumer] = CheckpointState(
                None, now.token + 1, lease, paused=now.paused
            )
            return self._state(consumer)

    def renew(self, consumer: str, claim: Claim, until_ms: int) -> Saved:
        """Renew a lease; see `CheckpointStrategy.renew`."""
        consumer = self._named(consumer)
        check_claim(claim, until_ms)
        with self._data.lock:
            return self._renew(consumer, claim, until_ms)

    def save(self, consumer: str, claim: Claim, position: Position, until_ms: int) -> Saved:
        """Save a position under a lease; see `CheckpointStrategy.save`."""
        consumer = self._named(consumer)
        check_claim(claim, until_ms)
        check_position(position)
        with self._data.lock:
            found = self._renew(consumer, claim, until_ms)
            if not found.held or (found.position is not None and found.position >= position):
                return found
            self._set(consumer, position)
            return found._replace(position=position)

    def new_writes(self) -> NoReturn:
        """Raise `InvalidEnlistedWriteError`: memory has no tables."""
        refuse_tables()

    def apply(self, *_: object) -> NoReturn:
        """Raise `InvalidEnlistedWriteError`: memory has no tables."""
        self.new_writes()

    def release(self, consumer: str, claim: Claim) -> None:
        """Give a lease back; see `CheckpointStrategy.release`."""
        consumer = self._named(consumer)
        check_claim(claim)
        with self._data.lock:
            now = self._state(consumer)
            if now.token == claim.token:
                self._data.leases[self._tenant_id, consumer] = CheckpointState(
                    token=now.token, paused=now.paused
                )

    def ask(self, consumer: str, worker: str, seen: CheckpointState) -> bool:
        """Ask for a lease; see `CheckpointStrategy.ask`."""
        consumer = self._named(consumer)
        check_taking(worker, seen)
        with self._data.lock:
            now = self._state(consumer)
            if now.lease is None or now.token != seen.token:
                return False
            kept = self._data.leases[self._tenant_id, consumer]
            self._data.leases[self._tenant_id, consumer] = kept._replace(wanted_by=worker)
            return True

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
        return type(self)(self._data, self._clock, tenant_id, self._version)

    def of_version(self, version: int | None) -> Self:
        """Return the checkpoints of a version; see `CheckpointStrategy.of_version`."""
        if version is not None:
            check_version(version)
        return type(self)(self._data, self._clock, self._tenant_id, version)

    def live(self, name: str) -> LiveVersion | None:
        """Return the live version; see `CheckpointStrategy.live`."""
        consumer_key(name, self._tenant_id)  # refuses what DynamoDB refuses
        with self._data.lock:
            return self._data.live.get((self._tenant_id, name))

    def promote(self, name: str, version: int, expected: int | None) -> bool:
        """Make a version the live one; see `CheckpointStrategy.promote`."""
        consumer_key(name, self._tenant_id)  # refuses what DynamoDB refuses
        check_version(version)
        key = self._tenant_id, name
        with self._data.lock:
            now = self._data.live.get(key)
            if (None if now is None else now.version) != expected:
                return False
            self._data.live[key] = LiveVersion(version, expected, self._now())
            return True

    def _named(self, consumer: str) -> str:
        consumer_key(consumer, self._tenant_id)  # refuses what DynamoDB refuses
        return consumer if self._version is None else f"{consumer}#{self._version}"

    def _state(self, consumer: str) -> CheckpointState:
        key = self._tenant_id, consumer
        position, _ = self._data.checkpoints.get(key, (None, None))
        return self._data.leases.get(key, CheckpointState())._replace(position=position)

    def _renew(self, consumer: str, claim: Claim, until_ms: int) -> Saved:
        now = self._state(consumer)
        if now.lease is None or now.token != claim.token:
            return Saved(held=False, position=now.position)
        kept = self._data.leases[self._tenant_id, consumer]
        lease = now.lease._replace(until=until_ms)
        self._data.leases[self._tenant_id, consumer] = kept._replace(lease=lease)
        return Saved(held=True, position=now.position, wanted_by=now.wanted_by, paused=now.paused)

    def _checkpoint(self, tenant_id: TenantId | None, consumer: str) -> Checkpoint:
        key = tenant_id, consumer
        after, failure = self._data.failures.get(key, (0, None))
        state = self._data.leases.get(key, CheckpointState())
        name, _, version = consumer.partition("#")
        more = (*held_by(state.lease), int(version) if version else None, state.paused)
        if key not in self._data.checkpoints and failure is not None:
            return Checkpoint(name, after, failure.failed_at, tenant_id, failure, *more)
        position, moved_at = self._data.checkpoints[key]
        return Checkpoint(name, position, moved_at, tenant_id, failure, *more)

    def _set(self, consumer: str, position: Position) -> None:
        self._data.checkpoints[self._tenant_id, consumer] = (position, self._now())
        self._data.failures.pop((self._tenant_id, consumer), None)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def failed_again(before: ConsumerFailure | None, failure: NewFailure) -> ConsumerFailure:
    """Return a failure. If the stored failure is of the same event, count its attempts too."""
    again = before is not None and before.place == failure.place
    attempts = before.attempts + 1 if before is not None and again else 1
    failed_at = datetime.fromtimestamp(failure.at_ms / 1000, UTC)
    return ConsumerFailure(failure.place, attempts, failure.reason, failed_at)


def refuse_tables() -> NoReturn:
    """Raise `InvalidEnlistedWriteError`: memory has no tables."""
    raise InvalidEnlistedWriteError(
        "MemoryBackend does not take writes=True, because it has no tables: use "
        "DynamoBackend.local()."
    )
