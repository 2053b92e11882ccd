"""The queue of the items that wait for one stream."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.grouping.waiting import Waiter


@dataclass(slots=True, eq=False)
class Entry:
    """An item in a queue, with its waiting caller.

    Attributes:
        item: the item to carry out.
        waiter: makes the caller wait.
        weight: weight of the item, which counts toward the limit of its group.
        alone: whether the item gets a group of its own.
        taken: whether a group has the item.
        done: whether the item has its outcome.
        gone: whether the caller has left.
        doubtful: whether a group that was interrupted may have stored the item, which is carried
            out again.
        outcome: the item's result or error.
    """

    item: Any
    waiter: Waiter
    weight: int
    alone: bool
    taken: bool = False
    done: bool = False
    gone: bool = False
    doubtful: bool = False
    outcome: Any = None

    @property
    def may_be_stored(self) -> bool:
        """Whether a group has taken the item, and the item has not failed."""
        return self.taken and not isinstance(self.outcome, BaseException)

    def finish(self, outcome: object) -> None:
        """Set the outcome and wake the caller."""
        self.outcome = outcome
        self.done = True
        self.waiter.wake()


@dataclass(slots=True, eq=False)
class Queue:
    """The items that wait for one stream.

    Attributes:
        waiting: the waiting items, in the order of arrival. A leader that has not begun is the
            first.
        group: the items that the leader has taken and carries out.
        leader: leader of the next or the running group; None: the queue is idle.
        company: number of callers of the last group. As many are expected again.
        wanted: number of waiting items that the leader waits for; 0: it does not wait.
    """

    waiting: deque[Entry] = field(default_factory=deque)
    group: list[Entry] = field(default_factory=list)
    leader: Entry | None = None
    company: int = 1
    wanted: int = 0

    def lead_next(self) -> None:
        """Make the oldest waiting caller the leader."""
        self.leader = self.waiting[0] if self.waiting else None
        if self.leader is not None:
            self.leader.waiter.wake()

    def take(self, most: int, heaviest: int | None) -> None:
        """Move the leader's item, and the items after it that fit, into the group."""
        weight = 0
        while self.waiting and len(self.group) < most:
            entry = self.waiting[0]
            weight += entry.weight
            if self.group and (entry.alone or (heaviest is not None and weight > heaviest)):
                break
            entry.taken = True
            self.group.append(entry)  # first, so that an interrupt in between loses no item
            self.waiting.popleft()
            if entry.alone:
                break

    def give_back(self, error_of: Callable[[Any], Exception | None]) -> None:
        """Put back the entries that the leader did not finish, or finish them with an error.

        An interrupt may come at any point, even in this method. You can safely call it again.
        """
        while self.group:
            entry = self.group[-1]
            if entry.done:
                entry.waiter.wake()
            elif not entry.gone:
                error = error_of(entry.item)
                if error is None:
                    entry.taken, entry.doubtful = False, True
                    if not self.waiting or self.waiting[0] is not entry:
                        self.waiting.appendleft(entry)
                else:
                    entry.finish(error)
            self.group.pop()
