"""`AsyncLog`: scripts/async-interface writes it, from `LogStrategy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over
from dynamo_es.aio.interface.contracts.log_reader import AsyncLogReader
from dynamo_es.contracts.log import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from datetime import datetime
    from typing import Any

    from dynamo_es.contracts.log import LogStrategy, Selection, Start, StreamInLog
    from dynamo_es.values import Position, TenantId


class AsyncLog(Over):
    """Reads the log; see `LogStrategy`."""

    _sync: LogStrategy

    def categories(
        self,
        tenant_id: TenantId,
    ) -> AsyncGenerator[str | None]:
        """Yield each category of a tenant that has, or had, a stream in the log, in any order.

        None stands for the streams without a category. The cost is that of `tenants`.

        Args:
            tenant_id: tenant of the streams.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
            ServiceError: AWS refused or did not answer.
        """
        return self._bridge.iterate(self._sync.categories(tenant_id))

    @property
    def last_position(self) -> Coroutine[Any, Any, Position | None]:
        """The last position assigned; None if the log is empty."""
        return self._bridge.run(lambda: self._sync.last_position)

    async def position_at(
        self,
        moment: datetime,
    ) -> Position:
        """Return the last position that was assigned before a moment; 0: none was.

        ``subscriber.after(log.position_at(two_hours_ago))`` gets every event that reached the log
        in the last two hours, and no other one.

        The time is that of the sequencer: its clock says when it put a page of the log, and all
        positions of the page have that time. It is a little later than the time of the append.
        If the clocks of several sequencers differ, the answer is as wrong as they are. In a log
        that was rebuilt, the times are those of the rebuild.

        Args:
            moment: with a time zone; at the end of the log or later, the answer is the last
                position.

        Raises:
            InputError: not a datetime, or one without a time zone.
            TenantRequiredError: each tenant has a log; `scoped_for_tenant` returns that of one.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 3 requests at once, and then 1 for each halving of the pages that were
        put in the minutes around the moment: mostly fewer than 10. 40 at most.
        """
        return await self._bridge.run(self._sync.position_at, moment)

    async def reader(
        self,
        after: Start,
        selection: Selection = EVERYTHING,
    ) -> AsyncLogReader:
        """Return a reader of the events after a position.

        Args:
            after: position to begin after, exclusive; 0 for the whole log. With a log of each
                tenant, a position for each of them: the logs of others are read from the beginning.
            selection: the events to read.

        Raises:
            InvalidPositionError: negative, or after the end of the log.
            TenantRequiredError: one position above 0 for the logs of all tenants.
            ServiceError: AWS refused or did not answer.
        """
        return AsyncLogReader(
            await self._bridge.run(self._sync.reader, after, selection), self._bridge
        )

    def scoped_for_tenant(
        self,
        tenant_id: TenantId,
    ) -> AsyncLog:
        """Return the log that holds a tenant's events: this one, unless each tenant has its own.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        return AsyncLog(self._sync.scoped_for_tenant(tenant_id), self._bridge)

    def streams(
        self,
        category: str | None,
        tenant_id: TenantId,
    ) -> AsyncGenerator[StreamInLog]:
        """Yield the streams of a category that are in the log and not deleted.

        Args:
            category: category of the streams; None: streams without one.
            tenant_id: tenant of the streams.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        return self._bridge.iterate(self._sync.streams(category, tenant_id))

    def tenants(
        self,
    ) -> AsyncGenerator[TenantId]:
        """Yield each tenant that has, or had, a stream in the log, in any order.

        A tenant whose streams are all deleted may be among them. Cost on DynamoDB: a scan of the
        log's table, one request for each MB, each sent when the iterator gets there. Keep the
        list if you need it often.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        return self._bridge.iterate(self._sync.tenants())

    async def unsequenced(
        self,
    ) -> bool:
        """Check cheaply whether events are stored that have no position yet.

        Consumers ask this at the end of the log: if no sequencer runs, no event gets a position,
        and no consumer gets an event. The first check that finds such events logs a warning.

        The check finds such events if the log is empty, if this process appended the newest one,
        or if they belong to one of the log's newest streams. It may miss others, such as a new
        stream of another process: `dynamo-es log verify` finds all. In a tenant's own log that is
        empty, it looks for the event that this process appended only. While a sequencer runs, the
        answer may be True for the second or so that it takes.

        Raises nothing: if the check fails, it returns False.
        """
        return await self._bridge.run(self._sync.unsequenced)
