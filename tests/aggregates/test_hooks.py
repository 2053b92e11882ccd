"""The hooks of an aggregate must not emit events, and must not be asynchronous."""

from __future__ import annotations

import pytest

from dynamo_es import Aggregate, Event, MemoryBackend, Repository, StreamId
from dynamo_es.exceptions import AggregateDefinitionError, AsynchronousFunctionError
from tests.aggregates.account import Account
from tests.event_store.accounts import Balance, Deposited

HOOKS = ["__apply__", "__restore__", "__snapshot__"]
ANN = StreamId(name="ann", category="account")


@pytest.fixture
def store():
    return MemoryBackend().event_store


async def a_coroutine(*_):
    raise AssertionError("it never runs")


def a_generator(*_):
    raise AssertionError("it never runs")
    yield


async def an_asynchronous_generator(*_):
    raise AssertionError("it never runs")
    yield


WAITING = [a_coroutine, a_generator, an_asynchronous_generator]


# Those that would never run


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("function", WAITING)
@pytest.mark.parametrize("wrap", [lambda one: one, staticmethod], ids=["plain", "static"])
@pytest.mark.parametrize("abstract", [False, True])
def test_a_hook_that_would_never_run_is_refused_when_the_class_is_defined(
    hook, function, wrap, abstract
):
    with pytest.raises(AggregateDefinitionError, match=rf"Late\.{hook} is a"):
        type("Late", (Account,), {hook: wrap(function)}, abstract=abstract)


def test_a_hook_of_a_class_without_a_base_is_refused_too():
    class Late:
        async def __apply__(self, event):
            raise AssertionError("it never runs")

    with pytest.raises(AggregateDefinitionError, match="__apply__ is asynchronous"):
        type("Both", (Late, Account), {})


@pytest.mark.parametrize("function", WAITING)
def test_an_apply_that_returns_what_has_yet_to_run_is_refused_at_the_first_event(store, function):
    class Late(Account):
        def __apply__(self, event):
            return function(event)

        def __repr__(self):
            return "its state"

    account = Late()
    with pytest.raises(
        AsynchronousFunctionError, match=r"Late\.__apply__ (is a|returned an)"
    ) as refused:
        account.deposit(5)
    assert account.__changes__ == []
    assert "its state" not in str(refused.value)

    Repository(store, Account).transact("ann", lambda one: one.deposit(5))
    with pytest.raises(AsynchronousFunctionError, match=r"Late\.__apply__ (is a|returned an)"):
        Repository(store, Late).load("ann")


@pytest.mark.parametrize("hook", ["__restore__", "__apply__"])
def test_a_restore_that_returns_what_has_yet_to_run_is_refused(store, hook):
    late: dict[str, object] = {hook: lambda self, _: a_coroutine()}
    if hook == "__apply__":  # The default __restore__ calls it.
        late["__restore__"] = Aggregate.__restore__
    Repository(store, Account, every=1).transact("ann", lambda one: one.deposit(5))

    with pytest.raises(AsynchronousFunctionError, match=rf"Late\.{hook} is asynchronous"):
        Repository(store, type("Late", (Account,), late)).load("ann")


def test_a_snapshot_that_has_yet_to_run_is_logged_and_the_events_are_stored(store, caplog):
    late = type("Late", (Account,), {"__snapshot__": lambda self: a_coroutine()})

    Repository(store, late, every=1).transact("ann", lambda one: one.deposit(5))

    assert "Late.__snapshot__ is asynchronous" in caplog.text
    assert [one.event for one in store.load_stream(ANN)] == [Deposited(amount=5)]


def test_a_hook_that_returns_a_value_is_fine(store):
    class Chatty(Account):
        def __apply__(self, event):
            super().__apply__(event)
            return self

        def __restore__(self, state):
            super().__restore__(state)
            return self

    for _ in range(2):
        Repository(store, Chatty, every=1).transact("ann", lambda one: one.deposit(5))

    assert Repository(store, Chatty).load("ann").balance == 10
    assert isinstance(store.load_stream(ANN)[0].event, Balance)


