"""`Groups`: the queues of a process, one for each stream. The first caller in a queue leads.

If no group of the stream is running, a caller leads one: it waits a moment for other callers,
carries out all waiting items, and gives each caller its result. Callers that come in the meantime
wait, and the oldest of them leads the next group. So no background thread is needed, a stream has
one running group at a time, and each leader carries out its own item.
"""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    BoundaryConflictError,
    ConcurrentStreamWriteError,
    ContentionError,
    EventStoreError,
    InputError,
)
from dynamo_es.forking import new_lock, tell_of_forks
from dynamo_es.grouping.queues import Entry, Queue
from dynamo_es.grouping.waiting import ThreadWaiter

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from contextvars import Context

    from dynamo_es.grouping.waiting import Waiter

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

MOST_ITEMS: Final = 25
"""Most items of a group."""

LINGER: Final = 0.001
"""Seconds that a leader waits for others, if the last group had others."""

PATIENCE: Final = 10.0
"""Most seconds that an item waits for its group to begin."""

_IDLE_QUEUES: Final = 1_000
"""Number of empty queues for which the size of the last group is remembered."""

_SURE: Final = (
    AppendOutcomeUnknownError,
    BoundaryConflictError,
    ConcurrentStreamWriteError,
)
"""Errors that already say whether an item was stored, even by an interrupted group before."""

_leading: ContextVar[bool] = ContextVar("dynamo_es_leading", default=False)
"""Whether this code runs inside a group, so that it must not wait for another group."""


class Work(ABC, Generic[ItemT, ResultT]):
    """Carries out the items of a group. All are of one kind and for one stream."""

    heaviest: ClassVar[int | None] = None
    """Most weight of a group; a heavier item is carried out alone. None: no limit."""

    @abstractmethod
    def carry_out(self, items: Sequence[ItemT]) -> Sequence[ResultT | BaseException]:
        """Return the result or the error of each item, in the order given.

        Raises:
            InputError: an item is wrong, and nothing was done. Each item is then carried out alone.
            Exception: every item failed with this error.
        """

    @abstractmethod
    def after_interrupt(self, item: ItemT) -> Exception | None:
        """Return the error of an item whose group was interrupted; None: carry it out again.

        It is called while a lock is held, so it must not wait.
        """

    @abstractmethod
    def left_unknown(self, item: ItemT) -> Exception | None:
        """Return the error for a caller that is interrupted while a group has its item.

        The error says that the item may be stored, and becomes the cause of the interrupt. None:
        nothing can have been written.
        """


