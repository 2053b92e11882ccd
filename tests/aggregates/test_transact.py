"""The repository decides again after another writer was faster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from dynamo_es import Repository, StreamId
from dynamo_es.exceptions import AsynchronousFunctionError, ConcurrentStreamWriteError, InputError
from tests.aggregates.account import Account, Withdrawn
from tests.engine import Capability, needs
from tests.event_store.accounts import Deposited, Opened


@pytest.fixture
def others(engine):
    """The repository of another process."""
    return Repository(engine.fresh_process().event_store, Account)


@pytest.fixture
def repository(store, ann):
    repository = Repository(store, Account, sleep=lambda _: None)
    repository.transact(ann, lambda account: account.open("Ann"))
    return repository


def interfering(others, ann, times, *amounts):
    """A decision that is overtaken so many times, each time by one commit of deposits."""
    left = [times]
    seen = []

    def decide(account):
        seen.append(account.balance)
        if left[0]:
            left[0] -= 1
            with others.aggregate(ann) as other:
                for amount in amounts:
                    other.deposit(amount)
        account.withdraw(min(account.balance, 1))
        return account.balance

    return decide, seen


def test_what_was_decided_is_returned(repository, ann):
    assert repository.transact(ann, lambda account: account.owner) == "Ann"


def test_after_a_conflict_it_is_decided_again_on_what_was_faster(repository, others, ann):
    decide, seen = interfering(others, ann, 1, 5, 6)

    assert repository.transact(ann, decide) == 10

    assert seen == [0, 11]
    found = repository.load(ann)
    assert found.applied[1:] == [Deposited(amount=5), Deposited(amount=6), Withdrawn(amount=1)]


def test_it_is_given_up_after_so_many_conflicts(repository, others, ann):
    decide, seen = interfering(others, ann, 9, 5)

    with pytest.raises(ConcurrentStreamWriteError):
        repository.transact(ann, decide, attempts=3)

    assert seen == [0, 5, 10]
    assert repository.load(ann).balance == 15


def test_the_error_of_a_decision_ends_it(repository, others, ann):
    def decide(account):
        if account.balance == 0:
            with others.aggregate(ann) as other:
                other.deposit(5)
        account.withdraw(account.balance + 1 if account.balance else 0)

    with pytest.raises(ValueError, match="only 5 left"):
        repository.transact(ann, decide)

    assert repository.load(ann).applied == [Opened(owner="Ann"), Deposited(amount=5)]


def test_a_stream_that_is_created_by_another_one_is_taken_as_it_is(store, others, ann):
    def decide(account):
        if account.owner is None:
            others.transact(ann, lambda other: other.open("Bob"))
            account.open("Ann")
        return account.owner

    assert Repository(store, Account).transact(ann, decide) == "Bob"


@needs(Capability.GENERATIONS)
def test_a_stream_that_is_deleted_meanwhile_is_decided_on_anew(engine, repository, others, ann):
    elsewhere = engine.fresh_process().event_store

    def decide(account):
        if account.owner == "Ann":
            elsewhere.delete_stream(StreamId(name=ann, category="account"))
            others.transact(ann, lambda other: other.open("Eve"))
            account.deposit(3)
        return account.owner

    assert repository.transact(ann, decide) == "Eve"


def test_attempts_are_a_number_from_one(repository, ann):
    with pytest.raises(
        InputError, match="attempts must be an integer of 1 or more, or None, not 0"
    ):
        repository.transact(ann, lambda account: None, attempts=0)


@needs(Capability.REQUESTS)
def test_a_conflict_costs_one_request_and_no_reload(engine, repository, others, ann):
    decide, _ = interfering(others, ann, 1, 5)
    repository.load(ann)  # so that the head is remembered
    sent = count_requests(engine)

    repository.transact(ann, decide)

    ours = [operation for operation in sent if operation != "others"]
    # A load and an append of each; and one append more.
    assert ours == ["Query", "Query", "PutItem", "PutItem", "PutItem"]


def count_requests(engine):
    sent = []
    engine._client.meta.events.register(
        "before-call.dynamodb", lambda model, **_: sent.append(model.name)
    )
    return sent


@pytest.mark.concurrent
@needs(Capability.CONCURRENCY)
def test_everyones_deposits_arrive(engine, repository, ann):
    def deposit(amount):
        process = Repository(engine.fresh_process().event_store, Account)
        for _ in range(5):
            process.transact(ann, lambda account: account.deposit(amount), attempts=100)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(deposit, (1, 10, 100, 1000)))

    assert repository.load(ann).balance == 5555


async def decide_later(account):
    raise AssertionError("it never runs")


@pytest.mark.parametrize("decide", [decide_later, lambda account: [decide_later(account)][0]])
def test_a_decision_that_would_never_run_is_refused_and_nothing_is_saved(repository, ann, decide):
    before = repository.load(ann).stored_version

    with pytest.raises(AsynchronousFunctionError, match="decide is asynchronous"):
        repository.transact(ann, decide)

    assert repository.load(ann).stored_version == before


def test_so_are_factories_and_what_decides_on_snapshots(store):
    with pytest.raises(AsynchronousFunctionError, match="A factory"):
        Repository(store, decide_later)  # type: ignore[arg-type]
    with pytest.raises(AsynchronousFunctionError, match="snapshot_when"):
        Repository(store, Account, snapshot_when=decide_later)  # type: ignore[arg-type]
