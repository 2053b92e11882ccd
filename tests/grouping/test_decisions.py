"""Decisions that wait for one aggregate share a load and an append."""

from __future__ import annotations

import contextvars
from uuid import uuid4

import pytest

from dynamo_es import Repository
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    InputError,
)
from tests.aggregates.account import Account
from tests.event_store.accounts import Deposited


@pytest.fixture
def ann():
    """The name of an account that no other test has."""
    return f"ann {uuid4()}"


@pytest.fixture
def accounts(backend, ann):
    accounts = Repository(backend.event_store, Account, group=True, sleep=lambda _: None)
    accounts.transact(ann, lambda account: account.open("Ann"))
    return accounts


@pytest.fixture
def loads(backend):
    """Note each load and each append of the store."""
    noted = []
    storage = backend.storage
    for name in ("fetch_events", "insert_events"):
        call = getattr(storage, name)

        def noting(*given, name=name, call=call, **options):
            noted.append(name)
            return call(*given, **options)

        setattr(storage, name, noting)
    return noted


@pytest.fixture
def transact(stage, accounts, ann):
    """Let callers decide about Ann's account."""

    def transact(name, decide, **options):
        stage.enter(name, lambda: accounts.transact(ann, decide, **options))
        stage.act(name)

    return transact


def deposit(amount):
    def decide(account):
        account.deposit(amount)
        return account.balance

    return decide


def withdraw(amount):
    def decide(account):
        account.withdraw(amount)
        return account.balance

    return decide


def test_decisions_that_wait_share_a_load_and_an_append(stage, accounts, transact, ann, loads):
    for number in range(1, 6):
        transact(f"d{number}", deposit(number))
    stage.finish()
    assert [stage.actors[f"d{number}"].result for number in range(1, 6)] == [1, 3, 6, 10, 15]
    assert loads == ["fetch_events", "insert_events"] * 2
    assert accounts.load(ann).balance == 15


def test_each_sees_what_those_before_it_decided_and_is_refused_alone(
    stage,
    accounts,
    transact,
    ann,
):
    transact("first", deposit(1))
    transact("rich", deposit(10))
    transact("greedy", withdraw(50))
    transact("modest", withdraw(5))
    transact("late", withdraw(7))
    stage.finish()
    actors = stage.actors
    assert (actors["rich"].result, actors["modest"].result) == (11, 6)
    assert str(actors["greedy"].error) == "only 11 left"
    assert str(actors["late"].error) == "only 6 left"
    assert accounts.load(ann).balance == 6


def test_after_a_conflict_all_decide_again(engine, stage, accounts, transact, ann):
    other = Repository(engine.fresh_process().event_store, Account)
    seen = []

    def look(account):
        seen.append(account.balance)
        if len(seen) == 1:
            other.transact(ann, deposit(100))
        account.deposit(1)

    transact("a", deposit(1))
    transact("b", look)
    transact("c", withdraw(50))
    stage.finish()
    assert seen == [1, 101]
    assert stage.actors["c"].error is None
    assert accounts.load(ann).balance == 52


def test_a_command_that_is_there_twice_is_stored_once(stage, accounts, transact, ann):
    transact("a", deposit(1))
    transact("b", deposit(10), command_id="pay")
    transact("c", deposit(10), command_id="pay")
    transact("d", deposit(5))
    stage.finish()
    assert [stage.actors[name].result for name in "abcd"] == [1, 11, 11, 16]
    transact("e", deposit(2))
    transact("f", deposit(10), command_id="pay")
    transact("g", deposit(3))
    stage.finish()
    assert [stage.actors[name].result for name in "efg"] == [18, 11, 21]
    assert accounts.load(ann).balance == 21