class Groups:
    """The queues of a process. Safe to share between threads.

    Args:
        most: most items of a group.
        linger: seconds that a leader waits for others. It waits only if the last group had others,
            and only until as many are there again.
        patience: most seconds that an item waits for its group to begin.
        monotonic: returns seconds of a clock that only goes forward.
        new_waiter: returns a new `Waiter` for one caller.
    """

    def __init__(
        self,
        *,
        most: int = MOST_ITEMS,
        linger: float = LINGER,
        patience: float = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
        new_waiter: Callable[[], Waiter] = ThreadWaiter,
    ) -> None:
        self._most = most
        self._linger_s = linger
        self._patience = patience
        self._monotonic = monotonic
        self._new_waiter = new_waiter
        self._lock = new_lock()
        self._busy: dict[Hashable, Queue] = {}
        self._idle: OrderedDict[Hashable, int] = OrderedDict()
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Forget all waiting callers, because their threads exist only in the parent."""
        self._busy.clear()
        self._idle.clear()

    def submit(
        self,
        key: Hashable,
        item: ItemT,
        work: Work[ItemT, ResultT],
        *,
        weight: int = 0,
        alone: bool = False,
    ) -> ResultT:
        """Carry out an item together with others that wait for the same key; return its result.

        Code that runs inside a group does not wait for another group: its item is carried out at
        once and alone.

        Args:
            key: identifies the queue. Items with the same key must have the same kind of work.
            item: the item.
            work: carries out the group, if this caller leads it.
            weight: weight of the item; `Work.heaviest` limits the sum in a group.
            alone: whether to give the item a group of its own.

        Raises:
            ContentionError: no group took the item in time; nothing was done.
            Exception: the error of the item or of its group.
        """
        if _leading.get():
            return _result_of(work.carry_out([item])[0])
        entry = Entry(item, self._new_waiter(), weight, alone)
        leads = False
        try:
            queue = self._join(key, entry)
            self._wait_for_turn(queue, entry)
            if not entry.done:
                leads = True
                self._linger(queue, entry)
                self._lead(queue, work)
        except BaseException as error:
            if entry.doubtful or (entry.may_be_stored and not leads):
                _raise_if_unknown(entry, error, work)
                error.__cause__ = error.__cause__ or work.left_unknown(item)
            raise
        finally:
            self._leave_despite_interrupts(key, entry, work)
        if isinstance(entry.outcome, BaseException):
            _raise_if_unknown(entry, entry.outcome, work)
        result: ResultT = _result_of(entry.outcome)
        return result

    def _join(self, key: Hashable, entry: Entry) -> Queue:
        with self._lock:
            queue = self._busy.get(key)
            if queue is None:
                queue = self._busy[key] = Queue(company=self._idle.pop(key, 1))
            queue.waiting.append(entry)
            if queue.leader is None:
                queue.leader = entry
            elif 0 < queue.wanted <= len(queue.waiting):
                queue.leader.waiter.wake()
            return queue

    def _wait_for_turn(self, queue: Queue, entry: Entry) -> None:
        """Wait until the item is done or its caller becomes the leader.

        Raises:
            ContentionError: neither happened in time, and no group has the item.
        """
        end: float | None = None
        while not (entry.done or queue.leader is entry):
            if entry.taken:
                entry.waiter.wait()
                continue
            now = self._monotonic()
            end = now + self._patience if end is None else end
            if now >= end and self._withdraw(queue, entry):
                raise ContentionError(
                    "PutItem",
                    "GroupsBusy",
                    f"the groups before it took more than {self._patience:g} seconds.",
                )
            entry.waiter.wait(end - now)

    def _withdraw(self, queue: Queue, entry: Entry) -> bool:
        """Leave the queue, unless a group has the item or its caller leads."""
        with self._lock:
            if entry.taken or entry.done or queue.leader is entry:
                return False
            queue.waiting.remove(entry)
            return True

    def _linger(self, queue: Queue, entry: Entry) -> None:
        """Wait a moment for as many callers as the last group had."""
        queue.wanted = 0 if entry.alone else min(self._most, queue.company)
        if len(queue.waiting) < queue.wanted:
            end = self._monotonic() + self._linger_s
            while len(queue.waiting) < queue.wanted:
                left = end - self._monotonic()
                if left <= 0:
                    break
                entry.waiter.wait(left)
        queue.wanted = 0

    def _lead(self, queue: Queue, work: Work[Any, Any]) -> None:
        with self._lock:
            queue.take(self._most, work.heaviest)
        outcomes = _carry_out(work, [entry.item for entry in queue.group])
        with self._lock:
            queue.company = len(queue.group) + len(queue.waiting)
            for entry, outcome in zip(queue.group, outcomes, strict=True):
                entry.finish(outcome)
            queue.group = []

    def _leave_despite_interrupts(self, key: Hashable, entry: Entry, work: Work[Any, Any]) -> None:
        """Leave the queue even if an interrupt comes while leaving."""
        try:
            self._leave(key, entry, work)
        except BaseException:
            self._leave(key, entry, work)
            raise

    def _leave(self, key: Hashable, entry: Entry, work: Work[Any, Any]) -> None:
        """Leave the queue, for any reason. A leader puts back the items that it did not finish."""
        with self._lock:
            queue = self._busy.get(key)
            entry.gone = True
            if queue is None:
                return
            if entry in queue.waiting:
                queue.waiting.remove(entry)
            if queue.leader is entry:
                queue.wanted = 0
                queue.give_back(work.after_interrupt)
                queue.lead_next()
            if queue.leader is None:
                del self._busy[key]
                self._remember(key, queue.company)

    def _remember(self, key: Hashable, company: int) -> None:
        if company > 1:
            self._idle[key] = company
            if len(self._idle) > _IDLE_QUEUES:
                self._idle.popitem(last=False)


def _carry_out(work: Work[ItemT, ResultT], items: Sequence[ItemT]) -> Sequence[object]:
    """Return the outcome of each item of a group."""
    token = _leading.set(True)
    try:
        try:
            return _with_own_errors(_outcomes(work, items))
        except InputError as error:
            # One item is wrong, which must not fail the others.
            return [error] if len(items) == 1 else [_alone(work, item) for item in items]
        except Exception as error:  # noqa: BLE001 - each caller gets it
            return [error, *(own_copy(error) for _ in items[1:])]
    finally:
        _leading.reset(token)


def _outcomes(work: Work[ItemT, ResultT], items: Sequence[ItemT]) -> Sequence[object]:
    outcomes = work.carry_out(items)
    if len(outcomes) != len(items):
        raise AssertionError(f"{len(items)} items have {len(outcomes)} results")
    return outcomes


def _with_own_errors(outcomes: Sequence[object]) -> Sequence[object]:
    """Return the outcomes; if several callers would get the same error, each gets a copy."""
    seen: set[int] = set()
    own: list[object] = []
    for outcome in outcomes:
        if isinstance(outcome, Exception) and id(outcome) in seen:
            own.append(own_copy(outcome))
        else:
            own.append(outcome)
        seen.add(id(outcome))
    return own


def _alone(work: Work[ItemT, ResultT], item: ItemT) -> object:
    try:
        return _outcomes(work, [item])[0]
    except Exception as error:  # noqa: BLE001 - its caller gets it
        return error


def _raise_if_unknown(entry: Entry, error: BaseException, work: Work[Any, Any]) -> None:
    """Raise that the outcome is unknown, if an error wrongly denies that the item is stored.

    An interrupted group may have stored the item before. A conflict is certain: it is not stored.
    """
    if entry.doubtful and isinstance(error, EventStoreError) and not isinstance(error, _SURE):
        unknown = work.left_unknown(entry.item)
        if unknown is not None:
            raise unknown from error


def own_copy(error: Exception) -> Exception:
    """Return a copy of an error: threads that raise the same object mix up its traceback."""
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001 - an error of other code, which cannot be copied
        return error


def run_inside(variables: Context, function: Callable[..., ResultT], *given: Any) -> ResultT:
    """Call a function inside a group, with the context variables of the item's own caller."""
    return variables.run(_marked, function, *given)


def _marked(function: Callable[..., ResultT], *given: Any) -> ResultT:
    _leading.set(True)
    return function(*given)


def _result_of(outcome: ResultT | BaseException) -> ResultT:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
