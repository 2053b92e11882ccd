"""given, when, then: what passes, what fails, and what the failure says."""

from __future__ import annotations

from typing import Any

import pytest

from dynamo_es import Aggregate, Context, Event, Snapshot, WrappedEvent
from dynamo_es.exceptions import (
    AggregateDefinitionError,
    AsynchronousFunctionError,
    InputError,
    InvalidEventError,
)
from dynamo_es.testing import given
from tests.aggregates.account import Account, Withdrawn
from tests.event_store.accounts import Balance, Deposited, Opened


def withdraw(amount: int) -> Any:
    return lambda account: account.withdraw(amount)


def balance_is(amount: int) -> Any:
    return lambda account: account.balance == amount


OPENED = Opened(owner="ann")
FIVE = Deposited(amount=5)


def test_a_command_stores_the_events_that_it_emits():
    given(Account, OPENED, FIVE).when(withdraw(5)).then(Withdrawn(amount=5)).state(balance_is(0))


def test_a_new_aggregate_has_no_events():
    given(Account).when(lambda account: account.open("ann")).then(Opened(owner="ann"))


def test_a_factory_makes_the_aggregate():
    given(lambda: Account(), OPENED, FIVE).when(withdraw(1)).then(Withdrawn(amount=1))  # noqa: PLW0108


def test_a_command_may_store_nothing():
    given(Account, OPENED).when(lambda account: None).then()


def test_a_command_may_be_refused():
    given(Account, OPENED).when(withdraw(1)).raises(ValueError, match="only 0 left")


def test_a_refused_command_stores_nothing_of_what_it_emitted():
    def emit_and_refuse(account: Account) -> None:
        account.deposit(1)
        raise ValueError("no")

    given(Account, OPENED, FIVE).when(emit_and_refuse).raises(ValueError).then().state(
        balance_is(5)
    )


def test_a_command_may_return_something():
    outcome = given(Account, OPENED, FIVE).when(lambda account: account.balance)
    outcome.returns(5)
    with pytest.raises(AssertionError, match=r"expected: True\n  actual:   5"):
        outcome.returns(True)


def test_one_command_follows_another():
    (
        given(Account, OPENED)
        .when(lambda account: account.deposit(3))
        .then(Deposited(amount=3))
        .when(withdraw(2))
        .then(Withdrawn(amount=2))
        .state(balance_is(1))
    )


def test_a_command_that_is_delivered_twice_stores_its_events_once():
    (
        given(Account, OPENED, FIVE)
        .when(withdraw(2), command_id="c-1")
        .then(Withdrawn(amount=2))
        .when(withdraw(2), command_id="c-1")
        .then()
        .state(balance_is(3))
    )


@pytest.mark.parametrize("command_id", [None, "c-1"])
def test_a_snapshot_stands_for_the_events_before_it(command_id):
    outcome = given(Account, Balance(balance=7), FIVE).when(withdraw(12), command_id=command_id)
    outcome.then(Withdrawn(amount=12))
    assert outcome.events == [Withdrawn(amount=12)]


def test_a_snapshot_replaces_the_events_that_are_given_before_it():
    given(Account, OPENED, FIVE, Balance(balance=9), FIVE).state(balance_is(14))


def test_events_may_have_a_context():
    wrapped = WrappedEvent(FIVE, context=Context(user="ann"))
    given(Account, OPENED, wrapped).state(balance_is(5))


@pytest.mark.parametrize("expected", [(), (FIVE,), (FIVE, FIVE, FIVE), (OPENED, FIVE)])
def test_a_missing_event_or_one_too_many_fails(expected):
    def deposit_twice(account: Account) -> None:
        account.deposit(5)
        account.deposit(5)

    outcome = given(Account).when(deposit_twice).then(FIVE, FIVE)
    with pytest.raises(AssertionError, match="stored other events"):
        outcome.then(*expected)


def test_a_class_stands_for_all_its_events():
    outcome = given(Account, OPENED, FIVE).when(withdraw(5)).then(Withdrawn)
    with pytest.raises(AssertionError, match="any Deposited"):
        outcome.then(Deposited)
    with pytest.raises(AssertionError):
        outcome.then(Event)


def test_a_failure_shows_both_lists_side_by_side():
    def act(account: Account) -> None:
        account.withdraw(1)
        account.withdraw(2)
        account.deposit(1)

    with pytest.raises(AssertionError) as failure:
        given(Account, OPENED, FIVE).when(act).then(Withdrawn(amount=1), Withdrawn(amount=3))

    lines = [" ".join(line.split()) for line in str(failure.value).splitlines()]
    assert lines[2] == "expected | actual"
    assert lines[4:7] == [
        "1 Withdrawn(amount=1) | Withdrawn(amount=1)",
        "> 2 Withdrawn(amount=3) | Withdrawn(amount=2)",
        "> 3 - | Deposited(amount=1)",
    ]
    assert lines[-1] == "event 2: amount is 2, expected 3"


class Noted(Event):
    __event_name__ = "testing.noted"

    text: Any


class Notes(Aggregate):
    category = "notes"

    def note(self, text: Any) -> None:
        self._emit(Noted(text=text))

    def __apply__(self, event: Event) -> None:
        pass