def test_each_decision_has_an_aggregate_of_its_own(stage, transact):
    def keep(account):
        account.deposit(1)
        return account

    for name in "abc":
        transact(name, keep)
    stage.finish()
    kept = [stage.actors[name].result for name in "abc"]
    assert [account.balance for account in kept] == [1, 2, 3]
    assert [account.stored_version for account in kept] == [2, 3, 4]
    assert [account.__changes__ for account in kept] == [[], [], []]


def test_what_was_decided_together_can_be_saved_on(stage, accounts, transact, ann):
    def keep(account):
        account.deposit(1)
        return account

    for name in "abc":
        transact(name, keep)
    stage.finish()
    last = stage.actors["c"].result
    last.deposit(5)
    accounts.save(ann, last)
    assert accounts.load(ann).balance == 8


def test_a_decision_has_the_context_variables_of_its_caller(stage, accounts, ann):
    user = contextvars.ContextVar("user")

    def as_user(name):
        user.set(name)
        return accounts.transact(ann, lambda account: account.deposit(1) or user.get())

    for name in "abc":
        stage.enter(name, lambda name=name: as_user(name))
        stage.act(name)
    stage.finish()
    assert [stage.actors[name].result for name in "abc"] == list("abc")


def test_a_call_with_a_number_of_attempts_goes_alone(stage, transact, loads):
    transact("a", deposit(1))
    transact("b", deposit(1), attempts=3)
    transact("c", deposit(1))
    stage.finish()
    assert loads.count("insert_events") == 3


def test_decisions_on_a_new_aggregate_create_its_stream(stage, accounts, ann):
    for name in "abc":
        stage.enter(name, lambda: accounts.transact(f"bob of {ann}", deposit(2)))
        stage.act(name)
    stage.finish()
    assert [stage.actors[name].result for name in "abc"] == [2, 4, 6]


def test_a_snapshot_of_a_group_has_its_events_and_commands(stage, backend, ann):
    accounts = Repository(backend.event_store, Account, group=True, every=3)
    for name in "abcd":
        stage.enter(
            name, lambda name=name: accounts.transact(ann, deposit(1), command_id=f"pay {name}")
        )
        stage.act(name)
    stage.finish()
    [snapshot] = backend.event_store.load_stream(accounts._opening.stream(ann, Account()).id)
    assert (snapshot.version, snapshot.event.balance) == (4, 4)
    stage.enter("again", lambda: accounts.transact(ann, deposit(1), command_id="pay c"))
    stage.finish()
    assert stage.actors["again"].result == 3
    assert accounts.load(ann).balance == 4


def losing(backend, times, *, stored=True):
    """Let answers to appends of two events or more get lost."""
    write = backend.storage.insert_events
    left = [times]

    def lose(stream_id, versioning, events, **options):
        if len(events) > 1 and left[0]:
            left[0] -= 1
            if stored:
                write(stream_id, versioning, events, **options)
            raise AppendOutcomeUnknownError(stream_id, 1, "no reply.")
        return write(stream_id, versioning, events, **options)

    backend.storage.insert_events = lose


def test_after_a_lost_answer_the_same_events_are_appended_again(
    stage,
    backend,
    accounts,
    transact,
    ann,
):
    losing(backend, 2)
    for name in "abc":
        transact(name, deposit(1))
    stage.finish()
    assert [stage.actors[name].result for name in "abc"] == [1, 2, 3]
    assert accounts.load(ann).balance == 3


def test_if_answers_stay_lost_each_hears_of_it_itself(stage, backend, ann):
    accounts = Repository(backend.event_store, Account, group=True, retry_for=0)
    losing(backend, 99)
    for name, decide in {"a": deposit(1), "r": lambda _: "read", "b": deposit(1)}.items():
        stage.enter(name, lambda decide=decide: accounts.transact(ann, decide))
        stage.act(name)
    stage.enter("c", lambda: accounts.transact(ann, deposit(1)))
    stage.act("c")
    stage.finish()
    errors = [stage.actors[name].error for name in "bc"]
    assert [type(error) for error in errors] == [AppendOutcomeUnknownError] * 2
    assert errors[0] is not errors[1]
    assert stage.actors["r"].result == "read"


