"""A projection may handle several streams at once; each stream is handled in order."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from typing import Any

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.aio import AsyncMemoryBackend
from dynamo_es.exceptions import InvalidSubscriptionError


class Stepped(Event):
    __event_name__ = "by_stream.stepped"

    stream: int
    number: int


async def _append(backend: AsyncMemoryBackend, streams: int, events: int) -> None:
    for number in range(events):
        for stream in range(streams):
            await backend.event_store.append(
                Stepped(stream=stream, number=number),
                stream_id=StreamId(name=str(stream)),
                expected_version=number,
            )


class Handler:
    """Handles events slowly, and sees how many at once."""

    def __init__(self, fails_at: tuple[int, int] | None = None) -> None:
        self.fails_at = fails_at
        self.seen: defaultdict[int, list[int]] = defaultdict(list)
        self.running: set[int] = set()
        self.most = 0
        self.cancelled = 0

    async def __call__(self, recorded: Any) -> None:
        event = recorded.wrapped_event.event
        assert event.stream not in self.running
        self.running.add(event.stream)
        self.most = max(self.most, len(self.running))
        try:
            await asyncio.sleep(0.01)
            if (event.stream, event.number) == self.fails_at:
                raise LookupError
            self.seen[event.stream].append(event.number)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running.discard(event.stream)


def test_streams_are_handled_at_once_and_each_in_order():
    async def run() -> Handler:
        async with AsyncMemoryBackend() as backend:
            await _append(backend, 5, 4)
            handler = Handler()
            report = await backend.projection("p", handler).by_stream(3).run_once()
            assert (report.handled, report.position) == (20, 20)
            assert await backend.projection("p", handler).position == 20
            return handler

    handler = asyncio.run(run())
    assert handler.most == 3
    assert dict(handler.seen) == {stream: [0, 1, 2, 3] for stream in range(5)}


def test_a_plain_handler_runs_in_several_threads():
    threads: set[int] = set()

    def handle(_: Any) -> None:
        threads.add(threading.get_ident())
        time.sleep(0.01)

    async def run() -> None:
        async with AsyncMemoryBackend() as backend:
            await _append(backend, 5, 1)
            await backend.projection("p", handle).by_stream(5).run_once()

    asyncio.run(run())
    assert len(threads) > 1


def test_the_checkpoint_stops_before_a_failing_event_and_nothing_runs_on():
    async def run() -> tuple[Handler, int | None]:
        async with AsyncMemoryBackend() as backend:
            await _append(backend, 4, 3)
            handler = Handler(fails_at=(1, 1))
            projection = backend.projection("p", handler).by_stream(4)
            with pytest.raises(LookupError):
                await projection.run_once()
            assert not handler.running
            stopped = await projection.position
            handler.fails_at = None
            report = await projection.run_once()
            assert report.position == 12
            return handler, stopped

    handler, stopped = asyncio.run(run())
    assert stopped == 5  # the sixth event is the second one of the second stream
    assert handler.seen[1] == [0, 1, 2]
    for numbers in handler.seen.values():
        assert list(dict.fromkeys(numbers)) == [0, 1, 2]


def test_a_cancelled_run_leaves_no_handler_behind_and_gives_its_lease_back():
    async def run() -> Handler:
        async with AsyncMemoryBackend() as backend:
            await _append(backend, 4, 50)
            handler = Handler()
            projection = backend.projection("p", handler).by_stream(4)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await projection.run_forever()
            assert not handler.running
            report = await projection.run_once()  # at once: the lease is free
            assert report.position == 200
            return handler

    handler = asyncio.run(run())
    for numbers in handler.seen.values():
        assert sorted(set(numbers)) == list(range(50))


def test_a_version_catches_up_by_stream_and_is_promoted():
    async def run() -> Handler:
        async with AsyncMemoryBackend() as backend:
            await _append(backend, 3, 3)
            await backend.projection("p", Handler()).run_once()
            await _append_more(backend)
            handler = Handler()
            second = backend.projection("p", handler, version=2).by_stream(3)
            report = await second.catch_up()
            assert report.position == 9
            await second.promote()
            assert await backend.projections.live("p") == 2
            await second.run_once()
            return handler

    handler = asyncio.run(run())
    assert handler.most == 3
    assert handler.seen[0] == [0, 1, 2, 3]


async def _append_more(backend: AsyncMemoryBackend) -> None:
    await backend.event_store.append(
        Stepped(stream=0, number=3), stream_id=StreamId(name="0"), expected_version=3
    )


@pytest.mark.parametrize("streams", [0, -1, True, 1.5])
def test_a_number_of_streams_that_is_none_is_refused(streams):
    projection = AsyncMemoryBackend().projection("p", Handler())
    with pytest.raises(InvalidSubscriptionError, match="streams must be an integer of 1 or more"):
        projection.by_stream(streams)


def test_projections_that_set_events_aside_and_projectors_are_refused():
    backend = AsyncMemoryBackend()
    with pytest.raises(InvalidSubscriptionError, match="on_failure"):
        backend.projection("p", Handler(), on_failure="skip").by_stream(2)
    projector = backend.projector("q", lambda *_: None)
    with pytest.raises(InvalidSubscriptionError, match="projector"):
        backend.projection("p", projector).by_stream(2)
