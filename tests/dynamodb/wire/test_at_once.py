"""Several calls at once: order, failures, threads, interruption, and forks."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from threading import Barrier, Event

import pytest

from dynamo_es.dynamodb.wire.parallel.at_once import AtOnce

SECONDS = 10.0
"""How long a test waits for a thread that does not come."""


def test_outcomes_are_in_the_order_of_the_calls():
    assert AtOnce(3).run(lambda place: place * 10, 20) == [place * 10 for place in range(20)]


def test_no_calls_have_no_outcomes():
    assert AtOnce(3).run(lambda place: place, 0) == []


def test_a_failure_is_the_outcome_of_its_call_alone():
    def call(place: int) -> int:
        if place % 2:
            raise ValueError(place)
        return place

    first, second, third = AtOnce(2).run(call, 3)
    assert (first, third) == (0, 2)
    assert isinstance(second, ValueError)


def test_as_many_calls_run_at_once_as_are_allowed():
    barrier = Barrier(3)
    # Passes only if three calls wait at the same time.
    assert AtOnce(3).run(lambda _: barrier.wait(SECONDS) >= 0, 6) == [True] * 6


def test_never_more_run_at_once_than_are_allowed():
    lock, running, most = threading.Lock(), 0, 0
    pause = Event()

    def call(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pause.wait(0.002)
        with lock:
            running -= 1

    AtOnce(3).run(call, 20)
    assert most == 3


@pytest.mark.parametrize(("most", "number"), [(1, 5), (4, 1)])
def test_without_need_the_caller_does_it_all(most, number):
    before = threading.active_count()
    names = AtOnce(most).run(lambda _: threading.current_thread(), number)
    assert names == [threading.current_thread()] * number
    assert threading.active_count() == before


def test_threads_are_kept_for_the_next_calls():
    at_once = AtOnce(2)
    seen: set[object] = set()
    for _ in range(5):
        barrier = Barrier(2)

        def call(_: int, barrier: Barrier = barrier) -> None:
            barrier.wait(SECONDS)
            seen.add(threading.current_thread())

        at_once.run(call, 2)
    assert len(seen) == 2


def test_with_all_threads_busy_the_caller_goes_on_alone():
    at_once = AtOnce(2)
    busy, free = Barrier(3), Event()

    def waiting(_: int) -> None:
        busy.wait(SECONDS)
        free.wait(SECONDS)

    other = threading.Thread(target=lambda: at_once.run(waiting, 2))
    other.start()
    busy.wait(SECONDS)
    try:
        assert at_once.run(lambda place: place, 5) == [0, 1, 2, 3, 4]
    finally:
        free.set()
        other.join(SECONDS)


def test_a_call_sees_the_context_of_the_caller():
    span = ContextVar("span", default="none")
    span.set("mine")
    barrier = Barrier(2)

    def call(_: int) -> str:
        barrier.wait(SECONDS)
        return span.get()

    assert AtOnce(2).run(call, 2) == ["mine", "mine"]


def test_after_an_interruption_no_call_begins_and_no_thread_hangs():
    begun: list[int] = []
    started, end = Barrier(2), Event()
    main = threading.current_thread()

    def call(place: int) -> None:
        begun.append(place)
        if len(begun) <= 2:
            started.wait(SECONDS)
        if threading.current_thread() is main:
            raise KeyboardInterrupt
        end.wait(SECONDS)

    at_once = AtOnce(2)
    with pytest.raises(KeyboardInterrupt):
        at_once.run(call, 50)
    end.set()
    # The thread is free again, and the interrupted calls are gone.
    barrier = Barrier(2)
    assert at_once.run(lambda _: barrier.wait(SECONDS) >= 0, 2) == [True, True]
    assert sorted(begun) == [0, 1]


def test_when_no_thread_can_begin_the_caller_does_it_all(monkeypatch):
    def refuse(*_: object) -> None:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor.submit", refuse)
    assert AtOnce(4).run(lambda place: place, 3) == [0, 1, 2]


def test_a_forked_child_has_threads_of_its_own():
    at_once = AtOnce(2)
    at_once.run(lambda place: place, 2)
    at_once.after_fork()
    barrier = Barrier(2)
    assert at_once.run(lambda _: barrier.wait(SECONDS) >= 0, 2) == [True, True]
