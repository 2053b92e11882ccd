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

        None stands for the streams without a category. It costs as much as `tenants`.

        Args:
            tenant_id: tenant of the streams.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
            ServiceError: AWS refused or did not answer.
        """
        return self._bridge.iterate(self._sync.categories(tenant_id))

    @property
    def last_position(self) -> Coroutine[Any, Any, Position | None]:
        """The last position that an event has; None if the log is empty."""
        return self._bridge.run(lambda: self._sync.last_position)

    async def position_at(
        self,
        moment: datetime,
    ) -> Position:
        """Return the last position that was assigned before a moment; 0 if there was none.

        ``subscriber.after(log.position_at(two_hours_ago))`` gets every event that reached the log
        in the last two hours, and no other event.

        The time of a position is when a sequencer wrote its page of the log, by the clock of that
        sequencer. All positions of a page have the same time, which is a little later than that of
        the append. If the clocks of several sequencers differ, the result is wrong by as much. In a
        log that was rebuilt, the times are those of the rebuild.

        Args:
            moment: a datetime with a time zone. After the end of the log, the result is the last
                position.

        Raises:
            InputError: the moment is not a datetime, or has no time zone.
            TenantRequiredError: each tenant has its own log; use `scoped_for_tenant`.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 3 requests at the same time, and then a binary search among the pages of
        the minutes around the moment: usually fewer than 10 requests, 40 at most.
        """
        return await self._bridge.run(self._sync.position_at, moment)

    async def reader(
        self,
        after: Start,
        selection: Selection = EVERYTHING,
    ) -> AsyncLogReader:
        """Return a reader of the events after a position.

        Args:
            after: position to begin after, exclusive; 0 for the whole log. For the logs of all
                tenants, you may give a position for each tenant; logs without one are read from the
                beginning.
            selection: selects the events to read.

        Raises:
            InvalidPositionError: a position is negative, or after the end of the log.
            TenantRequiredError: you gave one position above 0 for the logs of all tenants.
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
        log table, 1 request per MB, each sent when the iterator needs it. Keep the list if you need
        it often.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
        return self._bridge.iterate(self._sync.tenants())

    async def unsequenced(
        self,
    ) -> bool:
        """Check cheaply whether stored events have no position yet.

        Consumers call this at the end of the log: if no sequencer runs, no event gets a position,
        and no consumer gets an event. The first check that finds such events logs a warning.

        The check finds such events if the log is empty, if this process appended the newest one, or
        if they belong to one of the log's newest streams. It may miss others, such as a new stream
        of another process; `dynamo-es log verify` finds all. In an empty log of one tenant, it only
        looks for the event that this process appended. While a sequencer runs, the result may be
        True for about a second after an append. If the check fails, it returns False; it never
        raises.
        """
        return await self._bridge.run(self._sync.unsequenced)
