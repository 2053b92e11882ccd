"""`LogSubscriptions`: subscriptions to any log. A batch is due when full, or at the time limit."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts import Selection, SubscriptionStrategy
from dynamo_es.contracts.checks.arguments import check_kind, seconds_of
from dynamo_es.contracts.checks.functions import check_injected
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.values import RecordedRaw
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from dynamo_es.contracts import LogReader, LogStrategy
    from dynamo_es.contracts.log import Start
    from dynamo_es.values import Position, TenantId

SHORTEST_TIMELIMIT: Final = 0.1
"""Shortest time limit, in seconds. A shorter one would only cost more requests."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_LOOK_EVERY: Final = 60.0
"""Seconds between two checks for events without a position, at the end of the log."""


class LogSubscriptions(SubscriptionStrategy):
    """Subscriptions to a log. Safe to share between threads, but a subscription is not.

    Args:
        log: the log to read.
        monotonic: returns seconds of a clock that never goes back.
        sleep: waits a number of seconds.
    """

    def __init__(
        self,
        log: LogStrategy,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        check_injected(monotonic=monotonic, sleep=sleep)
        self._log = log
        self._monotonic = monotonic
        self._sleep = sleep

    def subscribe_to_all(
        self,
        after: Start,
        batch_size: int,
        timelimit: timedelta | float,
        *,
        tenant_id: TenantId | None = None,
    ) -> Subscription:
        """Subscribe to all events; see `SubscriptionStrategy.subscribe_to_all`."""
        return self.subscribe(after, batch_size, timelimit, Selection(tenant_id=tenant_id))

    def subscribe_to_category(
        self,
        after: Start,
        batch_size: int,
        timelimit: timedelta | float,
        category: str,
        *,
        tenant_id: TenantId | None = None,
    ) -> Subscription:
        """Subscribe to a category; see `SubscriptionStrategy.subscribe_to_category`."""
        selection = Selection(category=category, tenant_id=tenant_id)
        return self.subscribe(after, batch_size, timelimit, selection)

    def subscribe_to_events(
        self,
        after: Start,
        batch_size: int,
        timelimit: timedelta | float,
        events: Collection[str],
        *,
        tenant_id: TenantId | None = None,
    ) -> Subscription:
        """Subscribe to names of events; see `SubscriptionStrategy.subscribe_to_events`."""
        check_kind("events", events, Collection, InvalidSubscriptionError)
        if isinstance(events, str):
            raise InvalidSubscriptionError(
                f"events must be a list of names, such as [{shown(events, str)}]."
            )
        selection = Selection(event_names=frozenset(events), tenant_id=tenant_id)
        return self.subscribe(after, batch_size, timelimit, selection)

    def subscribe(
        self, after: Start, batch_size: int, timelimit: timedelta | float, selection: Selection
    ) -> Subscription:
        """Subscribe to a selection of events; otherwise like `subscribe_to_all`."""
        if type(batch_size) is not int or batch_size < 1:
            raise InvalidSubscriptionError(
                f"batch_size must be an integer of 1 or more, not {shown(batch_size)}."
            )
        check_kind("selection", selection, Selection, InvalidSubscriptionError)
        timelimit_s = seconds_of("timelimit", timelimit, SHORTEST_TIMELIMIT)
        if selection.category is not None and not isinstance(selection.category, str):
            raise InvalidSubscriptionError(
                f"category must be text, not {shown(selection.category)}."
            )
        if selection.event_names is not None and not selection.event_names:
            raise InvalidSubscriptionError(
                "events is empty, so it would select no event. Give one name or more, or None."
            )
        reader = self._log.reader(after, selection)
        return Subscription(
            reader, batch_size, timelimit_s, self._monotonic, self._sleep, self._log.unsequenced
        )


class Subscription(Iterator[list[RecordedRaw]]):
    """Yields batches of events as they come, and never ends. Use it in one thread.

    `next` raises the errors of the log. Call it again: no event is lost. At the end of the log, a
    subscription looks once a minute for events that have no position yet.

    Args:
        reader: reads the events.
        batch_size: most events of a batch.
        timelimit_s: seconds to wait until a batch is full.
        monotonic: returns seconds of a clock that never goes back.
        sleep: waits a number of seconds.
        unsequenced: looks for events without a position; see `LogStrategy.unsequenced`.
    """

    def __init__(
        self,
        reader: LogReader,
        batch_size: int,
        timelimit_s: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        unsequenced: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reader = reader
        self._batch_size = batch_size
        self._timelimit_s = timelimit_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._ready: deque[RecordedRaw] = deque()
        self._pause = _FIRST_PAUSE
        self._unsequenced = unsequenced
        self._look_at: float | None = None

    @property
    def position(self) -> Position:
        """Position up to which the subscription has returned every selected event, inclusive."""
        return self._ready[0].position - 1 if self._ready else self._reader.position

    @property
    def positions(self) -> Mapping[TenantId, Position] | None:
        """Position to go on after in each tenant's log; None if the subscription reads one log."""
        reached = self._reader.positions
        if reached is None:
            return None
        waiting = {record.tenant_id: record.position - 1 for record in reversed(self._ready)}
        return {**reached, **waiting}

    def __next__(self) -> list[RecordedRaw]:
        deadline = self._monotonic() + self._timelimit_s
        while len(self._ready) < self._batch_size:
            if piece := self._reader.read():
                self._ready += piece
                self._pause = _FIRST_PAUSE
            else:
                self._look_further()
                if (left := deadline - self._monotonic()) > 0:
                    self._sleep(min(self._pause, left))
                    self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            if self._monotonic() >= deadline:
                break
        count = min(self._batch_size, len(self._ready))
        return [self._ready.popleft() for _ in range(count)]

    def _look_further(self) -> None:
        """Look once a minute for events that have no position yet."""
        now = self._monotonic()
        if self._look_at is None or now >= self._look_at:
            self._look_at = now + _LOOK_EVERY
            self._unsequenced()
