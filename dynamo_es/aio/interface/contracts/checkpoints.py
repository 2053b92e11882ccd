"""`AsyncCheckpoints`: scripts/async-interface writes it, from `CheckpointStrategy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from typing import Self

    from dynamo_es.contracts.consumers.checkpoints import Checkpoint, CheckpointStrategy
    from dynamo_es.contracts.consumers.claims import CheckpointState, Claim, Saved
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.live_versions import LiveVersion
    from dynamo_es.contracts.consumers.writes import WriteBatch
    from dynamo_es.values import Position, TenantId


class AsyncCheckpoints(Over):
    """The positions of the log's consumers; see `CheckpointStrategy`."""

    _sync: CheckpointStrategy

    async def all(
        self,
    ) -> list[Checkpoint]:
        """Return the checkpoints of all consumers, sorted by name.

        From an object that is limited to a tenant, you get only the checkpoints of that tenant.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.all)

    async def apply(
        self,
        name: str,
        claim: Claim,
        position: Position,
        until_ms: int,
        previous: Position | None,
        writes: WriteBatch,
    ) -> Saved:
        """Save a position under a lease and carry out writes: both or neither.

        Args:
            name: name of the consumer.
            claim: the worker's claim.
            position: position to save.
            until_ms: end of the renewed lease, milliseconds since the epoch.
            previous: the position that must be saved now; the writes are those of the events after
                it. None: none is saved.
            writes: batch from `new_writes`.

        Returns:
            The saved state. If the worker still holds the lease and the saved position is
            ``position``, the writes are made. Otherwise this call changed nothing; if the worker
            holds the lease at another position, the writes up to there were made before.

        Raises:
            ProjectionWriteRefusedError: the condition of a write was not met.
            EnlistedTableNotFoundError: a table of the writes does not exist.
            ServiceError: AWS refused or did not answer. Repeating the call is safe.
        """
        return await self._bridge.run(
            self._sync.apply, name, claim, position, until_ms, previous, writes
        )

    async def ask(
        self,
        name: str,
        worker: str,
        seen: CheckpointState,
    ) -> bool:
        """Ask the holder of a lease to give it back; False if ``seen`` is out of date.

        The holder sees the request in the reply to its next write, and gives the lease back.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.ask, name, worker, seen)

    async def fail(
        self,
        name: str,
        position: Position,
        failure: NewFailure,
    ) -> None:
        """Store that a consumer could not handle an event, unless its position is past that event.

        A further failure at the same event adds one to `ConsumerFailure.attempts`. `all` returns a
        consumer that failed at its first event, but `position` is still None for it.

        Args:
            name: name of the consumer.
            position: position that the consumer began after; stored if it has saved none.
            failure: the event and the reason.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        await self._bridge.run(self._sync.fail, name, position, failure)

    async def live(
        self,
        name: str,
    ) -> LiveVersion | None:
        """Return a projection's live version; None if no version was promoted.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.live, name)

    async def look(
        self,
        name: str,
    ) -> CheckpointState:
        """Read a consumer's position and lease.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.look, name)

    async def move(
        self,
        name: str,
        position: Position,
    ) -> Position:
        """Save a consumer's position, unless a higher one is saved; return the saved position.

        A move deletes the consumer's stored failure.

        Raises:
            InvalidPositionError: the position is negative.
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.move, name, position)

    def new_writes(
        self,
    ) -> WriteBatch:
        """Return an empty batch of writes for `apply`.

        Raises:
            InvalidEnlistedWriteError: the backend has no tables to write to.
        """
        return self._sync.new_writes()

    def of_version(
        self,
        version: int | None,
    ) -> Self:
        """Return an object for the checkpoints of one projection version; this one does not change.

        Each version of a projection has checkpoints of its own, apart from those of the same name
        without a version. `all` returns those of every version.

        Raises:
            InvalidConsumerError: the version is not an integer of 1 or more, or None.
        """
        return self._like(self._sync.of_version(version))

    async def pause(
        self,
        name: str,
    ) -> None:
        """Stop the workers of a consumer before their next batch, until it is resumed.

        Raises:
            UnknownConsumerError: the consumer has neither saved a position nor failed.
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        await self._bridge.run(self._sync.pause, name)

    async def position(
        self,
        name: str,
    ) -> Position | None:
        """Return a consumer's position; None if it has never saved one.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.position, name)

    async def promote(
        self,
        name: str,
        version: int,
        expected: int | None,
    ) -> bool:
        """Make a version the live one, if ``expected`` is live now; return False if another is.

        Args:
            name: name of the projection.
            version: version to promote.
            expected: version that must be live now; None: no version.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.promote, name, version, expected)

    async def release(
        self,
        name: str,
        claim: Claim,
    ) -> None:
        """Give a lease back; nothing happens if the worker does not hold it.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        await self._bridge.run(self._sync.release, name, claim)

    async def renew(
        self,
        name: str,
        claim: Claim,
        until_ms: int,
    ) -> Saved:
        """Renew a lease that the worker still holds.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.renew, name, claim, until_ms)

    async def reset(
        self,
        name: str,
        position: Position,
    ) -> None:
        """Set a consumer's position back or forward, and delete its failure.

        A worker that holds the lease loses it: its next write changes nothing. It then goes on from
        the new position.

        Raises:
            UnknownConsumerError: the consumer has neither saved a position nor failed.
            InvalidPositionError: the position is negative.
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        await self._bridge.run(self._sync.reset, name, position)

    async def resume(
        self,
        name: str,
    ) -> None:
        """Let the workers of a consumer go on. Errors are those of `pause`."""
        await self._bridge.run(self._sync.resume, name)

    async def save(
        self,
        name: str,
        claim: Claim,
        position: Position,
        until_ms: int,
    ) -> Saved:
        """Save a position under a lease, unless a higher one is saved, and renew the lease.

        Raises:
            InvalidPositionError: the position is negative.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.save, name, claim, position, until_ms)

    def scoped_for_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Return an object for the checkpoints of one tenant's consumers; this one does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        return self._like(self._sync.scoped_for_tenant(tenant_id))

    async def take(
        self,
        name: str,
        worker: str,
        seen: CheckpointState,
        until_ms: int,
        length_ms: int,
    ) -> CheckpointState | None:
        """Take the lease, if it has not changed since you read it.

        Args:
            name: name of the consumer.
            worker: unique name of the worker.
            seen: the state that `look` returned. If it has a lease, ask ``LeaseWatch`` first
                whether that lease is over.
            until_ms: end of the lease unless it is renewed, milliseconds since the epoch.
            length_ms: milliseconds from each beat to the end of the lease.

        Returns:
            The new state, whose token is that of your claim. None: another worker was faster, or
            the holder has renewed the lease.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.take, name, worker, seen, until_ms, length_ms)
