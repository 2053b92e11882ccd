"""A command is decided once, even after the application saved a snapshot without commands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es import EventStore, MemoryBackend, Repository, StreamId, WrappedEvent
from dynamo_es.exceptions import ConcurrentStreamWriteError
from tests.aggregates.account import Account
from tests.aggregates.test_commands import all_events, deposit, number_of
from tests.event_store.accounts import Balance, Deposited


@pytest.fixture
def repository(store):
    return Repository(store, Account)


@pytest.fixture
def others(engine):
    """The repository of another process."""
    return Repository(engine.fresh_process().event_store, Account)


@pytest.fixture
def memory_store():
    return MemoryBackend().event_store


def snapshot_of_its_own(store, name, version):
    """Save a snapshot as an application does, from the events."""
    stream = StreamId(name=name, category="account")
    events = store.load_stream(stream, 1, version + 1)
    state = Balance(balance=sum(one.event.amount for one in events))
    store.save_snapshot(stream, WrappedEvent(state, version))


def both(account):
    account.deposit(1)
    account.deposit(2)
    return account.balance


def with_transact(repository, name):
    assert repository.transact(name, both, command_id="c") == 3


def with_a_context(repository, name):
    with repository.aggregate(name, command_id="c") as account:
        assert both(account) == 3


def with_a_save(repository, name):
    account = repository.load(name)
    both(account)
    repository.save(name, account, command_id="c")


@pytest.mark.parametrize("again", [with_transact, with_a_context, with_a_save])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_snapshot_of_the_application_hides_no_command(repository, store, ann, version, again):
    repository.transact(ann, both, command_id="c")
    repository.transact(ann, deposit(10))
    before = all_events(store, ann)
    snapshot_of_its_own(store, ann, version)

    again(repository, ann)

    assert all_events(store, ann) == before
    assert repository.load(ann).balance == 13


@pytest.mark.parametrize("again", [with_transact, with_a_context, with_a_save])
@pytest.mark.parametrize("between", [0, 1, 2])
def test_nor_does_one_that_a_repository_made_of_it(memory_store, ann, between, again):
    store = memory_store
    repository = Repository(store, Account, every=1)
    Repository(store, Account).transact(ann, both, command_id="c")
    snapshot_of_its_own(store, ann, 2)
    for number in range(between):
        repository.transact(ann, deposit(10))
        # Of one command it knows that it was decided, and of no other one.
        repository.transact(ann, deposit(10), command_id=number_of(number))
    before = all_events(store, ann)

    again(repository, ann)

    assert all_events(store, ann) == before


@pytest.mark.parametrize("again", [with_transact, with_a_context, with_a_save])
def test_nor_does_one_with_the_id_of_the_event_that_it_replaces(repository, store, ann, again):
    repository.transact(ann, both, command_id="c")
    before = all_events(store, ann)
    stream = StreamId(name=ann, category="account")
    first, last = store.load_stream(stream, 1)
    for one, balance in ((first, 1), (last, 3)):
        store.save_snapshot(stream, replace(one, event=Balance(balance=balance)))

        again(repository, ann)

        assert all_events(store, ann) == before
        assert repository.load(ann).balance == 3


def test_after_a_conflict_a_snapshot_of_the_application_hides_no_command(
    store, repository, others, ann
):
    """The command is decided elsewhere between the load and the append, and then hidden."""
    attempts = []

    def decide(account):
        attempts.append(account.balance)
        if len(attempts) == 1:
            store.delete_stream(StreamId(name=ann, category="account"))
            with_transact(others, ann)
            snapshot_of_its_own(store, ann, 2)
        return both(account)

    repository.transact(ann, deposit(7))

    assert repository.transact(ann, decide, command_id="c") == 3
    assert attempts == [7, 0]
    assert repository.load(ann).balance == 3


def test_it_is_read_past_only_for_a_command_that_is_not_found_after_it(memory_store, ann):
    store = Counting(memory_store)
    repository = Repository(store, Account)
    repository.transact(ann, deposit(1))
    snapshot_of_its_own(store, ann, 1)
    repository.transact(ann, both, command_id="c")
    store.loads.clear()

    repository.load(ann)
    repository.transact(ann, deposit(5))
    repository.transact(ann, lambda account: both(account) and None, command_id="c")
    assert store.loads == [None] * 3

    repository.transact(ann, deposit(5), command_id="new")
    assert store.loads == [None] * 4 + [1]


class Counting(EventStore):
    """A store that notes where its loads begin."""

    def __init__(self, store):
        super().__init__(store._storage, store._serde)
        self.loads = []

    def load_raw(self, stream_id, start=None, stop=None, **options):
        self.loads.append(start)
        return super().load_raw(stream_id, start, stop)


def test_a_save_after_the_stream_was_created_again_is_refused(repository, store, ann):
    stream = StreamId(name=ann, category="account")
    repository.transact(ann, deposit(1))
    snapshot_of_its_own(store, ann, 1)
    account = repository.load(ann)
    account.deposit(5)
    store.delete_stream(stream)
    repository.transact(ann, deposit(7))

    with pytest.raises(ConcurrentStreamWriteError, match="earlier generation"):
        repository.save(ann, account, command_id="c")

    assert account.__changes__ == [Deposited(amount=5)]
    assert all_events(store, ann) == [Deposited(amount=7)]


def test_a_snapshot_after_a_repeated_command_tells_it(memory_store, ann):
    repository = Repository(memory_store, Account, every=4)
    repository.transact(ann, both, command_id="c")
    with repository.aggregate(ann, command_id="c") as account:
        both(account)
    both(account)
    repository.save(ann, account)
    assert memory_store.load_stream(StreamId(name=ann, category="account"))[0].version == 4

    with_transact(repository, ann)

    assert repository.load(ann).balance == 6
