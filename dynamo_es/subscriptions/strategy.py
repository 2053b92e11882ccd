"""Subscriptions over any log: batches as they fill, or as the time runs out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts import Selection, SubscriptionStrategy
from dynamo_es.contracts.checks import check_kind
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.values import RecordedRaw

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import LogReader, LogStrategy
    from dynamo_es.values import Position, TenantId

LEAST_TIMELIMIT: Final = timedelta(milliseconds=100)
"""Shorter ones would ask the log more often than it is worth."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_LOOK_EVERY: Final = 60.0
"""Seconds at the end of the log between two looks for events that have no position."""


class LogSubscriptions(SubscriptionStrategy):
    """Subscriptions to a log. Safe to share between threads; a subscription is not.

    Args:
        log: what is subscribed to.
        monotonic: seconds of a clock that only goes forward.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        log: LogStrategy,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._log = log
        self._monotonic = monotonic
        self._sleep = sleep

    def subscribe_to_all(
        self,
        start_from: Position,
        batch_size: int,
        timelimit: timedelta,
        *,
        tenant_id: TenantId | None = None,
    ) -> Subscription:
        """Subscribe to all events; see `SubscriptionStrategy.subscribe_to_all`."""
        return self.subscribe(start_from, batch_size, timelimit, Selection(tenant_id=tenant_id))

    def subscribe_to_category(
        self,
        start_from: Position,
        batch_size: int,
        timelimit: timedelta,
        category: str,
        *,
        tenant_id: TenantId | None = None,
    ) -> Subscription:
        """Subscribe to a category; see `SubscriptionStrategy.subscribe_to_category`."""
        selection = Selection(category=category, tenant_id=tenant_id)
        return self.subscribe(start_from, batch_size, timelimit, selection)

    def subscribe_to_events(
        self,
        start_from: Position,
        batch_size: int,
        timelimit: timedelta,
        events: Collection[str],
        *,
        tenant_id: TenantId | None = None,
    ) -> Subscription:
        """Subscribe to names of events; see `SubscriptionStrategy.subscribe_to_events`."""
        check_kind("events", events, Collection, InvalidSubscriptionError)
        if isinstance(events, str):
            raise InvalidSubscriptionError(f"events is a list of names, such as [{events!r}].")
        selection = Selection(event_names=frozenset(events), tenant_id=tenant_id)
        return self.subscribe(start_from, batch_size, timelimit, selection)

    def subscribe(
        self, start_from: Position, batch_size: int, timelimit: timedelta, selection: Selection
    ) -> Subscription:
        """Subscribe to any selection; see `SubscriptionStrategy.subscribe_to_all`."""
        if type(batch_size) is not int or batch_size < 1:
            raise InvalidSubscriptionError(
                f"A batch has 1 event or more: {batch_size!r} is no size of it."
            )
        if not isinstance(timelimit, timedelta) or timelimit < LEAST_TIMELIMIT:
            raise InvalidSubscriptionError(
                f"A time limit is a timedelta of at least 100 milliseconds, not {timelimit!r}."
            )
        if selection.category is not None and not isinstance(selection.category, str):
            raise InvalidSubscriptionError(f"A category is text, not {selection.category!r}.")
        if selection.event_names is not None and not selection.event_names:
            raise InvalidSubscriptionError(
                "No name of an event is given, so nothing would ever be chosen: name one."
            )
        reader = self._log.reader(start_from, selection)
        return Subscription(
            reader, batch_size, timelimit, self._monotonic, self._sleep, self._log.unsequenced
        )


class Subscription(Iterator[list[RecordedRaw]]):
    """Batches of events as they come, for ever; for one thread.

    An error of the log comes out of `next`; calling it again goes on without a loss. Where the log
    ends, a warning is logged once if events are found that have no position yet.

    Args:
        reader: where the events come from.
        batch_size: most events of a batch.
        timelimit: longest wait for it to fill.
        monotonic: seconds of a clock that only goes forward.
        sleep: waits so many seconds.
        unsequenced: looks for events after the end of the log; see `LogStrategy.unsequenced`.
    """

    def __init__(
        self,
        reader: LogReader,
        batch_size: int,
        timelimit: timedelta,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        unsequenced: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reader = reader
        self._batch_size = batch_size
        self._timelimit = timelimit.total_seconds()
        self._monotonic = monotonic
        self._sleep = sleep
        self._ready: deque[RecordedRaw] = deque()
        self._pause = _FIRST_PAUSE
        self._unsequenced = unsequenced
        self._look_at: float | None = None

    @property
    def position(self) -> Position:
        """Everything up to here was returned, or is not what is subscribed to."""
        return self._ready[0].position - 1 if self._ready else self._reader.position

    def __next__(self) -> list[RecordedRaw]:
        deadline = self._monotonic() + self._timelimit
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
        """Look now and then for events that the log does not have yet."""
        now = self._monotonic()
        if self._look_at is None or now >= self._look_at:
            self._look_at = now + _LOOK_EVERY
            self._unsequenced()
