"""The repository saves several aggregates in one write, and decides on all of them again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from dynamo_es import Aggregate, Event, Repository, StreamId
from dynamo_es.exceptions import (
    AggregateDefinitionError,
    AppendAllConflictError,
    AppendOutcomeUnknownError,
    AsynchronousFunctionError,
    ConcurrentStreamWriteError,
    InputError,
    InvalidEnlistedWriteError,
)
from tests.aggregates.account import Account
from tests.engine import Capability, needs
from tests.recording import recording


class LimitSet(Event):
    __event_name__ = "limit.set"

    amount: int


class Limit(Aggregate):
    category = "limit"
    amount = 0

    def set(self, amount: int) -> None:
        self._emit(LimitSet(amount=amount))

    def __apply__(self, event: Event) -> None:
        assert isinstance(event, LimitSet)
        self.amount = event.amount


@pytest.fixture
def bob():
    return f"account/bob/{uuid4()}"


@pytest.fixture
def others(engine):
    """The repository of another process."""
    return Repository(engine.fresh_process().event_store, Account)


@pytest.fixture
def repository(store, ann, bob):
    repository = Repository(store, Account, sleep=lambda _: None)
    for name in (ann, bob):
        repository.transact(name, lambda account: account.open("somebody"))
        repository.transact(name, lambda account: account.deposit(10))
    return repository


def send(amount):
    def decide(sender, receiver):
        sender.withdraw(amount)
        receiver.deposit(amount)
        return sender.balance, receiver.balance

    return decide


def balances(repository, *names):
    return [repository.load(name).balance for name in names]


def test_all_are_saved(repository, others, ann, bob):
    loaded = {name: repository.load(name) for name in (ann, bob)}
    send(4)(*loaded.values())

    repository.save_all(loaded)

    assert [account.__changes__ for account in loaded.values()] == [[], []]
    assert [account.stored_version for account in loaded.values()] == [3, 3]
    assert balances(others, ann, bob) == [6, 14]
    loaded[ann].deposit(1)
    repository.save_all(loaded)
    assert balances(others, ann, bob) == [7, 14]


def test_none_is_saved_if_one_has_changed(repository, others, ann, bob):
    loaded = {name: repository.load(name) for name in (ann, bob)}
    send(4)(*loaded.values())
    others.transact(bob, lambda account: account.deposit(1))

    with pytest.raises(AppendAllConflictError) as caught:
        repository.save_all(loaded)

    assert [stream.name for stream in caught.value.conflicts] == [bob]
    assert [len(account.__changes__) for account in loaded.values()] == [1, 1]
    assert balances(others, ann, bob) == [10, 11]


def test_one_that_emitted_nothing_must_not_have_changed(repository, others, ann, bob):
    loaded = {name: repository.load(name) for name in (ann, bob)}
    loaded[ann].deposit(loaded[bob].balance)
    others.transact(bob, lambda account: account.withdraw(10))

    with pytest.raises(AppendAllConflictError) as caught:
        repository.save_all(loaded)

    assert [stream.name for stream in caught.value.conflicts] == [bob]
    assert balances(others, ann, bob) == [10, 0]


def test_one_that_was_not_there_must_still_not_be_there(repository, others, ann):
    nobody = f"account/nobody/{uuid4()}"
    loaded = {name: repository.load(name) for name in (ann, nobody)}
    loaded[ann].deposit(1)
    others.transact(nobody, lambda account: account.open("somebody"))

    with pytest.raises(AppendAllConflictError):
        repository.save_all(loaded)


def test_aggregates_of_several_classes_are_saved_together(repository, store, ann):
    limits = Repository(store, Limit)
    account, limit = repository.load(ann), Limit()
    account.withdraw(1)
    limit.set(9)

    repository.save_all({ann: account, StreamId(name=ann, category="limit"): limit})

    assert limits.load(ann).amount == 9
    assert balances(repository, ann) == [9]


def test_what_cannot_be_saved_is_refused_before_anything_is(repository, ann, bob):
    account, past = repository.load(ann), repository.load(bob, at_version=1)
    account.deposit(1)

    with pytest.raises(InputError, match="at_version"):
        repository.save_all({ann: account, bob: past})
    with pytest.raises(InputError, match="Save it there"):
        repository.save_all({bob: account})
    with pytest.raises(InputError, match="twice"):
        repository.save_all({ann: account, StreamId(name=ann, category="account"): account})
    with pytest.raises(InputError, match="aggregates must be"):
        repository.save_all([account])
    with pytest.raises(InputError, match="Each aggregate must be"):
        repository.save_all({ann: "account"})
    with pytest.raises(AggregateDefinitionError):
        Repository(repository._store, every=1).save_all({ann: Limit()})

    assert balances(repository, ann, bob) == [10, 10]


def test_writes_alone_are_not_sent(repository, ann):
    repository.save_all({})
    repository.save_all({ann: repository.load(ann)})
    with pytest.raises(InvalidEnlistedWriteError, match="no aggregate has emitted events"):
        repository.save_all({ann: repository.load(ann)}, transact_with=[{"Put": {}}])


@needs(Capability.REQUESTS)
def test_one_transaction_has_the_events_and_the_checks(engine, repository, ann, bob):
    loaded = {name: repository.load(name) for name in (ann, bob)}
    loaded[ann].deposit(1)

    with recording(engine.client) as sent:
        repository.save_all(loaded)

    assert sent.operations == ["TransactWriteItems"]
    assert (len(sent.items), sent.checks) == (1, 1)


def test_a_decision_on_several_is_made_again_after_a_conflict(repository, others, ann, bob):
    left = [2]

    def decide(sender, receiver):
        if left[0]:
            left[0] -= 1
            others.transact(bob, lambda account: account.deposit(1))
        return send(4)(sender, receiver)

    assert repository.transact_all([ann, bob], decide) == (6, 16)
    assert balances(others, ann, bob) == [6, 16]


def test_attempts_end(repository, others, ann, bob):
    def decide(sender, receiver):
        others.transact(ann, lambda account: account.deposit(1))
        send(4)(sender, receiver)

    with pytest.raises(ConcurrentStreamWriteError):
        repository.transact_all([ann, bob], decide, attempts=3)

    assert balances(others, ann, bob) == [13, 10]


@pytest.mark.parametrize("refuses", [True, False])
def test_attempts_end_for_a_decision_that_emits_nothing_too(repository, others, ann, bob, refuses):
    decided = []

    def decide(sender, receiver):
        decided.append(sender.balance)
        assert len(decided) < 9, "it goes on for ever"
        others.transact(ann, lambda account: account.deposit(1))
        if refuses:
            raise ValueError("no")

    with pytest.raises(AppendAllConflictError) as caught:
        repository.transact_all([ann, bob], decide, attempts=3)

    assert decided == [10, 11, 12]
    assert [stream.name for stream in caught.value.conflicts] == [ann]
    assert isinstance(caught.value.__cause__, ValueError) is refuses


def test_one_aggregate_is_not_saved_to_two_streams(repository):
    names = [f"account/{uuid4()}" for _ in range(2)]
    account = Account()
    account.open("somebody")

    with pytest.raises(InputError, match="have the same aggregate, so both would get its events"):
        repository.save_all(dict.fromkeys(names, account))
    account = Account()
    with pytest.raises(InputError, match="the same aggregate"):
        repository.transact_all(names, lambda *_: None, lambda: account)

    assert [repository.load(name).stored_version for name in names] == [0, 0]


@pytest.mark.parametrize("emit", [True, False])
def test_nothing_is_decided_on_aggregates_of_different_moments(repository, others, ann, bob, emit):
    load, seen, left = repository._opening.replay, [], [1]

    def replay_and_be_overtaken(stream, aggregate, raws):
        load(stream, aggregate, raws)
        if left[0]:  # After the first one was loaded, and before the second one is.
            left[0] -= 1
            others.transact_all([ann, bob], send(10))

    def decide(sender, receiver):
        seen.append(sender.balance + receiver.balance)
        if sender.balance + receiver.balance != 20:
            raise ValueError("money was made")
        if emit:
            receiver.withdraw(1)

    object.__setattr__(
        repository, "_opening", _Replaying(repository._opening, replay_and_be_overtaken)
    )
    repository.transact_all([ann, bob], decide)

    assert seen == [30, 20]


class _Replaying:
    """An opening with another replay."""

    def __init__(self, opening, replay):
        self._opening = opening
        self.replay = replay

    def __getattr__(self, name):
        return getattr(self._opening, name)


def test_what_a_decision_raises_is_raised(repository, ann, bob):
    with pytest.raises(ValueError, match="only 10 left"):
        repository.transact_all([ann, bob], send(11))


def test_a_lost_answer_is_no_second_transfer(repository, ann, bob, monkeypatch):
    append_all, left = repository._store.append_all, [1]

    def lose(*arguments, **options):
        stored = append_all(*arguments, **options)
        if left[0]:
            left[0] -= 1
            raise AppendOutcomeUnknownError(ann, 2, "Lost.")
        return stored

    monkeypatch.setattr(repository._store, "append_all", lose)

    assert repository.transact_all([ann, bob], send(4)) == (6, 14)
    assert balances(repository, ann, bob) == [6, 14]


def test_wrong_arguments_of_a_decision_are_refused(repository, ann):
    async def later(*_):
        """Never run."""

    for wrong, error in (
        (([], send(1)), InputError),
        ((ann, send(1)), InputError),
        (([ann, ann], send(1)), InputError),
        (([ann], "decide"), InputError),
        (([ann], later), AsynchronousFunctionError),
    ):
        with pytest.raises(error):
            repository.transact_all(*wrong)
    with pytest.raises(InputError, match="attempts"):
        repository.transact_all([ann], lambda _: None, attempts=0)


def test_a_snapshot_is_taken_of_each(store, repository, ann, bob):
    every = Repository(store, Account, every=3)

    every.transact_all([ann, bob], send(1))

    for name in (ann, bob):
        newest = store.load_raw(StreamId(name=name, category="account"))
        assert [raw.version for raw in newest] == [3]
        assert store.is_snapshot(newest[0])


@needs(Capability.CONCURRENCY)
def test_no_rule_over_two_accounts_is_broken_by_threads(engine, repository, ann, bob):
    """Together they keep 5: each thread looks at both and takes from one, which is write skew."""

    def take(number):
        own = Repository(engine.fresh_process().event_store, Account)
        for _ in range(8):
            own.transact_all(
                [ann, bob] if number % 2 else [bob, ann],
                lambda one, other: (
                    one.withdraw(1) if one.balance and one.balance + other.balance > 5 else None
                ),
            )

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(take, range(4)))

    assert sum(balances(repository, ann, bob)) == 5