# What they are given


class Listed(Event):
    __event_name__ = "hooks.listed"

    lines: list[str]


class Hoarder(Aggregate):
    """Keeps a part of its event, and changes it."""

    category = "hoarder"

    def __init__(self):
        self.lines = []

    def emit(self, event):
        self._emit(event)

    def __apply__(self, event):
        self.lines = event.lines
        self.lines.append("of the state")


def test_the_event_of_the_caller_stays_as_it_is(store):
    event = Listed(lines=["first"])
    hoarder = Hoarder()

    hoarder.emit(event)
    hoarder.emit(event)

    assert event == Listed(lines=["first"])
    assert hoarder.__changes__ == [event, event]
    event.lines.append("of the caller")
    assert hoarder.lines == ["first", "of the state"]


def test_an_event_made_before_the_decision_is_the_same_at_every_attempt(store):
    event = Listed(lines=["first"])
    repository = Repository(store, Hoarder, sleep=lambda _: None)
    attempts = []

    def decide(hoarder):
        attempts.append(list(event.lines))
        if len(attempts) < 3:
            Repository(store, Hoarder).transact("h", lambda one: one.emit(Listed(lines=[])))
        hoarder.emit(event)

    repository.transact("h", decide)

    assert attempts == [["first"]] * 3
    (*_, last) = store.load_stream(StreamId(name="h", category="hoarder"))
    assert last.event == Listed(lines=["first"])


# Emitting


class Eager(Account):
    """Emits where it may not; ``eager`` says in which method."""

    eager = ""

    def __apply__(self, event):
        super().__apply__(event)
        if self.eager == "__apply__" and event == Deposited(amount=5):
            self.deposit(1)

    def __restore__(self, state):
        super().__restore__(state)
        if self.eager == "__restore__":
            self.deposit(1)

    def __snapshot__(self):
        if self.eager == "__snapshot__":
            self.deposit(1)
        return super().__snapshot__()


def eager_in(hook):
    return type("Eager", (Eager,), {"eager": hook})


def test_an_apply_that_emits_is_refused_and_nothing_is_emitted(store):
    account = eager_in("__apply__")()
    account.deposit(2)

    with pytest.raises(AggregateDefinitionError, match=r"Eager\.__apply__ must not emit events"):
        account.deposit(5)
    assert account.__changes__ == [Deposited(amount=2)]

    account.deposit(3)  # Emitting is open again.
    assert account.__changes__ == [Deposited(amount=2), Deposited(amount=3)]


@pytest.mark.parametrize(("hook", "every"), [("__apply__", None), ("__restore__", 1)])
def test_a_load_emits_nothing(store, hook, every):
    Repository(store, Account, every=every).transact("ann", lambda one: one.deposit(5))

    with pytest.raises(AggregateDefinitionError, match=rf"Eager\.{hook} must not emit events"):
        Repository(store, eager_in(hook)).load("ann")


def test_a_restore_by_apply_that_emits_is_refused_too(store):
    class Restored(Account):
        def __restore__(self, state):
            Aggregate.__restore__(self, state)

        def __apply__(self, event):
            if isinstance(event, Balance):
                self.deposit(1)

    Repository(store, Account, every=1).transact("ann", lambda one: one.deposit(5))

    with pytest.raises(AggregateDefinitionError, match=r"Restored\.__apply__ must not emit"):
        Repository(store, Restored).load("ann")


def test_a_snapshot_that_emits_is_not_saved(store, caplog):
    repository = Repository(store, eager_in("__snapshot__"), every=1)
    account = repository.load("ann")
    account.deposit(5)

    repository.save("ann", account)

    assert "Eager.__snapshot__ must not emit events" in caplog.text
    assert account.__changes__ == []
    assert [one.event for one in store.load_stream(ANN)] == [Deposited(amount=5)]
