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
        """Return the events that failed and are not published yet, dead or not, by position.

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
        """Run in a task: ``async with outbox.in_background(publish):``.

        Args are those of `run_forever`; the publisher is called in that task.

        Raises:
            Exception: at the end of the context, the error that ended the task.
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
        """Return another outbox of the same events, for another receiver.

        Args:
            name: text of at most 255 bytes, without ``#``.
        """
        return self._like(self._sync.named(name))

    @property
    def position(self) -> Coroutine[Any, Any, Position]:
        """Every event up to here was tried; 0 before the first run. Cost: 1 request."""
        return self._bridge.run(lambda: self._sync.position)

    async def reset(
        self,
        position: Position,
    ) -> None:
        """Set the position back or forward: the next run publishes the events after it.

        If you set it back, the events in between are published again. Entries do not change.

        Raises:
            InvalidPositionError: negative, or after the end of the log.
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
            UnknownOutboxEntryError: no entry is at that position; it was never there, or its event
                is published by now.
            InvalidPositionError: a negative position.
            InvalidConsumerError: the outbox's name cannot be part of a key.
            ServiceError: AWS refused or did not answer.
        """
        await self._bridge.run(self._sync.retry, position)

    async def retry_all(
        self,
    ) -> int:
        """Make the next run try all dead entries again; return their number.

        Entries that wait for their next try do not change. The errors are those of `entries`.
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
        """Run again and again until stopped.

        Without work, or while another worker has the lease, it looks again after 0.1 s, later after
        up to 1 s. It logs temporary errors (throttling, contention, lost connections) as warnings,
        and tries again.

        Args:
            publisher: see `run_once`, as for the other arguments.
            stop: set it in another task or a signal handler to return after the current run;
                None: run until an error.
            limit: most tries between two looks at ``stop``.
            attempts: most tries of an event; None: any number.
            give_up_after: how long an event is tried again.
            retry_delay: time between the first try and the second.
            lease: time that other workers stay out after each write.
            keep_unknown: pass on an event without a class.

        Returns:
            The work of all runs in one report; position and flags are those of the last run.

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

        Events that failed earlier are due once their delay is over. An event that cannot be
        published does not hold up the others; one whose stream was deleted is dropped.

        Args:
            publisher: any function, called with a `Recorded` for each event. If its attribute
                ``as_stored`` is True, as with the publishers in `dynamo_es.aws_lambda`, it gets
                the `RecordedRaw`, and needs no event classes. An exception of the publisher, or
                of making the typed event, is a failed try. A `BaseException` such as
                `KeyboardInterrupt` ends the run and does not count as a try.
            limit: most tries of this run, 1 or more.
            attempts: most tries of an event, 1 or more; None: as many as its time allows.
            give_up_after: how long an event is tried again, a timedelta or seconds. A try that
                fails so long after the event's first try is the last. Then the event is dead
                until `Outbox.retry`.
            retry_delay: time between the first try and the second; each further wait is
                twice the one before, up to an hour. 0: the next run tries again.
            lease: time that other workers stay out after each write of this one, 1 s or more.
                A publisher must return within half of that time.
            keep_unknown: pass an event without a class to the publisher as an `UnknownEvent`, with
                its data as stored. If False, such an event is a failed try.
            stop: set it to return after the current call of the publisher.

        Returns:
            What the run did. If another worker has the lease: nothing, and ``busy`` is True.

        Raises:
            InvalidSubscriptionError: the publisher is not callable, or a number
                is out of range. A publisher that returns an awaitable ends the run, and nothing
                moves.
            InvalidConsumerError: the outbox's name cannot be part of a key.
            InvalidPositionError: the outbox is after the end of the log: the log is a different
                or restored one.
            ServiceError: AWS refused or did not answer. Run again; the event that was published
                last may be published again.

        Cost on DynamoDB: without work 1 request and a read of the log, no write, and once a
        minute a look for events after the end of the log. With work 2 requests more, a write of
        1 unit for each call of the publisher, and writes of 4 to 6 units for each failed try and
        for each event published after one.
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
            UnknownOutboxEntryError: no entry is at that position.
            OutboxBusyError: a worker has the lease.
            EventStoreError: other errors of `retry`.

        Cost on DynamoDB: 5 requests.
        """
        await self._bridge.run(self._sync.skip, position)
