"""`MakesRepository`: the hand-written part of asynchronous repositories."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic

from dynamo_es.aggregates.repository import Repository, TAggregate
from dynamo_es.aggregates.retries import RETRY_FOR
from dynamo_es.aio.base import Over
from dynamo_es.aio.interface.event_store import AsyncEventStore
from dynamo_es.contracts.checks.arguments import check_kind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import timedelta

    from dynamo_es.aggregates.commands import CommandId
    from dynamo_es.aggregates.saving import TransactWith
    from dynamo_es.aggregates.streams import AggregateId
    from dynamo_es.event_store.wrapped import Context


class MakesRepository(Over, Generic[TAggregate]):
    """Makes the synchronous repository, and runs the ``with`` block of an aggregate."""

    _sync: Repository[TAggregate]

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        event_store: AsyncEventStore,
        factory: Callable[[], TAggregate] | None = None,
        *,
        every: int | None = None,
        snapshot_when: Callable[[TAggregate, int], bool] | None = None,
        retry_for: timedelta | float = RETRY_FOR,
        consistent: bool | None = None,
        group: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        check_kind("event_store", event_store, AsyncEventStore)
        bridge = event_store._bridge  # noqa: SLF001 - of this package
        repository = Repository(
            event_store._sync,  # noqa: SLF001 - of this package
            factory,
            every=every,
            snapshot_when=snapshot_when,
            retry_for=retry_for,
            consistent=consistent,
            group=group,
            sleep=bridge.sleep,
            monotonic=monotonic,
        )
        super().__init__(repository, bridge)

    @asynccontextmanager
    async def aggregate(
        self,
        id: AggregateId,
        aggregate: TAggregate | None = None,
        context: Context | None = None,
        *,
        transact_with: TransactWith[TAggregate] = (),
        command_id: CommandId | None = None,
    ) -> AsyncGenerator[TAggregate]:
        """Load an aggregate, and save the events that it emits in the ``async with`` block.

        Args:
            id: the aggregate's id: UUID, `StreamId` or name.
            aggregate: a new aggregate, without events; None: the factory makes one.
            context: metadata for the saved events.
            transact_with: as for `save`.
            command_id: as for `save`. If the command was decided before, the block gets the
                aggregate in the state before that command, and nothing is saved.

        Yields:
            The aggregate.

        Raises:
            ConcurrentStreamWriteError: another writer was faster. The aggregate keeps its changes.

        If the block raises, nothing is saved. Other errors and the cost: see `load` and `save`.
        """
        block: Any = self._sync.aggregate(
            id, aggregate, context, transact_with=transact_with, command_id=command_id
        )
        loaded: TAggregate = await self._bridge.run(block.__enter__)
        try:
            yield loaded
        except BaseException as error:
            # The synchronous block only raises the error again, and sends nothing.
            block.__exit__(type(error), error, error.__traceback__)
            raise
        await self._bridge.run(block.__exit__, None, None, None)
