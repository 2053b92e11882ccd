"""`AsyncParked`: scripts/async-interface writes it, from `ParkedStrategy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from typing import Self

    from dynamo_es.contracts.consumers.parked import (
        ParkedFailure,
        ParkedKey,
        ParkedStrategy,
        ParkedStream,
        Place,
        SkippedEvent,
    )
    from dynamo_es.values import TenantId


class AsyncParked(Over):
    """The streams that consumers have parked; see `ParkedStrategy`."""

    _sync: ParkedStrategy

    async def advance(
        self,
        key: ParkedKey,
        worker: str,
        first: Place,
        until_ms: int,
    ) -> bool:
        """Move `ParkedStream.first` and renew the lease; return False if the lease is lost."""
        return await self._bridge.run(self._sync.advance, key, worker, first, until_ms)

    async def all(
        self,
    ) -> list[ParkedStream]:
        """Return the parked streams of all consumers, sorted by the consumers' names."""
        return await self._bridge.run(self._sync.all)

    async def drop(
        self,
        key: ParkedKey,
    ) -> bool:
        """Take a stream off the list without applying its events; False if it is not parked."""
        return await self._bridge.run(self._sync.drop, key)

    async def fail(
        self,
        key: ParkedKey,
        worker: str,
        failure: ParkedFailure,
    ) -> bool:
        """Store that an event failed again, and give the lease back; return False if it is lost.

        If the entry's first event is the one that failed, the attempts of the failure are added to
        the entry's. Otherwise they replace them.
        """
        return await self._bridge.run(self._sync.fail, key, worker, failure)

    async def forget_skipped(
        self,
        key: ParkedKey,
        place: Place,
    ) -> bool:
        """Take an event off the list of those left out; return False if it is not on the list."""
        return await self._bridge.run(self._sync.forget_skipped, key, place)

    async def park(
        self,
        key: ParkedKey,
        failure: ParkedFailure,
    ) -> None:
        """Park a stream from a failed event on. Does nothing if the stream is parked already."""
        await self._bridge.run(self._sync.park, key, failure)

    async def pass_over(
        self,
        key: ParkedKey,
        first: Place,
        last: Place,
    ) -> bool:
        """Record that the consumer passes over events of a parked stream.

        Args:
            key: the consumer and the stream.
            first: place of the first event to pass over. If it is before `ParkedStream.first`, the
                consumer was set back: the entry then begins there, and a worker that retries the
                stream loses its lease.
            last: place of the last event to pass over.

        Returns:
            Whether the stream is parked. If not, nothing changed: apply the events.
        """
        return await self._bridge.run(self._sync.pass_over, key, first, last)

    async def release(
        self,
        key: ParkedKey,
        worker: str,
        first: Place,
    ) -> bool:
        """Move `ParkedStream.first` and give the lease back; return False if the lease is lost."""
        return await self._bridge.run(self._sync.release, key, worker, first)

    def scoped_for_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Return an object for one tenant's parked streams; this one does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        return self._like(self._sync.scoped_for_tenant(tenant_id))

    async def skip(
        self,
        key: ParkedKey,
        failure: ParkedFailure,
    ) -> None:
        """Add an event to the list of those that the consumer left out."""
        await self._bridge.run(self._sync.skip, key, failure)

    async def skipped(
        self,
        name: str | None = None,
    ) -> list[SkippedEvent]:
        """Return the events that a consumer, or with None every consumer, left out, in order."""
        return await self._bridge.run(self._sync.skipped, name)

    async def streams(
        self,
        name: str,
    ) -> list[ParkedStream]:
        """Return the streams that a consumer has parked, sorted by their keys."""
        return await self._bridge.run(self._sync.streams, name)

    async def take(
        self,
        key: ParkedKey,
        worker: str,
        now_ms: int,
        until_ms: int,
    ) -> ParkedStream | None:
        """Take the lease of an entry, to retry its events; None if the stream is not parked.

        Raises:
            CursorBusyError: another worker retries the stream.
        """
        return await self._bridge.run(self._sync.take, key, worker, now_ms, until_ms)

    async def unpark(
        self,
        key: ParkedKey,
        worker: str,
        seen: Place,
    ) -> bool:
        """Take a stream off the list, unless the consumer has passed over an event after ``seen``.

        Args:
            key: the consumer and the stream.
            worker: the worker that holds the lease.
            seen: `ParkedStream.seen` of the entry; all events up to there are applied.

        Returns:
            Whether the stream is off the list. If not, nothing changed: there are later events to
            apply, or the lease is lost.
        """
        return await self._bridge.run(self._sync.unpark, key, worker, seen)
