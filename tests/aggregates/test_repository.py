"""The repository loads and saves aggregates."""

from __future__ import annotations

import logging
from uuid import uuid4

import pytest

from dynamo_es import Aggregate, Context, EventStore, Repository, StreamId, StreamUUID
from dynamo_es.exceptions import (
    AggregateDefinitionError,
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    InputError,
    InvalidStreamIdError,
    ThrottledError,
)
from tests.aggregates.account import Account
from tests.event_store.accounts import Balance, Deposited, Opened


@pytest.fixture
def repository(store) -> Repository[Account]:
    return Repository(store, Account)


def test_what_an_aggregate_emits_is_saved(repository, store):
    account_id = uuid4()
    with repository.aggregate(account_id, Account()) as account:
        account.open("Ann")
        account.deposit(5)
        assert account.__changes__ == [Opened(owner="Ann"), Deposited(amount=5)]

    assert account.__changes__ == []
    assert account.stored_version == 2
    found = store.load_stream(StreamId(account_id, category="account"))
    assert [one.event for one in found] == [Opened(owner="Ann"), Deposited(amount=5)]


def test_an_aggregate_is_as_its_events_say(repository):
    account_id = uuid4()
    with repository.aggregate(account_id) as account:
        account.open("Ann")
        account.deposit(5)

    with repository.aggregate(account_id) as account:
        assert (account.owner, account.balance, account.stored_version) == ("Ann", 5, 2)
        account.withdraw(2)

    loaded = repository.load(account_id)
    assert (loaded.balance, loaded.stored_version) == (3, 3)


def test_without_changes_nothing_is_written(repository, store):
    account_id = uuid4()
    with repository.aggregate(account_id) as account:
        pass

    assert account.stored_version == 0
    assert store.load_stream(StreamId(account_id, category="account")) == []


def test_if_the_body_fails_nothing_is_saved(repository, store):
    account_id = uuid4()
    account = Account()
    with pytest.raises(ValueError, match="only 0"), repository.aggregate(account_id, account):
        account.open("Ann")
        account.withdraw(1)

    assert store.load_stream(StreamId(account_id, category="account")) == []
    assert account.__changes__ == [Opened(owner="Ann")]


def test_a_conflict_keeps_the_changes(repository):
    account_id = uuid4()
    with pytest.raises(ConcurrentStreamWriteError), repository.aggregate(account_id) as late:
        with repository.aggregate(account_id) as account:
            account.open("Ann")
        late.open("Bob")

    assert late.__changes__ == [Opened(owner="Bob")]
    assert late.stored_version == 0
    assert repository.load(account_id).owner == "Ann"


@pytest.mark.parametrize(
    "identify",
    [
        lambda name: name,
        lambda name: StreamUUID(name=name),
        lambda name: StreamId(name=name, category="account"),
    ],
    ids=["text", "stream UUID", "stream id"],
)
def test_a_name_stands_for_the_uuid_that_it_derives(repository, ann, identify):
    with repository.aggregate(ann) as account:
        account.open("Ann")

    assert repository.load(identify(ann)).owner == "Ann"


def test_the_context_is_that_of_every_event_saved(repository, store):
    account_id = uuid4()
    context = Context(correlation_id=uuid4(), user="ann")

    with repository.aggregate(account_id, context=context) as account:
        account.open("Ann")
        account.deposit(5)

    found = store.load_stream(StreamId(account_id, category="account"))
    assert [one.context for one in found] == [context, context]


class Flaky(EventStore):
    """A store that fails as it is told to, before or after it did its work."""

    def __init__(self, store, *failures):
        super().__init__(store._storage, store._serde)
        self.failures = list(failures)

    def append(self, *events, **options):
        before, after = self.failures.pop(0) if self.failures else (None, None)
        if before:
            raise before
        version = super().append(*events, **options)
        if after:
            raise after
        return version


def unknown():
    return AppendOutcomeUnknownError("s", 0, "the reply was lost.")