def test_other_writers_that_stay_faster_refuse_each_decision(engine, stage, backend, ann):
    other = Repository(engine.fresh_process().event_store, Account)
    accounts = Repository(backend.event_store, Account, group=True, retry_for=0)

    def overtaken(account):
        other.transact(ann, deposit(1))
        account.deposit(1)

    for name, decide in {"a": deposit(1), "b": overtaken, "c": deposit(1)}.items():
        stage.enter(name, lambda decide=decide: accounts.transact(ann, decide))
        stage.act(name)
    stage.finish()
    errors = [stage.actors[name].error for name in "bc"]
    assert [type(error) for error in errors] == [ConcurrentStreamWriteError] * 2
    assert errors[0] is not errors[1]


def test_an_event_that_cannot_be_stored_refuses_its_decision_alone(stage, transact):
    transact("a", deposit(1))
    transact("b", lambda account: account._emit(Deposited.model_construct(amount="x")))
    transact("c", deposit(2))
    stage.finish()
    assert stage.actors["b"].error is not None
    assert stage.actors["c"].result == 3


def test_a_decision_may_decide_about_another_aggregate(stage, accounts, transact, ann):
    def nested(account):
        account.deposit(1)
        return accounts.transact(f"bob of {ann}", deposit(7))

    transact("a", nested)
    transact("b", nested)
    stage.finish()
    assert [stage.actors[name].result for name in "ab"] == [7, 14]


def test_an_interrupted_leader_hands_its_group_on(stage, accounts, transact, ann):
    calls = []

    def interrupted(_):
        calls.append(1)
        raise KeyboardInterrupt

    transact("a", deposit(1))
    transact("b", interrupted)
    transact("c", deposit(1))
    transact("d", deposit(1))
    stage.finish()
    assert isinstance(stage.actors["b"].error, KeyboardInterrupt)
    assert (stage.actors["c"].result, stage.actors["d"].result) == (2, 3)
    assert calls == [1]


def test_if_the_append_may_be_stored_the_others_hear_so_unless_they_have_a_command(
    stage,
    accounts,
    transact,
    ann,
):
    transact("a", deposit(1))
    transact("b", deposit(1))
    transact("c", deposit(1))
    transact("d", deposit(1), command_id="pay")
    stage.act("a")
    while stage.act("b").waits:
        pass
    stage.act("b", KeyboardInterrupt())
    stage.finish()
    assert isinstance(stage.actors["c"].error, AppendOutcomeUnknownError)
    assert stage.actors["d"].result == 2
    assert accounts.load(ann).balance == 2


def test_a_decision_that_ends_its_thread_ends_that_of_its_caller(stage, transact):
    def leave(_):
        raise SystemExit(3)

    transact("a", deposit(1))
    transact("b", deposit(1))
    transact("c", leave)
    stage.finish()
    assert stage.actors["b"].result == 2
    assert isinstance(stage.actors["c"].error, SystemExit)


def test_what_the_outbox_filter_raises_is_raised_to_the_one_whose_event_it_is(
    stage, backend, accounts, transact, ann
):
    def refuse(event):
        if event.data.get("amount") == 3:
            raise KeyError("amount")
        return False

    backend.with_outbox(refuse)
    try:
        for number in range(1, 5):
            transact(f"d{number}", deposit(number))
        stage.finish()
    finally:
        backend.with_outbox(lambda _: False)

    errors = [type(stage.actors[f"d{number}"].error) for number in range(1, 5)]
    assert errors == [type(None), type(None), KeyError, type(None)]
    assert accounts.load(ann).balance == 7


@pytest.mark.parametrize("group", [None, 1, "yes"])
def test_group_is_a_bool(backend, group):
    with pytest.raises(InputError):
        Repository(backend.event_store, Account, group=group)
