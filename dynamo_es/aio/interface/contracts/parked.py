"""`AsyncParked`: scripts/async-interface writes it, from `ParkedStrategy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from typing import Self

    from dynamo_es.contracts.consumers.parked import (
        ParkedKey,
        ParkedStrategy,
        ParkedStream,
        Place,
        SetAside,
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
        """Move an entry's first event and renew the lease; False: the lease is lost."""
        return await self._bridge.run(self._sync.advance, key, worker, first, until_ms)

    async def all(
        self,
    ) -> list[ParkedStream]:
        """Return the parked streams of all consumers, by the names of the consumers."""
        return await self._bridge.run(self._sync.all)

    async def drop(
        self,
        key: ParkedKey,
    ) -> bool:
        """Take a stream off the list, though its events are not applied; False: it is not on it."""
        return await self._bridge.run(self._sync.drop, key)

    async def fail(
        self,
        key: ParkedKey,
        worker: str,
        failure: SetAside,
    ) -> bool:
        """Give the lease back: an event failed again. False: the lease is lost.

        The entry's attempts grow by those of the failure if its first event is the one that failed;
        otherwise they are those of the failure.
        """
        return await self._bridge.run(self._sync.fail, key, worker, failure)

    async def forget_skipped(
        self,
        key: ParkedKey,
        place: Place,
    ) -> bool:
        """Take an event off the list of those left out; False: it is not on it."""
        return await self._bridge.run(self._sync.forget_skipped, key, place)

    async def park(
        self,
        key: ParkedKey,
        failure: SetAside,
    ) -> None:
        """Set a stream aside from a failed event on. A stream that is parked stays as it is."""
        await self._bridge.run(self._sync.park, key, failure)

    async def pass_over(
        self,
        key: ParkedKey,
        first: Place,
        last: Place,
    ) -> bool:
        """Note that the consumer passes over events of a parked stream.

        Args:
            key: the consumer and the stream.
            first: place of the first event to pass over. A place before the entry's own becomes the
                entry's, and a worker that retries the stream loses its lease: the consumer was set
                back.
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
        """Move an entry's first event and give the lease back; False: the lease is lost."""
        return await self._bridge.run(self._sync.release, key, worker, first)

    def scoped_for_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Return what one tenant's consumers have parked; this object does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        return self._like(self._sync.scoped_for_tenant(tenant_id))

    async def skip(
        self,
        key: ParkedKey,
        failure: SetAside,
    ) -> None:
        """List an event that the consumer leaves out."""
        await self._bridge.run(self._sync.skip, key, failure)

    async def skipped(
        self,
        name: str | None = None,
    ) -> list[SkippedEvent]:
        """Return the events that a consumer left out, in order; None: those of all consumers."""
        return await self._bridge.run(self._sync.skipped, name)

    async def streams(
        self,
        name: str,
    ) -> list[ParkedStream]:
        """Return the streams that a consumer has parked, in the order of their keys."""
        return await self._bridge.run(self._sync.streams, name)

    async def take(
        self,
        key: ParkedKey,
        worker: str,
        now_ms: int,
        until_ms: int,
    ) -> ParkedStream | None:
        """Take the lease on an entry, to retry its events; None: the stream is not parked.

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
        """Take a stream off the list, if the consumer has passed over no event after a place.

        Args:
            key: the consumer and the stream.
            worker: the worker that holds the lease.
            seen: `ParkedStream.seen` of the entry whose events are all applied.

        Returns:
            Whether the stream is off the list. If not, nothing changed: later events wait, or the
            lease is lost.
        """
        return await self._bridge.run(self._sync.unpark, key, worker, seen)