def test_long_events_are_wrapped_into_their_columns():
    with pytest.raises(AssertionError) as failure:
        given(Notes).when(lambda notes: notes.note("z" * 200)).then(Noted(text="q" * 300))

    table = str(failure.value).split("event 1:")[0]
    assert all(len(line) <= 104 for line in table.splitlines())
    assert table.count("z") == 200
    assert table.count("q") == 300


@pytest.mark.parametrize("other", [1.0, True, "1"])
def test_values_of_other_types_are_other_events(other):
    outcome = given(Notes).when(lambda notes: notes.note(1))
    outcome.then(Noted(text=1))
    with pytest.raises(AssertionError, match="text is 1, expected"):
        outcome.then(Noted(text=other))


def test_an_event_that_cannot_be_stored_fails():
    outcome = given(Notes).when(lambda notes: notes.note({1, 2}))
    with pytest.raises(InvalidEventError, match="text"):
        outcome.then(Noted)


def test_a_given_event_that_cannot_be_stored_fails():
    with pytest.raises(InvalidEventError, match="text"):
        given(Notes, Noted(text=(1, 2)))


def test_an_event_that_cannot_be_applied_is_no_error_of_the_command():
    class Strict(Notes):
        category = "strict"

        def __apply__(self, event: Event) -> None:
            raise ValueError("cannot apply")

    with pytest.raises(ValueError, match="cannot apply"):
        given(Strict, Noted(text="a"))


def test_each_step_but_raises_raises_the_error():
    for step in (
        lambda outcome: outcome.then(),
        lambda outcome: outcome.returns(None),
        lambda outcome: outcome.state(balance_is(0)),
        lambda outcome: outcome.when(withdraw(0)),
        lambda outcome: outcome.check_snapshot(),
        lambda outcome: outcome.raises(KeyError),
        lambda outcome: outcome.raise_error(),
    ):
        outcome = given(Account, OPENED).when(withdraw(1))
        with pytest.raises(ValueError, match="only 0 left"):
            step(outcome)


def test_an_error_that_does_not_come_fails_and_shows_the_events():
    with pytest.raises(AssertionError, match=r"did not raise ValueError[^$]*Withdrawn\(amount=5\)"):
        given(Account, OPENED, FIVE).when(withdraw(5)).raises(ValueError)


def test_an_error_with_another_text_fails():
    with pytest.raises(AssertionError, match="expected: only 1 left\n  actual:   only 0 left"):
        given(Account, OPENED).when(withdraw(5)).raises(ValueError, match="only 1 left")


def test_another_state_fails_and_shows_it():
    with pytest.raises(AssertionError, match=r"owner = 'ann'\n  balance = 5"):
        given(Account, OPENED, FIVE).state(balance_is(4))


def test_a_state_that_says_neither_yes_nor_no_is_refused():
    with pytest.raises(InputError, match="True or False, not 5"):
        given(Account, OPENED, FIVE).state(lambda account: account.balance)  # type: ignore[arg-type, return-value]


class Tally(Aggregate):
    category = "tally"

    def __init__(self) -> None:
        self.count = 0
        self.last: Any = None

    def __apply__(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.count += 1
            self.last = event.text


class Count(Snapshot):
    __event_name__ = "testing.count"

    count: int
    last: Any = None


class Forgetful(Tally):
    category = "forgetful"

    def __snapshot__(self) -> Count:
        return Count(count=self.count)

    def __restore__(self, state: Count) -> None:
        self.count = state.count


class Careful(Forgetful):
    category = "careful"

    def __snapshot__(self) -> Count:
        return Count(count=self.count, last=self.last)

    def __restore__(self, state: Count) -> None:
        self.count, self.last = state.count, state.last


def test_a_snapshot_that_keeps_the_state_passes():
    given(Careful, Noted(text="a")).check_snapshot().when(lambda _: None).then().check_snapshot()


def test_a_snapshot_that_forgets_something_fails_and_names_it():
    with pytest.raises(AssertionError, match="last: 'a' from the events, None from the snapshot"):
        given(Forgetful, Noted(text="a")).check_snapshot()


def test_a_class_without_snapshots_is_refused():
    with pytest.raises(AggregateDefinitionError, match="has no __snapshot__"):
        given(Tally, Noted(text="a")).check_snapshot()


@pytest.mark.parametrize("wrong", [5, None, Noted, object(), "Account", lambda: 5])
def test_what_is_no_aggregate_is_refused(wrong):
    with pytest.raises(InputError, match="given needs an Aggregate class"):
        given(wrong)


def test_what_is_no_event_is_refused():
    with pytest.raises(InputError, match="A given event must be an Event"):
        given(Account, "opened")  # type: ignore[call-overload]
    with pytest.raises(InputError, match="then needs events"):
        given(Account).when(lambda _: None).then("opened")  # type: ignore[arg-type]


def test_a_coroutine_is_refused():
    async def command(account: Account) -> None: ...

    with pytest.raises(AsynchronousFunctionError):
        given(Account).when(command)


def test_a_method_that_is_not_called_is_refused():
    with pytest.raises(InputError, match=r"returned the method deposit .* write deposit\(…\)"):
        given(Account, OPENED).when(lambda account: account.deposit)
