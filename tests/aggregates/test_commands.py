"""A command that arrives twice is decided once; the second call returns the same result."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import nan
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from pydantic import ConfigDict

from dynamo_es import Aggregate, Event, MemoryBackend, Repository, StreamId
from dynamo_es.aggregates.commands import KEPT_COMMANDS, Command, DecidedCommands
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommandDecidedError,
    ConcurrentStreamWriteError,
    InputError,
    UnreadableEventError,
)
from dynamo_es.testing.conformance.language import a_snapshot, an_event
from tests.aggregates.account import Account, Withdrawn
from tests.aggregates.test_repository import Flaky
from tests.engine import Capability, needs
from tests.event_store.accounts import Deposited, Opened


@pytest.fixture
def repository(store):
    return Repository(store, Account)


@pytest.fixture
def others(engine):
    """The repository of another process."""
    return Repository(engine.fresh_process().event_store, Account)


def deposit(amount):
    def decide(account):
        account.deposit(amount)
        return account.balance

    return decide


def all_events(store, name):
    stream = StreamId(name=name, category="account")
    return [one.event for one in store.load_stream(stream, 1)]


def test_its_events_are_stored_once_and_its_outcome_is_the_same(repository, others, store, ann):
    for process in (repository, others, repository):
        assert process.transact(ann, deposit(5), command_id="c1") == 5

    assert all_events(store, ann) == [Deposited(amount=5)]


def test_each_command_is_decided(repository, store, ann):
    command_ids = ["c1", "c2", uuid4(), "c1 ", "é😀", "\ud800"]
    for number, command_id in enumerate(command_ids, 1):
        assert repository.transact(ann, deposit(1), command_id=command_id) == number

    assert len(all_events(store, ann)) == len(command_ids)


def test_a_uuid_and_its_text_are_one_command(repository, store, ann):
    command_id = uuid4()
    repository.transact(ann, deposit(5), command_id=command_id)
    repository.transact(ann, deposit(5), command_id=str(command_id))

    assert all_events(store, ann) == [Deposited(amount=5)]


def test_it_is_of_one_stream_of_one_tenant(backend, ann):
    first, second = (backend.in_tenant(tenant).event_store for tenant in (ann, f"{ann}2"))
    ids = set()
    for store, name in ((first, ann), (first, f"{ann} b"), (second, ann)):
        Repository(store, Account).transact(name, deposit(5), command_id="c")
        (stored,) = store.load_stream(StreamId(name=name, category="account"))
        ids.add(stored.uuid)

    assert len(ids) == 3


@pytest.fixture
def memory_store():
    """For what takes many requests; engines differ in nothing that matters here."""
    return MemoryBackend().event_store


@pytest.mark.parametrize("every", [None, 2])
def test_what_came_after_it_changes_nothing(store, ann, every):
    check_what_came_after(store, ann, every, 2)


@pytest.mark.parametrize("every", [None, 1, 2, 3, 5, 8])
@pytest.mark.parametrize("repeated", range(6))
def test_no_place_of_a_snapshot_changes_anything(memory_store, ann, every, repeated):
    check_what_came_after(memory_store, ann, every, repeated)


def check_what_came_after(store, ann, every, repeated):
    repository = Repository(store, Account, every=every)

    def numbered(number):
        def decide(account):
            for _ in range(number % 3 + 1):
                account.deposit(number + 1)
            return account.balance

        return decide

    outcomes = []
    for number in range(6):
        outcomes.append(repository.transact(ann, numbered(number), command_id=f"c{number}"))
        repository.transact(ann, deposit(100))
    before = all_events(store, ann)

    again = repository.transact(ann, numbered(repeated), command_id=f"c{repeated}")

    assert again == outcomes[repeated]

    assert all_events(store, ann) == before


def test_a_snapshot_keeps_the_latest_hundred_of_them(memory_store, ann):
    store = memory_store
    repository = Repository(store, Account, snapshot_when=lambda _, since: since > KEPT_COMMANDS)
    for number in range(KEPT_COMMANDS + 1):
        repository.transact(ann, deposit(1), command_id=number_of(number))
    (loaded,) = store.load_stream(StreamId(name=ann, category="account"))
    assert loaded.version == KEPT_COMMANDS + 1, "a snapshot"

    for number in range(1, KEPT_COMMANDS + 1):
        assert repository.transact(ann, deposit(1), command_id=number_of(number)) == number + 1
    assert repository.load(ann).balance == KEPT_COMMANDS + 1

    # The one before is forgotten, as the documentation says.
    assert repository.transact(ann, deposit(1), command_id=number_of(0)) == KEPT_COMMANDS + 2


def number_of(number):
    return f"command {number}"


def test_a_snapshot_of_a_snapshot_keeps_them_too(store, ann):
    repository = Repository(store, Account, every=1)
    repository.transact(ann, deposit(1), command_id="c")
    for _ in range(5):
        repository.transact(ann, deposit(10))

    assert repository.transact(ann, deposit(1), command_id="c") == 1
    assert repository.load(ann).balance == 51


def test_without_commands_a_snapshot_says_that_there_were_none(store, ann):
    repository = Repository(store, Account, every=1)
    repository.transact(ann, deposit(1))

    (raw,) = store.load_raw(StreamId(name=ann, category="account"))
    assert raw.context == {"$commands": []}


def test_one_that_emitted_nothing_is_decided_again(repository, ann):
    assert repository.transact(ann, lambda account: account.balance, command_id="c") == 0
    repository.transact(ann, deposit(7))

    assert repository.transact(ann, lambda account: account.balance, command_id="c") == 7


def test_after_a_deletion_it_is_decided_again(repository, store, ann):
    repository.transact(ann, deposit(5), command_id="c")
    store.delete_stream(StreamId(name=ann, category="account"))

    assert repository.transact(ann, deposit(7), command_id="c") == 7
    assert all_events(store, ann) == [Deposited(amount=7)]


def test_one_that_was_refused_is_decided_again(repository, ann):
    def withdraw(account):
        account.withdraw(3)
        return account.balance

    with pytest.raises(ValueError, match="only 0"):
        repository.transact(ann, withdraw, command_id="c")
    repository.transact(ann, deposit(5))

    assert repository.transact(ann, withdraw, command_id="c") == 2


# Two runs at once


@pytest.mark.parametrize("earlier", [0, 3])
def test_of_two_runs_at_once_one_is_stored_and_both_return_the_same(
    repository, others, store, ann, earlier
):
    for _ in range(earlier):
        repository.transact(ann, deposit(10))
    outcomes = []

    def decide(account):
        if not outcomes:
            outcomes.append(others.transact(ann, deposit(5), command_id="c"))
        return deposit(5)(account)

    outcomes.append(repository.transact(ann, decide, command_id="c"))

    assert outcomes == [earlier * 10 + 5] * 2
    assert all_events(store, ann)[earlier:] == [Deposited(amount=5)]


@pytest.mark.parametrize(("first", "second"), [((5,), (7,)), ((5, 5), (5,)), ((5,), (5, 5))])
def test_of_two_runs_at_once_that_decide_otherwise_the_first_one_counts(
    repository, others, store, ann, first, second
):
    def deciding(amounts):
        def decide(account):
            if amounts is second and not ran:
                ran.append(others.transact(ann, deciding(first), command_id="c"))
            for amount in amounts:
                account.deposit(amount)
            return amounts

        return decide

    ran = []
    with pytest.raises(CommandDecidedError) as known:
        repository.transact(ann, deciding(second), command_id="c")

    assert ran == [first]
    stored = [Deposited(amount=amount) for amount in first]
    assert all_events(store, ann) == stored
    assert list(known.value.events) == stored
    assert (known.value.command_id, known.value.version) == ("c", len(first))


@pytest.mark.concurrent
@needs(Capability.CONCURRENCY)
def test_of_many_runs_at_once_one_is_stored(engine, store, ann):
    together = Barrier(8)

    def run(_):
        process = Repository(engine.fresh_process().event_store, Account, every=1)
        together.wait()
        return process.transact(ann, deposit(5), command_id="c")

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(run, range(8))) == [5] * 8

    assert all_events(store, ann) == [Deposited(amount=5)]


def lost():
    return AppendOutcomeUnknownError("s", 0, "the reply was lost.")


@pytest.mark.parametrize("failure", [(lost(), None), (None, lost())])
def test_a_lost_reply_changes_nothing(store, ann, failure):
    flaky = Repository(Flaky(store, failure), Account, sleep=lambda _: None)

    assert flaky.transact(ann, deposit(5), command_id="c") == 5
    assert flaky.transact(ann, deposit(5), command_id="c") == 5

    assert all_events(store, ann) == [Deposited(amount=5)]


@pytest.mark.parametrize("failure", [(lost(), None), (None, lost())])
def test_a_run_that_died_with_its_outcome_unknown_is_made_up_for_by_the_next(
    store, repository, ann, failure
):
    with pytest.raises(AppendOutcomeUnknownError):
        Repository(Flaky(store, failure), Account, retry_for=0).transact(
            ann, deposit(5), command_id="c"
        )

    assert repository.transact(ann, deposit(5), command_id="c") == 5
    assert all_events(store, ann) == [Deposited(amount=5)]


# Decisions that do not repeat


def test_one_that_returns_something_for_other_events_is_told_what_was_stored(
    repository, store, ann
):
    amounts = iter((5, 7))

    def decide(account):
        account.deposit(amount := next(amounts))
        return amount

    assert repository.transact(ann, decide, command_id="c") == 5
    with pytest.raises(CommandDecidedError, match="'c' has stored its events already") as known:
        repository.transact(ann, decide, command_id="c")

    assert known.value.events == (Deposited(amount=5),)
    assert all_events(store, ann) == [Deposited(amount=5)]


def test_one_that_returns_nothing_may_decide_otherwise(repository, store, ann):
    for amount in (5, 7):
        repository.transact(ann, lambda account, n=amount: account.deposit(n), command_id="c")

    assert all_events(store, ann) == [Deposited(amount=5)]


# The other ways to save


class Measured(Event):
    __event_name__ = "meter.measured"
    model_config = ConfigDict(ser_json_inf_nan="strings")

    value: float


class Meter(Aggregate):
    category = "meter"

    def measure(self, value):
        self._emit(Measured(value=value))
        return "measured"

    def __apply__(self, event):
        pass


def test_the_same_events_with_nan_are_the_same_decision(store, ann):
    repository = Repository(store, Meter)
    for _ in range(2):
        measured = repository.transact(ann, lambda meter: meter.measure(nan), command_id="c")
        assert measured == "measured"
    with repository.aggregate(ann, command_id="c") as meter:
        meter.measure(nan)
    meter.measure(1.0)
    repository.save(ann, meter)

    assert repository.load(ann).stored_version == 2


@pytest.mark.parametrize("other", [0.0, 5.0])
def test_events_that_differ_in_a_sign_or_a_value_are_another_decision(store, ann, other):
    repository = Repository(store, Meter)
    repository.transact(ann, lambda meter: meter.measure(-0.0), command_id="c")

    with pytest.raises(CommandDecidedError):
        repository.transact(ann, lambda meter: meter.measure(other), command_id="c")


@pytest.mark.parametrize("number", [0, 2])
def test_fewer_and_more_events_are_another_decision(repository, ann, number):
    repository.transact(ann, deposit(5), command_id="c")

    def decide(account):
        for _ in range(number):
            account.deposit(5)
        return number

    with pytest.raises(CommandDecidedError):
        repository.transact(ann, decide, command_id="c")


def test_a_context_saves_once(repository, others, store, ann):
    seen = []
    account = Account()
    for process in (repository, others, repository):
        with process.aggregate(ann, command_id="c") as account:  # noqa: F811
            account.open("Ann")
            account.deposit(5)
        seen.append((account.balance, account.stored_version, account.__changes__))

    assert seen == [(5, 2, [])] * 3
    assert all_events(store, ann) == [Opened(owner="Ann"), Deposited(amount=5)]
    account.deposit(1)
    repository.save(ann, account)
    assert repository.load(ann).balance == 6


def test_a_context_that_emits_otherwise_saves_nothing_and_is_not_saved_later(
    repository, store, ann
):
    account = Account()
    for amount in (5, 7):
        with repository.aggregate(ann, Account(), command_id="c") as account:  # noqa: F811
            account.deposit(amount)

    assert all_events(store, ann) == [Deposited(amount=5)]
    account.deposit(1)
    with pytest.raises(InputError, match="Load the aggregate again"):
        repository.save(ann, account)
    assert all_events(store, ann) == [Deposited(amount=5)]


def test_a_save_stores_once_whether_the_aggregate_was_loaded_before_or_after(
    repository, store, ann
):
    early, late = repository.load(ann), repository.load(ann)
    for account in (early, late):
        account.deposit(5)
        repository.save(ann, account, command_id="c")
        assert (account.stored_version, account.__changes__) == (1, [])
    again = repository.load(ann)
    again.deposit(5)
    repository.save(ann, again, command_id="c")

    assert all_events(store, ann) == [Deposited(amount=5)]
    late.deposit(1)
    repository.save(ann, late)
    again.deposit(1)
    with pytest.raises(InputError, match="Load the aggregate again"):  # it has the 5 twice
        repository.save(ann, again)


def test_an_aggregate_knows_the_commands_that_it_saved(repository, store, ann):
    account = repository.load(ann)
    for _ in range(2):
        account.deposit(5)
        repository.save(ann, account, command_id="c")

    assert all_events(store, ann) == [Deposited(amount=5)]


def test_a_command_never_passes_over_a_conflict(repository, others, store, ann):
    account = repository.load(ann)
    others.transact(ann, deposit(7))
    account.deposit(5)

    with pytest.raises(ConcurrentStreamWriteError):
        repository.save(ann, account, command_id="c")

    assert all_events(store, ann) == [Deposited(amount=7)]


# Ids


@pytest.mark.parametrize("command_id", ["", 1, b"c", None.__class__, True])
def test_a_command_id_is_a_uuid_or_text(repository, ann, command_id):
    with pytest.raises(InputError, match="command_id must be a UUID or text"):
        repository.transact(ann, deposit(5), command_id=command_id)


def test_its_ids_are_the_same_in_every_process_and_nobody_elses():
    stream = StreamId(UUID(int=7), category="account")
    command = Command.of("c", "acme", stream)

    assert [str(command.event_id(index)) for index in range(2)] == [
        "a80fcbc6-5c7d-8054-89c6-07585490a153",
        "6f7a97b6-6fea-8493-93dd-4e350187da69",
    ]


def test_events_of_other_origin_are_no_commands():
    stream = StreamId(category="account")
    found = DecidedCommands([an_event(stream, version=1), an_event(stream, version=2)])

    assert found.note() == {"$commands": []}


@pytest.mark.parametrize("noted", [None, 7, [7], [["x", 1, 1]], [[1, 1, 1]], [["00", "a"]]])
def test_a_snapshot_with_a_note_that_nobody_wrote_is_refused(noted):
    snapshot = a_snapshot(StreamId(category="account"), 3, context={"$commands": noted})

    with pytest.raises(UnreadableEventError, match=r"\$commands"):
        DecidedCommands([snapshot])


def test_withdrawals_are_commands_like_any_other(repository, store, ann):
    repository.transact(ann, deposit(5), command_id="c1")
    for _ in range(2):
        repository.transact(ann, lambda account: account.withdraw(5), command_id="c2")

    assert all_events(store, ann) == [Deposited(amount=5), Withdrawn(amount=5)]
