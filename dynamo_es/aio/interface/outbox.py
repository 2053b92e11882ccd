"""`AsyncOutbox`: scripts/async-interface writes it, from `Outbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over
from dynamo_es.outbox.terms import DEFAULT_AGE

if TYPE_CHECKING:
    from asyncio import Event
    from collections.abc import Coroutine
    from contextlib import AbstractAsyncContextManager
    from datetime import timedelta
    from typing import Any, Self

    from dynamo_es.contracts.consumers.outbox import OutboxEntry
    from dynamo_es.outbox.outbox import Outbox
    from dynamo_es.outbox.publishing import Publisher
    from dynamo_es.outbox.run import OutboxReport
    from dynamo_es.values import Position


class AsyncOutbox(Over):
    """Publishes events; see `Outbox`. A thread runs a publisher that is a plain function."""

    _sync: Outbox

    async def entries(
        self,
    ) -> list[OutboxEntry]:
        """Return the entries of failed events that are not published yet, sorted by position.

        Raises:
            InvalidConsumerError: the outbox's name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.entries)

    def in_background(  # noqa: PLR0913
        self,
        publisher: Publisher,
        limit: int = 100,
        *,
        attempts: int | None = None,
        give_up_after: timedelta | float = DEFAULT_AGE,
        retry_delay: timedelta | float = 1.0,
        lease: timedelta | float = 60.0,
        keep_unknown: bool = False,
    ) -> AbstractAsyncContextManager[Self]:
        """Run in a task during a block: ``async with outbox.in_background(publish):``.

        Arguments are those of `run_forever`. The publisher is called in that task.

        Raises:
            Exception: the task ended with an error; it is raised at the end of the block.
        """
        return self._background(
            lambda stop: self.run_forever(
                stop=stop,
                publisher=publisher,
                limit=limit,
                attempts=attempts,
                give_up_after=give_up_after,
                retry_delay=retry_delay,
                lease=lease,
                keep_unknown=keep_unknown,
            ),
            f"Outbox {self.name!r}",
        )

    @property
    def name(self) -> str:
        """The name of this outbox."""
        return self._sync.name

    def named(
        self,
        name: str,
    ) -> Self:
        """Return another outbox for the same events, with its own position, for another receiver.

        Args:
            name: name of that outbox, text of at most 255 bytes, without ``#``.
        """
        return self._like(self._sync.named(name))

    @property
    def position(self) -> Coroutine[Any, Any, Position]:
        """The outbox has tried every event up to here; 0 before the first run. Cost: 1 request."""
        return self._bridge.run(lambda: self._sync.position)

    async def reset(
        self,
        position: Position,
    ) -> None:
        """Set the position back or forward: the next run publishes the events after it.

        If you set it back, the events in between are published again. Entries do not change.

        Raises:
            InvalidPositionError: the position is negative, or after the end of the log.
            OutboxBusyError: a worker has the lease.
            EventStoreError: other errors of `entries`.

        Cost on DynamoDB: 5 requests.
        """
        await self._bridge.run(self._sync.reset, position)

    async def retry(
        self,
        position: Position,
    ) -> None:
        """Make the next run try a failed event again, with the tries and the time of a new event.

        Raises:
            UnknownOutboxEntryError: there is no entry at that position: its event never failed, or
                was published since.
            InvalidPositionError: the position is negative.
            InvalidConsumerError: the outbox's name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        await self._bridge.run(self._sync.retry, position)

    async def retry_all(
        self,
    ) -> int:
        """Make the next run try all dead entries again; return their number.

        Entries that wait for their next try do not change. Errors are those of `entries`.
        """
        return await self._bridge.run(self._sync.retry_all)

    async def run_forever(  # noqa: PLR0913
        self,
        publisher: Publisher,
        stop: Event | None = None,
        limit: int = 100,
        *,
        attempts: int | None = None,
        give_up_after: timedelta | float = DEFAULT_AGE,
        retry_delay: timedelta | float = 1.0,
        lease: timedelta | float = 60.0,
        keep_unknown: bool = False,
    ) -> OutboxReport:
        """Publish events as they come, until stopped.

        Without work, or while another worker has the lease, it looks again after 0.1 seconds, later
        after up to 1 second. It logs temporary errors (throttling, contention, lost connections) as
        warnings, and tries again.

        Args:
            publisher: as for `run_once`.
            stop: set it in another task or a signal handler to return after the current run;
                None: run until an error.
            limit: most tries between two looks at ``stop``.
            attempts: as for `run_once`.
            give_up_after: as for `run_once`.
            retry_delay: as for `run_once`.
            lease: as for `run_once`.
            keep_unknown: as for `run_once`.

        Returns:
            One report of all runs; position and flags are those of the last run.

        Raises:
            Exception: the errors of `run_once`, except for temporary ones.
        """
        return await self._bridge.run(
            self._sync.run_forever,
            self._handler(publisher),
            self._stop(stop),
            limit,
            attempts=attempts,
            give_up_after=give_up_after,
            retry_delay=retry_delay,
            lease=lease,
            keep_unknown=keep_unknown,
        )

    async def run_once(  # noqa: PLR0913
        self,
        publisher: Publisher,
        limit: int = 100,
        *,
        attempts: int | None = None,
        give_up_after: timedelta | float = DEFAULT_AGE,
        retry_delay: timedelta | float = 1.0,
        lease: timedelta | float = 60.0,
        keep_unknown: bool = False,
        stop: Event | None = None,
    ) -> OutboxReport:
        """Publish the events that are due, and then the new ones, in the order of positions.

        Events that failed earlier are due when their delay is over. An event that cannot be
        published does not stop the others. A failed event whose stream was deleted is dropped.

        Args:
            publisher: any function, called with a `Recorded` for each event. If its attribute
                ``as_stored`` is True, as with the publishers in `dynamo_es.aws_lambda`, it gets the
                `RecordedRaw`, and needs no event classes. If the publisher raises an exception, or
                the event does not load, that is a failed try. A `BaseException` such as
                `KeyboardInterrupt` ends the run and does not count as a try.
            limit: most tries of this run, 1 or more.
            attempts: most tries of an event, 1 or more; None: as many as ``give_up_after`` allows.
            give_up_after: how long an event is tried again, a timedelta or seconds. The first
                failure after this time since the event's first try is the last: the event is dead
                until `Outbox.retry`.
            retry_delay: time between the first try and the second, a timedelta or seconds; each
                further wait is twice as long, up to an hour. 0: the next run tries again.
            lease: time that other workers stay out after each write of this worker, a timedelta or
                seconds, 1 second or more. A publisher must return within half of this time.
            keep_unknown: whether to pass an event without a class to the publisher as an
                `UnknownEvent`, with its data as stored. False: such an event is a failed try.
            stop: set it to return after the current call of the publisher.

        Returns:
            A report of the run. If another worker has the lease, nothing was done, and ``busy`` is
            True.

        Raises:
            InvalidSubscriptionError: the publisher is not callable, or a number is
                out of range. Also if the publisher returns an awaitable: the event then counts as
                not tried.
            InvalidConsumerError: the outbox's name cannot be part of a key.
            InvalidPositionError: the outbox is after the end of the log, so the log is another or a
                restored one.
            ServiceError: AWS refused or did not answer. Run again; the events of the last publisher
                call may be published again.

        Cost on DynamoDB: without work, 1 request and a read of the log, no write, and once a minute
        a look for events without a position. With work, 2 requests more, a write of 1 unit for each
        call of the publisher, and writes of 4 to 6 units for each failed try and for each event
        that is published after a failed try.
        """
        return await self._bridge.run(
            self._sync.run_once,
            self._handler(publisher),
            limit,
            attempts=attempts,
            give_up_after=give_up_after,
            retry_delay=retry_delay,
            lease=lease,
            keep_unknown=keep_unknown,
            stop=self._stop(stop),
        )

    async def skip(
        self,
        position: Position,
    ) -> None:
        """Drop an entry, dead or not, without publishing its event.

        Raises:
            UnknownOutboxEntryError: there is no entry at that position.
            OutboxBusyError: a worker has the lease.
            EventStoreError: other errors of `retry`.

        Cost on DynamoDB: 5 requests.
        """
        await self._bridge.run(self._sync.skip, position)
