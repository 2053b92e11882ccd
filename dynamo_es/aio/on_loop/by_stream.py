"""Runs a projection's handler for several streams at once, and for each stream in order.

The projection itself does not change: it takes one event after the other, and waits for its
handler. With the first event of a batch, the handlers of the other events in the batch begin too,
each after that of the previous event in its stream. So the checkpoint still moves only past handled
events, and at most one batch is handled again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.projections.projection import Projection
from dynamo_es.projections.projector import Projector
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.aio.bridges.bridge import Bridge
    from dynamo_es.contracts.consumers.live_versions import LiveVersion
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.projections.parts import ProjectionReport
    from dynamo_es.values import RecordedRaw

    Place = tuple[str, int]
    Begun = tuple[RecordedRaw, asyncio.Future[object]]


class Ahead:
    """Begins the handlers of a batch before the projection reaches their events.

    Args:
        handler: handler of the projection.
        reads: turns a raw event into a typed one.
        most: most streams at once.
        batch_size: most events between two checkpoints.
        bridge: runs the handler.
    """

    def __init__(
        self,
        handler: Callable[[Recorded], object],
        reads: Callable[[RecordedRaw], Recorded],
        most: int,
        batch_size: int,
        bridge: GreenletBridge,
    ) -> None:
        self._handler = handler
        self._reads = reads
        self._most = most
        self._size = batch_size
        self._bridge = bridge
        self._batch_of: dict[Place, Sequence[RecordedRaw]] = {}
        self._outcomes: dict[Place, asyncio.Future[object]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def learn(self, records: list[RecordedRaw]) -> None:
        """Remember the records that the projection handles next."""
        self._batch_of = {}
        for start in range(0, len(records), self._size):
            batch = records[start : start + self._size]
            self._batch_of.update((_place(record), batch) for record in batch)

    def handle(self, recorded: Recorded) -> object:
        """Return the result of an event's handler; the first of a batch begins all its handlers."""
        place = (recorded.tenant_id, recorded.position)
        batch = self._batch_of.get(place)
        if batch is not None and _place(batch[0]) == place:
            self._begin(batch)
        outcome = self._outcomes.pop(place, None)
        if outcome is None:
            return self._handler(recorded)
        try:
            return self._bridge.wait_for(_outcome(outcome))
        except _NotBegunError:
            return self._handler(recorded)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Cancel the running handlers and wait for their end, before another worker takes over."""
        tasks, self._tasks = self._tasks, []
        self._outcomes.clear()
        running = [task for task in tasks if not task.done()]
        for task in running:
            task.cancel()
        if running:
            self._bridge.wait_for(_ended(running))

    def _begin(self, batch: Sequence[RecordedRaw]) -> None:
        self.end()
        loop = asyncio.get_running_loop()
        streams: defaultdict[Any, list[Begun]] = defaultdict(list)
        for record in batch:
            outcome = self._outcomes[_place(record)] = loop.create_future()
            streams[record.tenant_id, record.entry.stream_id].append((record, outcome))
        waiting = list(streams.values())
        waiting.reverse()
        self._tasks = [
            loop.create_task(self._work(waiting)) for _ in range(min(self._most, len(streams)))
        ]

    async def _work(self, waiting: list[list[Begun]]) -> None:
        """Handle the events of one stream after the other, until none is left."""
        while waiting:
            await self._handle_all(waiting.pop())

    async def _handle_all(self, events: list[Begun]) -> None:
        try:
            for record, outcome in events:
                try:
                    done = await self._bridge.run(lambda r=record: self._handler(self._reads(r)))
                except Exception as error:  # noqa: BLE001 - raised where the projection comes to it
                    outcome.set_exception(error)
                    outcome.exception()  # seen
                    return
                outcome.set_result(done)
        finally:
            for _, outcome in events:
                if not outcome.done():
                    outcome.set_exception(_NotBegunError())
                    outcome.exception()


class _NotBegunError(Exception):
    """The handler has not begun with an event, because an earlier event of its stream failed."""


def _place(record: RecordedRaw) -> Place:
    return record.tenant_id, record.position


async def _outcome(outcome: asyncio.Future[object]) -> object:
    return await asyncio.shield(outcome)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    with suppress(asyncio.CancelledError):
        await asyncio.wait(tasks)


class _Proxy:
    """A proxy of a log or of checkpoints that replaces some methods."""

    def __init__(self, whole: Any, **instead: Callable[..., Any]) -> None:
        self._whole = whole
        self.__dict__.update(instead)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


class ByStream(Projection):
    """A projection that handles several streams at once; made by `by_stream`."""

    _ahead: Ahead
    _original: Projection
    _again: Callable[[Projection], Projection]

    def catch_up(self, *arguments: Any, **named: Any) -> ProjectionReport:
        """Handle the events up to the live version's position; see `Projection.catch_up`."""
        lagging = copy(self._original)
        log = self._original._versioned.catching_up()  # noqa: SLF001 - of its own library
        lagging._parts = replace(self._original._parts, log=log)  # noqa: SLF001 - of its own library
        return self._again(lagging).run_once(*arguments, **named)

    def promote(self, *, force: bool = False) -> LiveVersion:
        """Make this version the live one; see `Projection.promote`."""
        return self._original.promote(force=force)

    def run_once(self, *arguments: Any, **named: Any) -> ProjectionReport:
        """Handle the events that the log has now; see `Projection.run_once`."""
        try:
            return super().run_once(*arguments, **named)
        finally:
            self._ahead.end()

    def run_forever(self, *arguments: Any, **named: Any) -> ProjectionReport:
        """Handle events until stopped; see `Projection.run_forever`."""
        try:
            return super().run_forever(*arguments, **named)
        finally:
            self._ahead.end()


