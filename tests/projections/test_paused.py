"""A paused projection handles nothing until it is resumed."""

from __future__ import annotations

import threading

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.exceptions import ProjectionPausedError, UnknownConsumerError

pytestmark = pytest.mark.inline


class Ticked(Event):
    __event_name__ = "paused.Ticked"

    number: int


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def name(request):
    return f"paused {request.node.name}"[:200]


@pytest.fixture
def tick(backend):
    def append(*numbers):
        for number in numbers:
            backend.event_store.append(Ticked(number=number), stream_id=StreamId())

    return append


@pytest.fixture
def seen():
    return []


@pytest.fixture
def projection(backend, name, given, seen):
    given.stream(StreamId()).with_commits_of(1)
    start = backend.log.last_position

    def make(**options):
        return backend.projection(
            name,
            lambda recorded: seen.append(recorded.wrapped_event.event.number),
            after=start,
            **options,
        )

    return make


def test_a_run_of_a_paused_projection_is_refused(backend, name, projection, tick, seen):
    tick(1)
    projection().run_once()
    projection().pause()
    tick(2)
    with pytest.raises(ProjectionPausedError):
        projection().run_once()
    assert [one.paused for one in backend.checkpoints.all() if one.name == name] == [True]
    projection().resume()
    projection().run_once()
    assert seen == [1, 2]
    assert [one.paused for one in backend.checkpoints.all() if one.name == name] == [False]


@pytest.mark.ci
def test_a_worker_notices_before_its_next_batch(projection, tick, seen):
    tick(1, 2)
    pause = threading.Event()
    with projection().in_background():
        wait_for(lambda: seen == [1, 2] and projection().position)
        pause.wait(0.2)  # it has come to the end of the log
        projection().pause()
        tick(3, 4)
        pause.wait(0.5)
        assert seen == [1, 2]
        projection().resume()
        wait_for(lambda: seen == [1, 2, 3, 4])


def test_a_busy_worker_ends_after_the_batch_in_hand(backend, name, projection, tick, seen):
    tick(1, 2, 3, 4, 5)
    projection(batch_size=2).run_once(stop=Limited(1))

    class Pausing(list[int]):
        def append(self, number):
            super().append(number)
            if number == 2:
                projection().pause()

    numbers = Pausing()
    run = backend.projection(
        name, lambda one: numbers.append(one.wrapped_event.event.number), batch_size=2
    )
    run.run_once()
    assert numbers == [2, 3]
    projection().resume()
    run.run_once()
    assert numbers == [2, 3, 4, 5]


def test_one_version_is_paused_and_not_another(backend, name, projection, tick, seen):
    tick(1)
    projection(version=1).run_once()
    projection(version=2).run_once()
    projection(version=1).pause()
    tick(2)
    with pytest.raises(ProjectionPausedError):
        projection(version=1).run_once()
    projection(version=2).run_once()
    assert seen == [1, 1, 2]


def test_a_reset_leaves_a_projection_paused(projection, tick):
    tick(1)
    projection().run_once()
    projection().pause()
    projection().reset()
    with pytest.raises(ProjectionPausedError):
        projection().run_once()


def test_a_projection_that_never_ran_cannot_be_paused(projection):
    with pytest.raises(UnknownConsumerError):
        projection().pause()
    with pytest.raises(UnknownConsumerError):
        projection().resume()


class Limited(threading.Event):
    """Is set after so many events."""

    def __init__(self, left):
        super().__init__()
        self._left = left + 2  # it is asked before the run and before its first piece

    def is_set(self):
        self._left -= 1
        return self._left < 0


def wait_for(condition):
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it does not happen")
