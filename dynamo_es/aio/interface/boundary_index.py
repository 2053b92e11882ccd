"""`AsyncBoundaryIndex`: scripts/async-interface writes it, from `BoundaryIndex`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from asyncio import Event
    from contextlib import AbstractAsyncContextManager
    from typing import Self

    from dynamo_es.boundaries.indexing import BoundaryIndex


class AsyncBoundaryIndex(Over):
    """Writes which events of a boundary have which tag; see `BoundaryIndex`."""

    _sync: BoundaryIndex

    def in_background(
        self,
        batch_size: int = 1000,
    ) -> AbstractAsyncContextManager[Self]:
        """Run in a task during a block: ``async with courses.index.in_background():``.

        Args:
            batch_size: as for `run_once`.

        Raises:
            InputError: ``batch_size`` is not an integer of 1 or more.
            Exception: the task ended with an error; it is raised at the end of the block.
        """
        return self._background(
            lambda stop: self.run_forever(stop=stop, batch_size=batch_size),
            f"Tag index of boundary {self._sync.stream_id}",
        )

    async def run_forever(
        self,
        stop: Event | None = None,
        batch_size: int = 1000,
    ) -> int:
        """Index events until stopped; return how many. It looks for new events each second.

        It logs temporary errors (throttling, contention, lost connections) as warnings, and tries
        again.

        Args:
            stop: set it in another task or a signal handler to return after the current batch;
                None: run until an error.
            batch_size: as for `run_once`.

        Raises:
            EventStoreError: the errors of `run_once`, except for temporary ones.
        """
        return await self._bridge.run(self._sync.run_forever, self._stop(stop), batch_size)

    async def run_once(
        self,
        batch_size: int = 1000,
        *,
        stop: Event | None = None,
    ) -> int:
        """Index the events that the boundary has now; return how many this run indexed.

        Args:
            batch_size: number of events that are indexed together, 1 or more. Fewer, larger batches
                cost less.
            stop: set it to return after the current batch.

        Raises:
            InputError: ``batch_size`` is not an integer of 1 or more.
            InvalidSubscriptionError: ``stop`` cannot stop a run.
            StoredItemError: this release cannot read an item.
            ServiceError: AWS refused a request or did not answer. Run it again.

        Cost on DynamoDB: 2 requests if there is nothing to index; else 3 to 4 for each batch, and 2
        for each different tag in it, to read and to write the tag's newest page.
        """
        return await self._bridge.run(self._sync.run_once, batch_size, stop=self._stop(stop))
