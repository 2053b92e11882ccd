"""The worker of a tag index runs, stops and fails as the other workers do."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, cast

import pytest

from dynamo_es import Boundary, BoundaryIndex, MemoryBackend
from dynamo_es.aio import AsyncBoundaryIndex, AsyncMemoryBackend
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.event_store.registry import EventRegistry
from dynamo_es.event_store.serde import Serde
from dynamo_es.exceptions import (
    CredentialsError,
    InputError,
    InvalidStreamIdError,
    InvalidSubscriptionError,
    ThrottledError,
)
from dynamo_es.memory import MemoryStorage


class Indexed(MemoryStorage):
    """A storage whose index has so many events to take, or fails, one call after the other."""

    def __init__(self, *outcomes: int | Exception, stop: threading.Event | None = None) -> None:
        super().__init__()
        self.outcomes = list(outcomes)
        self.stop = stop
        self.asked: list[int] = []

    def index_tags(self, stream_id, most=1_000):
        assert stream_id == boundary_stream("courses")
        self.asked.append(most)
        outcome = self.outcomes.pop(0) if self.outcomes else 0
        if not self.outcomes and self.stop is not None:
            self.stop.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def index_of(storage):
    return BoundaryIndex(storage, boundary_stream("courses"))


def test_one_run_ends_when_nothing_is_left():
    storage = Indexed(10, 10, 3)

    assert index_of(storage).run_once(10) == 23
    assert storage.asked == [10, 10, 10, 10]


def test_a_run_that_is_stopped_ends_after_its_batch():
    stop = threading.Event()
    storage = Indexed(10, 10, stop=stop)

    assert index_of(storage).run_once(10, stop=stop) == 20
    assert storage.asked == [10, 10]


def test_it_runs_until_stopped_and_goes_on_after_temporary_errors(monkeypatch, caplog):
    monkeypatch.setattr("dynamo_es.boundaries.indexing._WAIT", 0)
    stop = threading.Event()
    storage = Indexed(5, ThrottledError("index_tags", "Throttling", "slow down"), 0, 7, stop=stop)

    with caplog.at_level(logging.WARNING, "dynamo_es"):
        assert index_of(storage).run_forever(stop) == 12
    [line] = caplog.messages
    assert line.startswith("Tag index of boundary ")
    assert "failed and tries again" in line


def test_other_errors_end_it():
    with pytest.raises(CredentialsError):
        index_of(Indexed(CredentialsError("index_tags", "None", "none"))).run_forever()


def test_it_runs_in_the_background():
    done = threading.Event()
    storage = Indexed(4, stop=done)

    with index_of(storage).in_background(7) as index:
        assert done.wait(10)
    assert index.stream_id == boundary_stream("courses")
    assert set(storage.asked) == {7}


def test_the_error_that_ended_the_thread_is_raised_at_the_end(caplog):
    done = threading.Event()
    storage = Indexed(CredentialsError("index_tags", "None", "none"), stop=done)

    with pytest.raises(CredentialsError), index_of(storage).in_background():
        assert done.wait(10)
    assert "has ended with an error" in caplog.text


@pytest.mark.parametrize("wrong", [0, -1, True, "1", 1.0, None])
def test_a_batch_has_1_event_or_more(wrong):
    index = index_of(Indexed())
    calls = [index.run_once, lambda size: index.run_forever(batch_size=size)]
    for call in [*calls, lambda size: index.in_background(size).__enter__()]:
        with pytest.raises(InputError, match="batch_size must be an integer of 1 or more"):
            call(wrong)
    assert cast("Any", index.storage).asked == []


@pytest.mark.parametrize("wrong", [5, "text", True])
def test_what_cannot_stop_a_run_is_refused(wrong):
    index = index_of(Indexed())
    for call in (index.run_forever, lambda stop: index.run_once(stop=stop)):
        with pytest.raises(InvalidSubscriptionError, match=r"stop\.is_set must be callable"):
            call(wrong)


def test_an_index_is_of_a_storage_and_a_stream():
    wrong: Any = None
    with pytest.raises(InputError, match="storage must be a StorageStrategy"):
        BoundaryIndex(wrong, boundary_stream("courses"))
    with pytest.raises(InvalidStreamIdError):
        BoundaryIndex(MemoryStorage(), wrong)


def test_in_memory_there_is_nothing_to_index():
    with MemoryBackend() as backend:
        index = backend.boundary("courses").index
        assert index.run_once() == 0


def test_tasks_run_it_too():
    async def run() -> tuple[Any, list[int]]:
        async with AsyncMemoryBackend() as backend:
            index = backend.boundary("courses").index
            storage = Indexed(5, 7)
            made = AsyncBoundaryIndex(index_of(storage), index._bridge)
            stop = asyncio.Event()
            total = await made.run_once(9)
            async with made.in_background(3):
                await asyncio.sleep(0.01)
            stop.set()
            assert await made.run_forever(stop) == 0
            return total, storage.asked

    total, asked = asyncio.run(run())
    assert total == 12
    assert asked == [9, 9, 9, 3]


def test_a_boundary_has_the_index_of_its_stream():
    storage = MemoryStorage()
    boundary = Boundary(storage, Serde(EventRegistry(), cast("Any", None)), "courses")
    assert boundary.index == index_of(storage)