def by_stream(projection: Projection, most: int, bridge: Bridge) -> Projection:
    """Return a projection that handles up to ``most`` streams at once.

    Raises:
        InvalidSubscriptionError: ``most`` is not an integer of 1 or more, the handler is a
            projector, or the projection sets failing events aside.
    """
    if type(most) is not int or most < 1:
        raise InvalidSubscriptionError(
            f"streams must be an integer of 1 or more, not {shown(most)}."
        )
    parts = projection._parts  # noqa: SLF001 - of its own library
    if isinstance(parts.handler, Projector):
        raise InvalidSubscriptionError(
            "by_stream takes no projector, which has its own order: give a function as the handler."
        )
    if parts.policy.then != "stop":
        raise InvalidSubscriptionError(
            'by_stream needs on_failure="stop", because it has begun events after a failing one.'
        )
    if not isinstance(bridge, GreenletBridge):
        return projection
    ahead = Ahead(parts.handler, parts.reads, most, parts.batch_size, bridge)

    def watched(log: Any) -> Any:
        def reader(*arguments: Any, **named: Any) -> Any:
            ahead.end()
            made = log.reader(*arguments, **named)

            def read() -> list[RecordedRaw]:
                records: list[RecordedRaw] = made.read()
                ahead.learn(records)
                return records

            return _Proxy(made, read=read)

        return _Proxy(
            log, reader=reader, scoped_for_tenant=lambda t: watched(log.scoped_for_tenant(t))
        )

    made: ByStream = object.__new__(ByStream)
    made.__dict__.update(projection.__dict__)
    # `reads` must come from the original log: a version's log has rules that the proxy lacks.
    made._parts = replace(  # noqa: SLF001 - of this module
        parts, handler=ahead.handle, deserialize=parts.reads, log=watched(parts.log)
    )
    made._ahead = ahead  # noqa: SLF001 - of this module
    made._original = projection  # noqa: SLF001 - of this module
    made._again = lambda lagging: by_stream(lagging, most, bridge)  # noqa: SLF001 - of this module
    return made
