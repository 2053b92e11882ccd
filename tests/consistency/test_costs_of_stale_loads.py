"""The requests of decisions on loads that need not be consistent."""

from __future__ import annotations

from random import Random

import pytest

from dynamo_es import Repository, StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError
from tests.aggregates.account import Account
from tests.consistency.stale_dynamo import Processes, StaleDynamo

STREAM = StreamId(name="ann", category="account")
STALE, READ, PUT = ("query", False), ("query", True), ("put_item", True)


class Behind(StaleDynamo):
    """A table whose eventually consistent queries show one state until a test chooses another."""

    shown = 0

    def _older(self):
        return self._states[self.shown]


@pytest.fixture
def table():
    table = Behind(Random(0))
    table._page = lambda: None
    return table


@pytest.fixture
def processes(table):
    return Processes(table)


@pytest.fixture
def other(processes):
    """A process that has deposited 1 and 2, of which no other process knows."""
    repository = Repository(processes.event_store(processes.storage()), Account)
    repository.transact("ann", lambda account: account.deposit(1))
    repository.transact("ann", lambda account: account.deposit(2))
    return repository


@pytest.fixture
def repository(processes, other, table):
    table.requests.clear()
    return Repository(processes.event_store(processes.storage()), Account, sleep=lambda _: None)


def deposit_5(account):
    account.deposit(5)
    return account.balance


def test_a_decision_on_the_newest_state_is_half_a_read_and_a_put(table, repository):
    table.shown = -1
    assert repository.transact("ann", deposit_5) == 8
    assert table.requests == [STALE, PUT]


def test_a_decision_on_an_old_state_goes_on_from_the_refusal_without_a_load(table, repository):
    table.shown = 1
    assert repository.transact("ann", deposit_5) == 8
    assert table.requests == [STALE, PUT, PUT]


def test_a_decision_that_missed_all_events_loads_again_once(table, repository):
    table.shown = 0
    assert repository.transact("ann", deposit_5) == 8
    # The first refusal carries the first event; after the second one it reads the rest.
    assert table.requests[:2] == [STALE, PUT]
    assert STALE not in table.requests[1:]
    assert len(table.requests) <= 6


def test_a_decision_that_raises_on_an_old_state_is_made_again(table, repository):
    table.shown = 1

    def withdraw_3(account):
        account.withdraw(3)
        return account.balance

    assert repository.transact("ann", withdraw_3) == 0
    assert table.requests == [STALE, READ, READ, PUT]


def test_after_a_refusal_the_state_is_known_to_be_new(table, repository):
    table.shown = 1
    # The second decision emits nothing, and needs no look at the end of the stream.
    repository.transact("ann", lambda account: account.deposit(1) if account.balance < 3 else None)
    assert table.requests == [STALE, PUT]


def test_a_decision_that_raises_on_the_newest_state_costs_a_look_at_its_end(table, repository):
    table.shown = -1
    with pytest.raises(ValueError, match="only 3 left"):
        repository.transact("ann", lambda account: account.withdraw(4))
    assert table.requests == [STALE, READ]


def test_a_decision_that_emits_nothing_is_made_on_the_newest_state(table, repository):
    for table.shown in (0, 1, 2):
        assert repository.transact("ann", lambda account: account.balance) == 3


def test_what_this_process_appended_is_shown_to_it(table, repository):
    table.shown = -1
    repository.transact("ann", deposit_5)
    table.shown = 2
    table.requests.clear()
    assert repository.load("ann").balance == 8
    assert table.requests == [STALE, READ]


def test_what_this_process_deleted_is_not_shown_to_it(table, processes, other):
    storage = processes.storage()
    storage.delete_stream(STREAM)
    table.shown = 2
    assert storage.fetch_events(STREAM, consistent=False) == []
    assert list(storage.iter_events(STREAM, consistent=False)) == []
    # Once it has seen the next generation, it reads at half the price again.
    other.transact("ann", deposit_5)
    table.shown = -1
    assert len(storage.fetch_events(STREAM, consistent=False)) == 1
    table.requests.clear()
    assert len(storage.fetch_events(STREAM, consistent=False)) == 1
    assert table.requests == [STALE]


def test_what_this_process_saw_deleted_is_not_shown_to_it_again(table, processes, other):
    storage = processes.storage()
    assert len(storage.fetch_events(STREAM)) == 2
    processes.storage().delete_stream(STREAM)
    assert storage.fetch_events(STREAM) == []
    table.shown = 2
    assert storage.fetch_events(STREAM, consistent=False) == []


def test_a_refusal_of_the_only_attempt_is_raised(table, repository):
    table.shown = 1
    with pytest.raises(ConcurrentStreamWriteError):
        repository.transact("ann", deposit_5, attempts=1)


def test_a_repository_may_ask_for_what_the_store_does_not(table, processes, other):
    store = processes.event_store(processes.storage())
    table.shown = 1
    assert Repository(store, Account).load("ann").balance == 1
    store = processes.event_store(processes.storage())
    assert Repository(store, Account, consistent=True).load("ann").balance == 3
    store = processes.event_store(processes.storage())
    assert len(store.load_stream(STREAM)) == len(list(store.iter_stream(STREAM))) == 1
    assert len(store.load_stream(STREAM, consistent=True)) == 2
    assert len(list(store.iter_stream(STREAM, consistent=True))) == 2