@pytest.mark.parametrize("failure", [(unknown(), None), (None, unknown())])
def test_after_an_unknown_outcome_saving_again_stores_nothing_twice(store, failure, ann):
    repository = Repository(Flaky(store, failure), Account)
    account = repository.load(ann)
    account.open("Ann")
    with pytest.raises(AppendOutcomeUnknownError):
        repository.save(ann, account)
    assert account.__changes__ == [Opened(owner="Ann")]

    repository.save(ann, account)

    assert account.__changes__ == []
    assert repository.load(ann).applied == [Opened(owner="Ann")]


@pytest.mark.parametrize("failure", [(unknown(), None), (None, unknown())])
def test_a_transaction_survives_a_lost_answer(store, failure, ann):
    repository = Repository(Flaky(store, failure), Account)

    repository.transact(ann, lambda account: account.open("Ann"))

    assert repository.load(ann).applied == [Opened(owner="Ann")]


# Snapshots


def test_a_snapshot_is_taken_every_so_many_events(store, ann):
    repository = Repository(store, Account, every=3)
    taken = []
    for amount in range(1, 9):
        with repository.aggregate(ann) as account:
            account.deposit(amount)
        first = store.load_stream(StreamId(name=ann, category="account"))[0]
        taken.append(first.version if isinstance(first.event, Balance) else None)

    assert taken == [None, None, 3, 3, 3, 6, 6, 6]
    loaded = repository.load(ann)
    assert (loaded.balance, loaded.stored_version) == (36, 8)
    assert loaded.applied == [Deposited(amount=7), Deposited(amount=8)]


def test_a_snapshot_is_taken_when_a_callable_says_so(store, ann):
    asked = []

    def rich(account, since):
        asked.append((account.balance, since))
        return account.balance >= 10

    repository = Repository(store, Account, snapshot_when=rich)
    for amount in (4, 5, 6, 1):
        with repository.aggregate(ann) as account:
            account.deposit(amount)

    assert asked == [(4, 1), (9, 2), (15, 3), (16, 1)]
    assert repository.load(ann).applied == []


def test_a_snapshot_that_fails_is_no_failure_of_the_save(store, caplog, ann):
    class NoSnapshots(Flaky):
        def save_snapshot(self, *_: object, **__: object) -> None:
            raise ThrottledError("PutItem", "x", "y")

    repository = Repository(NoSnapshots(store), Account, every=1)
    with caplog.at_level(logging.WARNING), repository.aggregate(ann) as account:
        account.deposit(3)

    assert account.__changes__ == []
    assert "a snapshot at version" in caplog.text
    assert repository.load(ann).balance == 3


class Bare(Account):
    """An account that has no snapshots."""

    __snapshot__ = Aggregate.__snapshot__


@pytest.mark.parametrize("policy", [{"every": 100}, {"snapshot_when": lambda *_: False}])
def test_snapshots_of_a_class_that_has_none_are_refused_before_anything_is_stored(
    store, ann, policy
):
    with pytest.raises(AggregateDefinitionError, match=r"Bare has no __snapshot__\(\)"):
        Repository(store, Bare, **policy)

    # A function may return anything: it is found out when it does.
    made_by_function = Repository[Account](store, lambda *_: Bare(), **policy)
    account = Bare()
    account.deposit(5)
    for use in (
        lambda: made_by_function.load(ann),
        lambda: made_by_function.transact(ann, lambda account: account.deposit(5)),
        lambda: made_by_function.aggregate(ann).__enter__(),
        lambda: Repository(store, **policy).save(ann, account),
        lambda: Repository(store, **policy).load(ann, Bare()),
    ):
        with pytest.raises(AggregateDefinitionError):
            use()
    assert Repository(store, Account).load(ann).stored_version == 0


@pytest.mark.parametrize("fails", ["__snapshot__", "snapshot_when", "what it returns"])
def test_once_events_are_stored_no_snapshot_raises(store, caplog, ann, fails):
    class Fragile(Account):
        def __snapshot__(self):
            if fails == "__snapshot__":
                raise KeyError("a value of the aggregate")
            return "no event" if fails == "what it returns" else super().__snapshot__()

    def when(*_):
        if fails == "snapshot_when":
            raise ZeroDivisionError("a value of the aggregate")
        return True

    repository = Repository(store, Fragile, snapshot_when=when)
    with caplog.at_level(logging.WARNING):
        repository.transact(ann, lambda account: account.deposit(5))

    assert repository.load(ann).balance == 5
    assert "a snapshot at version" in caplog.text
    assert "a value of the aggregate" not in caplog.text


