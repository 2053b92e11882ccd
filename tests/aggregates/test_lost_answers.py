"""An answer that was lost stays the news of the call, whatever happens to the attempts after it."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import MemoryBackend, Query, Repository
from dynamo_es.aggregates.retries import Retries, append_surely
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    InputError,
    ServiceError,
    ThrottledError,
)
from tests.aggregates.account import Account
from tests.boundaries.courses import Define, Definition

if TYPE_CHECKING:
    from collections.abc import Callable

THROTTLED = ThrottledError("Query", "Throttled", "too many requests.")


def no_retries(sleep: Callable[[float], None] = lambda _: None) -> Retries:
    return Retries(10, None, lambda: 0.0, sleep)


class Answers:
    """Answers of one append after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def __call__(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def lost() -> AppendOutcomeUnknownError:
    return AppendOutcomeUnknownError("a stream", 0, "lost.")


def test_the_attempts_go_on_until_one_can_tell():
    assert append_surely(Answers(lost(), lost(), 7), no_retries()) == 7
    conflict = ConcurrentStreamWriteError("a stream", 0, 1)
    with pytest.raises(ConcurrentStreamWriteError):
        append_surely(Answers(lost(), conflict), no_retries())
    with pytest.raises(ThrottledError):
        append_surely(Answers(THROTTLED), no_retries())


@pytest.mark.parametrize("error", [THROTTLED, InputError("closed.")])
def test_an_error_of_a_later_attempt_is_only_the_cause(error):
    with pytest.raises(AppendOutcomeUnknownError) as caught:
        append_surely(Answers(lost(), error), no_retries())

    assert caught.value.__cause__ is error


@pytest.mark.parametrize("at", ["the append", "the wait"])
def test_an_interrupt_of_a_later_attempt_carries_it_along(at):
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        if at == "the append":
            append_surely(Answers(lost(), KeyboardInterrupt()), no_retries())
        else:
            append_surely(Answers(lost(), lost()), no_retries(interrupted))

    assert isinstance(caught.value.__cause__, AppendOutcomeUnknownError)


def losing(append: Callable[..., Any]) -> Callable[..., Any]:
    """Return an append whose first answer is lost, and which is then refused by AWS."""
    called: list[bool] = []

    def wrapped(*arguments: Any, **named: Any) -> Any:
        called.append(True)
        if len(called) > 1:
            raise THROTTLED
        append(*arguments, **named)
        raise lost()

    return wrapped


@pytest.mark.parametrize("several", [True, False])
def test_decisions_on_aggregates_say_so(several, monkeypatch):
    store = MemoryBackend().event_store
    repository = Repository(store, Account, sleep=lambda _: None)
    method = "append_all" if several else "append"
    monkeypatch.setattr(store, method, losing(getattr(store, method)))

    with pytest.raises(AppendOutcomeUnknownError):
        if several:
            repository.transact_all(["a", "b"], lambda a, _: a.open("ann"))
        else:
            repository.transact("a", lambda a: a.open("ann"))

    assert repository.load("a").stored_version == 1


def test_decisions_of_a_group_say_so(monkeypatch):
    store = MemoryBackend().event_store
    repository = Repository(store, Account, sleep=lambda _: None, group=True)
    repository.transact("a", lambda a: a.open("ann"))
    monkeypatch.setattr(store, "append", losing(store.append))
    together, outcomes = Barrier(3), []

    def deposit() -> None:
        together.wait()
        try:
            repository.transact("a", lambda a: a.deposit(1))
        except (AppendOutcomeUnknownError, ServiceError) as error:
            outcomes.append(error)

    threads = [Thread(target=deposit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    unknown = [error for error in outcomes if isinstance(error, AppendOutcomeUnknownError)]
    # A group under way has those that came first, and the throttled one after it nothing stored.
    assert len(unknown) == repository.load("a").balance


def test_decisions_in_a_boundary_say_so(monkeypatch):
    boundary = MemoryBackend().boundary("courses")
    monkeypatch.setattr(
        boundary._stream.storage, "insert_unless", losing(boundary._stream.storage.insert_unless)
    )

    with pytest.raises(AppendOutcomeUnknownError):
        boundary.decide(Definition, Define("c1"))

    assert boundary.read(Query.everything()).head == 1
