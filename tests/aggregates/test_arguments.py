"""Arguments of the wrong type are refused early, with an error of this library."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from math import nan

import pytest

from dynamo_es import MemoryBackend, Repository, StreamId, WrappedEvent
from dynamo_es.aggregates.retries import Retries
from dynamo_es.exceptions import AsynchronousFunctionError, InputError
from tests.aggregates.account import Account
from tests.event_store.accounts import Deposited


@pytest.fixture
def store():
    return MemoryBackend().event_store


async def a_coroutine(*_):
    raise AssertionError("it never runs")


def a_generator(*_):
    raise AssertionError("it never runs")
    yield


def a_value(value, *given):
    return value(*given) if callable(value) else value


@pytest.mark.parametrize("argument", ["sleep", "monotonic"])
@pytest.mark.parametrize("function", [asyncio.sleep, a_generator, partial(a_coroutine, 1)])
def test_a_clock_or_a_sleep_that_would_never_run_is_refused(store, argument, function):
    with pytest.raises(AsynchronousFunctionError, match=f"{argument} is a"):
        Repository(store, Account, **{argument: function})


@pytest.mark.parametrize("argument", ["sleep", "monotonic"])
@pytest.mark.parametrize("function", [None, 5, "text"])
def test_a_clock_and_a_sleep_are_callable(store, argument, function):
    with pytest.raises(InputError, match=f"{argument} must be callable, not"):
        Repository(store, Account, **{argument: function})


def test_a_sleep_that_returns_what_has_yet_to_run_is_refused():
    retries = Retries(10, None, lambda: 0.0, partial(a_value, a_coroutine))
    refused = RuntimeError("another writer was faster")
    assert not retries.wait_or_raise(refused)

    with pytest.raises(AsynchronousFunctionError, match="sleep is asynchronous"):
        retries.wait_or_raise(refused)


@pytest.mark.parametrize(
    "clock", [partial(a_value, one) for one in (a_coroutine, None, "1", True, nan)]
)
def test_a_clock_that_returns_no_number_is_refused(store, clock):
    repository = Repository(store, Account, monotonic=clock)

    with pytest.raises(InputError, match="monotonic"):
        repository.transact("ann", lambda account: account.deposit(5))

    assert repository.load("ann").stored_version == 0


@pytest.mark.parametrize("function", [a_coroutine, a_generator])
def test_a_decision_on_a_snapshot_that_has_yet_to_run_takes_none_and_is_logged(
    store, caplog, function
):
    repository = Repository(store, Account, snapshot_when=partial(a_value, function))

    repository.transact("ann", lambda account: account.deposit(5))

    assert "a snapshot at version 1 failed" in caplog.text
    assert re.search("snapshot_when (is a|returned an)", caplog.text)
    stream = StreamId(name="ann", category="account")
    assert [one.event for one in store.load_stream(stream)] == [Deposited(amount=5)]


@pytest.mark.parametrize("given", [None, 5, "text", MemoryBackend, MemoryBackend()])
def test_a_repository_takes_an_event_store(given):
    with pytest.raises(InputError, match="event_store must be an EventStore, not"):
        Repository(given, Account)


@pytest.mark.parametrize("factory", [5, "text", [], Account()])
def test_a_factory_is_callable(store, factory):
    with pytest.raises(InputError, match="factory must be callable"):
        Repository(store, factory)


@pytest.mark.parametrize("event", [None, 5, {}, Deposited, WrappedEvent(Deposited(amount=5))])
def test_what_is_emitted_is_an_event(event):
    account = Account()

    with pytest.raises(InputError, match="An emitted event must be an Event, not"):
        account._emit(event)

    assert account.__changes__ == []
    assert account.applied == []
