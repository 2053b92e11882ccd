"""`Outcome`: the outcome of a command, with assertions on it."""

from __future__ import annotations

import re
from inspect import ismethod
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from dynamo_es.aggregates.aggregate import Aggregate
from dynamo_es.contracts.checks.arguments import check_callable
from dynamo_es.contracts.checks.functions import refuse_asynchronous
from dynamo_es.event_store.event import Event
from dynamo_es.exceptions import InputError
from dynamo_es.testing.differences import all_match, describe
from dynamo_es.testing.snapshots import check_snapshot, state_of
from dynamo_es.wording import shown, shown_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.aggregates.commands import CommandId
    from dynamo_es.aggregates.repository import Repository
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.values import StreamId

TAggregate = TypeVar("TAggregate", bound=Aggregate)
R = TypeVar("R")
S = TypeVar("S")

unclaimed: Final[list[Outcome[Any, Any]]] = []
"""Outcomes that no step has checked. The pytest plugin fails the test for them."""


class Outcome(Generic[TAggregate, R]):
    """The outcome of a command. `GivenAggregate.when` makes one.

    In pytest, an outcome that no step checks fails its test, which would have asserted nothing.
    """

    def __init__(
        self,
        repository: Repository[TAggregate],
        store: EventStore,
        stream: StreamId,
        events: list[Event],
        result: R | None,
        error: Exception | None,
    ) -> None:
        self._repository = repository
        self._store = store
        self._stream = stream
        self._result = result
        self._error = error
        self._events = events
        unclaimed.append(self)

    @property
    def events(self) -> list[Event]:
        """The events that the command stored, loaded again; empty after an error."""
        if self._error is None:
            self._forget()
        return self._events

    def then(self, *expected: Event | type[Event]) -> Self:
        """Assert that the command stored exactly these events, in this order.

        Args:
            expected: the events. One matches if its class and all values are the same. A class
                matches all its events. Without arguments, the command must not store any event.

        Raises:
            AssertionError: the command stored other events; the text shows both lists.
            InputError: an argument that is not an event or a class of events.
            Exception: the error that the command raised.
        """
        self._claim()
        for one in expected:
            if not isinstance(one, Event) and not (
                isinstance(one, type) and issubclass(one, Event)
            ):
                raise InputError(f"then needs events or classes of events, not {shown(one)}.")
        if not all_match(expected, self.events):
            raise AssertionError(
                f"The command stored other events.\n\n{describe(expected, self.events)}"
            )
        return self

    def raises(self, error: type[Exception], match: str | None = None) -> Self:
        """Assert that the command raised an error, and so stored nothing.

        Args:
            error: class of the error, or a base class.
            match: a regular expression that must match a part of the error's text.

        Raises:
            AssertionError: there was no error, or its text does not match.
            Exception: the command's error, if it is of another class.
        """
        if not (isinstance(error, type) and issubclass(error, Exception)):
            raise InputError(f"raises needs a class of exceptions, not {shown(error)}.")
        raised = self._error
        if raised is None:
            self._forget()
            raise AssertionError(
                f"The command did not raise {error.__qualname__}. It stored these events:\n\n"
                + describe((), self.events)
            )
        if not isinstance(raised, error):
            self._claim()
        self._forget()
        if match is not None and re.search(match, str(raised)) is None:
            raise AssertionError(
                f"The command raised {type(raised).__qualname__}, but its text does not match.\n"
                f"  expected: {match}\n  actual:   {raised}"
            ) from raised
        return self

    def returns(self, expected: object) -> Self:
        """Assert that the command returned an equal value of the same class.

        Raises:
            AssertionError: the command returned another result.
            Exception: the error that the command raised.
        """
        self._claim()
        if type(self._result) is not type(expected) or self._result != expected:
            raise AssertionError(
                "The command returned another result.\n"
                f"  expected: {expected!r}\n  actual:   {self._result!r}"
            )
        return self

    def state(self, check: Callable[[TAggregate], bool]) -> Self:
        """Assert on the aggregate's state after its events are loaded again.

        ``.state(lambda account: account.balance == 0)``

        Raises:
            AssertionError: the check returned False; the text shows the state.
            InputError: the check returned neither True nor False.
            Exception: the error that the command raised.
        """
        self._claim()
        assert_state(self._repository.load(self._stream), check)
        return self

    def check_snapshot(self) -> Self:
        """Assert that a snapshot keeps the whole state; see `GivenAggregate.check_snapshot`."""
        self._claim()
        check_snapshot(self._store, self._repository, self._stream)
        return self

    def when(
        self, command: Callable[[TAggregate], S], *, command_id: CommandId | None = None
    ) -> Outcome[TAggregate, S]:
        """Decide another command after this one; see `GivenAggregate.when`.

        Raises:
            Exception: the error that this command raised.
        """
        self._claim()
        return decide(self._repository, self._store, self._stream, command, command_id)

    def raise_error(self) -> None:
        """Raise an error if no step has checked this outcome.

        Raises:
            AssertionError: the command succeeded, but the test asserts nothing about it.
            Exception: the error that the command raised.
        """
        if self not in unclaimed:
            return
        self._claim()
        raise AssertionError(
            "The test asserts nothing about a command. End it with a step, such as "
            ".then(Withdrawn(amount=5)), or .then() if the command stores nothing. It stored these "
            f"events:\n\n{describe((), self._events)}"
        )

    def _claim(self) -> None:
        """Raise the command's error, unless `raises` expected it."""
        if self in unclaimed:
            self._forget()
            if self._error is not None:
                raise self._error

    def _forget(self) -> None:
        if self in unclaimed:
            unclaimed.remove(self)


def decide(
    repository: Repository[TAggregate],
    store: EventStore,
    stream: StreamId,
    command: Callable[[TAggregate], R],
    command_id: CommandId | None,
) -> Outcome[TAggregate, R]:
    """Decide a command and return its outcome."""
    check_callable("command", command)
    refuse_asynchronous(command, "command")
    before = int(store.version(stream) or 0)
    result: R | None = None
    error: Exception | None = None
    try:
        result = repository.transact(stream, command, command_id=command_id)
    except Exception as raised:  # noqa: BLE001 - each error waits for the next step
        error = raised
    _refuse_method(result)
    stored = store.load_stream(stream, before + 1)
    return Outcome(repository, store, stream, [wrapped.event for wrapped in stored], result, error)


def _refuse_method(result: object) -> None:
    """Raise if a command returned a method of the aggregate instead of calling it."""
    if ismethod(result) and isinstance(result.__self__, Aggregate):
        raise InputError(
            f"The command returned the method {result.__name__} instead of calling it: write "
            f"{result.__name__}(…)."
        )


def assert_state(aggregate: TAggregate, check: Callable[[TAggregate], bool]) -> None:
    """Raise `AssertionError` unless a check of an aggregate returns True."""
    check_callable("state", check)
    refuse_asynchronous(check, "state")
    said = check(aggregate)
    if said is True:
        return
    if said is not False:
        raise InputError(
            f"state needs a function that returns True or False, not {shown(said)}: "
            f"{shown_function(check)}."
        )
    lines = [f"  {name} = {value!r}" for name, value in state_of(aggregate).items()]
    raise AssertionError(
        f"The state of {type(aggregate).__qualname__} is not as expected:\n\n"
        + ("\n".join(lines) or "  (no attributes)")
    )