@pytest.mark.parametrize("every", [1.5, True, "3", -1])
def test_every_is_a_number_of_events(store, every):
    with pytest.raises(InputError, match="every must be an integer of 1 or more"):
        Repository(store, Account, every=every)


def test_snapshot_when_is_callable(store):
    with pytest.raises(InputError, match="snapshot_when must be callable, not 3"):
        Repository(store, Account, snapshot_when=3)  # type: ignore[arg-type]


def test_every_and_when_exclude_each_other(store):
    with pytest.raises(InputError, match="not both"):
        Repository(store, Account, every=3, snapshot_when=lambda *_: True)
    with pytest.raises(InputError, match="every must be an integer of 1 or more, not 0"):
        Repository(store, Account, every=0)


def test_an_aggregate_without_a_method_says_which(store):
    class Bare(Aggregate):
        category = "bare"

    with pytest.raises(NotImplementedError, match="Bare must define __apply__"):
        Bare()._emit(Opened(owner="Ann"))
    with pytest.raises(NotImplementedError, match="Bare must define __snapshot__"):
        Bare().__snapshot__()


# Streams


@pytest.mark.parametrize("category", ["Account", "", None, "account "])
def test_a_stream_of_another_category_is_refused(repository, store, ann, category):
    stream = StreamId(name=ann, category=category)
    account = Account()
    account.deposit(5)

    for use in (
        lambda: repository.load(stream),
        lambda: repository.save(stream, account),
        lambda: repository.transact(stream, lambda account: account.deposit(5)),
        lambda: repository.aggregate(stream).__enter__(),
    ):
        with pytest.raises(InvalidStreamIdError, match="not of the aggregate's category 'account'"):
            use()
    assert store.load_stream(StreamId(name=ann, category="account")) == []
    assert account.__changes__ == [Deposited(amount=5)]


@pytest.mark.parametrize("emptied", [False, True])
def test_an_aggregate_is_saved_into_the_stream_it_was_loaded_from(repository, ann, emptied):
    if not emptied:
        repository.transact(ann, lambda account: account.open("Ann"))
    account = repository.load(ann)
    account.deposit(5)

    with pytest.raises(InputError, match="was loaded from stream"):
        repository.save(f"{ann} the other", account)

    repository.save(ann, account)
    account.deposit(5)
    with pytest.raises(InputError, match="was loaded from stream"):
        repository.save(f"{ann} the other", account)
    assert repository.load(f"{ann} the other").stored_version == 0


@pytest.mark.parametrize("id", [None, 7, b"ann", object()])
def test_what_stands_for_no_stream_is_refused(repository, id):  # noqa: A002
    with pytest.raises(InvalidStreamIdError, match="An aggregate's id must be a UUID"):
        repository.load(id)


def test_an_aggregate_without_a_category_is_refused_when_it_is_defined():
    with pytest.raises(AggregateDefinitionError, match=r"Order\.category must be text, not None"):

        class Order(Aggregate):
            pass

    with pytest.raises(AggregateDefinitionError, match=r"Parcel\.category must be text, not 7"):

        class Parcel(Aggregate):
            category = 7  # type: ignore[assignment]


def test_a_base_class_without_streams_is_abstract(store, ann):
    class Counting(Aggregate, abstract=True):
        count = 0

        def __apply__(self, event):
            self.count += 1

    class Visits(Counting):
        category = "visits"

    with Repository(store, Visits).aggregate(ann) as visits:
        visits._emit(Opened(owner="Ann"))
    assert visits.count == 1
    with pytest.raises(AggregateDefinitionError, match=r"Counting\.category must be text"):
        Repository(store, Counting).load(ann)


def test_a_repository_that_cannot_make_an_aggregate_says_so(store, ann):
    with pytest.raises(InputError, match="Account"):
        Repository(store).transact(ann, lambda account: None)


def test_a_factory_can_be_given_to_a_transaction(store, ann):
    Repository[Account](store).transact(ann, lambda account: account.open("Ann"), Account)

    assert Repository(store, Account).load(ann).owner == "Ann"
