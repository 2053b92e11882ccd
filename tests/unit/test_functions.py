"""Functions that would never run are refused, and only one's own clock ends a lease."""

import asyncio
import gc
import itertools
import warnings
from concurrent.futures import Future
from functools import partial

import pytest

from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.contracts.consumers.leases import LONGEST_SKEW, Lease, LeaseWatch
from dynamo_es.exceptions import AsynchronousFunctionError, InvalidSubscriptionError


async def handle(*_):
    raise AssertionError("it never runs")


async def stream(*_):
    yield


def generate(*_):
    yield


class Handler:
    async def __call__(self, *_):
        raise AssertionError("it never runs")

    async def method(self, *_):
        raise AssertionError("it never runs")

    @staticmethod
    async def static(*_):
        raise AssertionError("it never runs")

    @classmethod
    async def of_class(cls, *_):
        raise AssertionError("it never runs")


ASYNCHRONOUS = {
    "function": handle,
    "lambda's inside": partial(partial(handle, 1), 2),
    "generator": stream,
    "plain generator": generate,
    "object": Handler(),
    "partial of an object": partial(Handler(), 1),
    "method": Handler().method,
    "static method": Handler.static,
    "class method": Handler.of_class,
}


@pytest.mark.parametrize("function", ASYNCHRONOUS.values(), ids=ASYNCHRONOUS)
def test_what_can_be_seen_is_refused_at_once(function):
    with pytest.raises(AsynchronousFunctionError, match=r"A handler is (asynchronous|a generator)"):
        refuse_asynchronous(function, "A handler")


@pytest.mark.parametrize(
    "function", [print, len, dict, list.append, lambda: handle, partial(print)]
)
def test_plain_functions_are_not(function):
    refuse_asynchronous(function, "A handler")


@pytest.mark.parametrize("function", ASYNCHRONOUS.values(), ids=ASYNCHRONOUS)
def test_what_cannot_be_seen_is_refused_when_it_returns_without_a_warning_of_python(function):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidSubscriptionError, match="would never run"):
            refuse_unfinished(function(), function, "A handler")
        gc.collect(1)  # what is young: the rest of the heap takes half a second


def test_a_future_is_cancelled():
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    with pytest.raises(AsynchronousFunctionError):
        refuse_unfinished(future, print, "A handler")
    loop.close()
    assert future.cancelled()


def test_future_of_an_executor_is_refused_and_cancelled():
    future = Future()
    with pytest.raises(AsynchronousFunctionError, match="A handler is asynchronous"):
        refuse_unfinished(future, print, "A handler")
    assert future.cancelled()


LAZY = {
    "map": lambda: map(str, [1]),
    "filter": lambda: filter(None, [1]),
    "zip": lambda: zip([1], [2], strict=True),
    "chain": lambda: itertools.chain([1], [2]),
    "iterator of a list": lambda: iter([1]),
    "generator": generate,
}


@pytest.mark.parametrize("lazy", LAZY.values(), ids=LAZY)
def test_an_iterator_that_nobody_would_read_is_refused(lazy):
    with pytest.raises(AsynchronousFunctionError, match="A handler returned an iterator"):
        refuse_unfinished(lazy(), lazy, "A handler")


CONTAINERS = {
    "list": lambda one: [None, one],
    "tuple": lambda one: (1, one),
    "values of a dict": lambda one: {"a": 1, "b": one},
    "keys of a dict": lambda one: {one: 1},
    "set": lambda one: {one},
    "frozenset": lambda one: frozenset({one}),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("unfinished", [handle, stream, Future, generate])
def test_unfinished_object_in_a_container_is_refused_and_closed(container, unfinished):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AsynchronousFunctionError, match="would never run"):
            refuse_unfinished(container(unfinished()), print, "A handler")
        gc.collect(1)  # what is young: the rest of the heap takes half a second


def test_every_unfinished_object_in_a_container_is_closed():
    futures = [Future(), Future()]
    with pytest.raises(AsynchronousFunctionError):
        refuse_unfinished(futures, print, "A handler")
    assert all(future.cancelled() for future in futures)


@pytest.mark.parametrize(
    "returned", [None, 0, "", b"", [], [1, "a"], {}, {"a": [1]}, (), set(), object(), range(3)]
)
def test_whatever_else_comes_back_does_not_matter(returned):
    refuse_unfinished(returned, print, "A handler")


HELD = Lease("one", until=1_000, length=100)


def test_a_lease_is_over_when_no_beat_was_seen_for_its_length():
    watch = LeaseWatch()
    assert [watch.is_over("it", HELD, now) for now in (5_000, 5_099, 5_100)] == [False, False, True]


def test_a_beat_begins_it_again_and_so_does_another_holder():
    watch = LeaseWatch()
    watch.is_over("it", HELD, 0)
    assert not watch.is_over("it", HELD._replace(until=1_001), 100)
    assert not watch.is_over("it", HELD._replace(holder="two"), 200)
    assert not watch.is_over("other", HELD._replace(holder="two"), 300)
    assert watch.is_over("it", HELD._replace(holder="two"), 300)


def test_a_clock_that_was_set_back_waits_again():
    watch = LeaseWatch()
    watch.is_over("it", HELD, 500)
    assert not watch.is_over("it", HELD, 0)
    assert watch.is_over("it", HELD, 100)


def test_who_looks_once_takes_over_when_no_clock_could_be_so_wrong():
    assert not LeaseWatch().is_over("it", HELD, 999 + LONGEST_SKEW)
    assert LeaseWatch().is_over("it", HELD, 1_000 + LONGEST_SKEW)


def test_what_was_seen_is_bounded():
    watch = LeaseWatch()
    for number in range(10_050):
        watch.is_over(number, HELD, 0)
    assert len(watch._seen) == 10_000
