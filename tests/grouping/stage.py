"""A stage on which callers act one at a time: each order of their steps can be played.

Each caller has a thread, and all but one are asleep. A caller gives the stage back where it waits
for a group, and where it carries one out. There the stage chooses who acts next, or interrupts a
caller.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from dynamo_es.grouping.waiting import ThreadWaiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.grouping.waiting import Waiter

_PATIENCE = 20.0


class StuckError(AssertionError):
    """Nobody can act, and somebody has not finished."""


class Actor:
    """A caller on the stage.

    Attributes:
        waits: whether it waits for a group; else it is in the middle of its work.
        woken: whether it was woken since it began to wait.
        until: when its wait ends; None: only by being woken.
        finished: whether its function has returned or raised.
        result: what it returned.
        error: what it raised.
    """

    def __init__(self, stage: Stage, name: str, function: Callable[[], Any]) -> None:
        self.name = name
        self.waits = self.woken = self.finished = False
        self.until: float | None = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.interrupt: BaseException | None = None
        self.turn = threading.Semaphore(0)
        self._stage = stage
        self._function = function
        self._thread = threading.Thread(target=self._act, daemon=True)
        self._thread.start()

    @property
    def can_act(self) -> bool:
        return not self.finished and (not self.waits or self.woken or self.until is not None)

    @property
    def acts_at(self) -> float:
        return self.until if self.waits and not self.woken and self.until is not None else 0.0

    def _act(self) -> None:
        self.turn.acquire()
        try:
            self.result = self._function()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        self.finished = True
        self._stage.back.release()


class Stage:
    """Lets callers act one at a time.

    Attributes:
        now: seconds of the stage's clock, which goes on only where a wait runs out.
        actors: everybody, by name.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.actors: dict[str, Actor] = {}
        self.back = threading.Semaphore(0)
        self._acting: Actor | None = None

    @property
    def is_open(self) -> bool:
        """Whether a caller acts: else the test itself does something."""
        return self._acting is not None

    def clock(self) -> float:
        return self.now

    def enter(self, name: str, function: Callable[[], Any]) -> Actor:
        """Add a caller; it does nothing until it is its turn."""
        actor = self.actors[name] = Actor(self, name, function)
        return actor

    def new_waiter(self) -> Waiter:
        """Return what makes the caller wait that acts now; the test itself never waits."""
        return ThreadWaiter() if self._acting is None else StageWaiter(self, self._acting)

    def act(self, name: str, interrupt: BaseException | None = None) -> Actor:
        """Let a caller act until it waits, works or finishes; or raise an interrupt where it is."""
        actor = self.actors[name]
        if actor.waits and not actor.woken and actor.until is not None and interrupt is None:
            self.now = max(self.now, actor.until)
        actor.interrupt = interrupt
        self._acting = actor
        actor.turn.release()
        assert self.back.acquire(timeout=_PATIENCE), f"{name} blocks"
        self._acting = None
        return actor

    def give_back(self, *, waits: bool = False) -> None:
        """Pause the caller that acts: it is in the middle of its work, or waits."""
        actor = self._acting
        assert actor is not None
        actor.waits = waits
        self.back.release()
        assert actor.turn.acquire(timeout=_PATIENCE), "the test has ended"
        actor.waits = False
        if actor.interrupt is not None:
            interrupt, actor.interrupt = actor.interrupt, None
            raise interrupt

    def able(self) -> list[str]:
        """Return who can act now; or, if nobody can, whose wait ends first."""
        able = [actor for actor in self.actors.values() if actor.can_act]
        first = min((actor.acts_at for actor in able), default=0.0)
        return [actor.name for actor in able if actor.acts_at <= max(first, self.now)]

    def finish(self) -> None:
        """Let callers act until all have finished.

        Raises:
            StuckError: somebody can never finish.
        """
        while names := self.able():
            self.act(names[0])
        stuck = [name for name, actor in self.actors.items() if not actor.finished]
        if stuck:
            raise StuckError(f"nobody wakes {', '.join(stuck)}")


class StageWaiter:
    """Waits by giving the stage back."""

    def __init__(self, stage: Stage, actor: Actor) -> None:
        self._stage = stage
        self._actor = actor

    def wait(self, seconds: float | None = None) -> None:
        actor = self._actor
        actor.until = None if seconds is None else self._stage.now + seconds
        try:
            self._stage.give_back(waits=True)
        finally:
            actor.woken, actor.until = False, None

    def wake(self) -> None:
        self._actor.woken = True
