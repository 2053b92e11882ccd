"""`AsyncSequencer`: gives events their positions in the log, in a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from asyncio import Event
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Self

    from dynamo_es.dynamodb.table_stream.poller import SequencerReport, StreamPoller
    from dynamo_es.dynamodb.table_stream.rounds import Polled


class AsyncSequencer(Over):
    """Gives events their positions in the log; see `StreamPoller`. It works in a thread."""

    _sync: StreamPoller

    async def poll(self) -> Polled:
        """Read each shard once, and sequence the new records; see `StreamPoller.poll`."""
        return await self._bridge.run_in_thread(self._sync.poll)

    async def save(self) -> None:
        """Save the places that were reached in the shards; see `StreamPoller.save`."""
        await self._bridge.run_in_thread(self._sync.save)

    async def run_once(
        self,
        stop: Event | None = None,
        on_progress: Callable[[SequencerReport], object] | None = None,
    ) -> SequencerReport:
        """Poll until no more records come; see `StreamPoller.run_once`."""
        return await self._run(self._sync.run_once, stop, on_progress)

    async def run_forever(
        self,
        stop: Event | None = None,
        on_progress: Callable[[SequencerReport], object] | None = None,
    ) -> SequencerReport:
        """Poll until stopped, or until the task is cancelled; see `StreamPoller.run_forever`."""
        return await self._run(self._sync.run_forever, stop, on_progress)

    def in_background(
        self, on_progress: Callable[[SequencerReport], object] | None = None
    ) -> AbstractAsyncContextManager[Self]:
        """Run during an ``async with`` block: ``async with backend.sequencer.in_background():``.

        Args:
            on_progress: see `run_forever`.

        Raises:
            Exception: the run ended with an error; it is raised at the end of the block.
        """
        return self._background(lambda stop: self.run_forever(stop, on_progress), "Sequencer")

    async def _run(
        self, run: Callable[..., SequencerReport], stop: Event | None, on_progress: object
    ) -> SequencerReport:
        stopped = self._stop(stop)  # raises unless it is an event
        flag = threading.Event()
        waiting = asyncio.create_task(stopped.until_set())
        waiting.add_done_callback(lambda _: flag.set())
        try:
            return await self._bridge.run_in_thread(
                lambda: run(flag, self._plain(on_progress)), flag.set
            )
        finally:
            waiting.cancel()
