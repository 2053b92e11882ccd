"""Subscriptions to typed events, as asynchronous iterators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import timedelta

    from dynamo_es.aio.bridges.bridge import Bridge
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.subscriptions.subscriber import Batches, Records, Subscriber
    from dynamo_es.values import Position, TenantId

T = TypeVar("T")

_LIMIT = 1.0
"""Seconds that a subscription without a time limit asks the log before it begins again."""


class _Typed(Generic[T]):
    """Typed events of a subscription, which begins with the first of them.

    Args:
        subscribe: begins the subscription.
        bridge: that of the backend.
    """

    def __init__(self, subscribe: Callable[[], Any], bridge: Bridge) -> None:
        self._subscribe = subscribe
        self._bridge = bridge
        self._sync: Any = None

    @property
    def position(self) -> Position | None:
        """The position up to which it has returned every selected event; None before the first."""
        return None if self._sync is None else self._sync.position

    @property
    def positions(self) -> Mapping[TenantId, Position] | None:
        """Where to go on in each log, for `AsyncSubscriber.after`; None where there is one log."""
        return None if self._sync is None else self._sync.positions

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return await self._bridge.run(self._next)

    def _next(self) -> T:
        if self._sync is None:
            self._sync = self._subscribe()
        return next(self._sync)  # type: ignore[no-any-return]


class AsyncBatches(_Typed["list[Recorded]"]):
    """Yields batches of typed events; see `Batches`. It never ends. Use it in one task."""


class AsyncRecords(_Typed["Recorded | None"]):
    """Yields typed events, and None at a time limit; see `Records`. Use it in one task."""


class SubscribesLater(Over):
    """The part of a subscriber that subscribes, at the first event that you ask for."""

    _sync: Subscriber

    def build_batch(
        self, size: int, timelimit: float | timedelta, *, keep_unknown: bool = False
    ) -> AsyncBatches:
        """Return an iterator over batches of events; it never ends.

        Args:
            size: most events of a batch, 1 or more.
            timelimit: a timedelta or seconds, 0.1 or more: a batch that is not full by then is
                returned with the events so far, perhaps none.
            keep_unknown: return an event without a class as an `UnknownEvent`.

        Raises:
            InvalidSubscriptionError: size or time limit out of range; with the first batch.
            InvalidPositionError: the position is after the end of the log; with the first batch.
            ServiceError: AWS refused or did not answer.

        Its `anext` also raises `UnknownEventError` and `UnreadableEventError`. Call it again, and
        no event is lost.
        """
        build: Callable[[], Batches] = lambda: self._sync.build_batch(  # noqa: E731
            size, timelimit, keep_unknown=keep_unknown
        )
        return AsyncBatches(build, self._bridge)

    def build_iter(
        self, timelimit: float | timedelta, *, keep_unknown: bool = False
    ) -> AsyncRecords:
        """Return an iterator over single events, with None at each time limit; it never ends.

        Args and errors are those of `build_batch`.
        """
        build: Callable[[], Records] = lambda: self._sync.build_iter(  # noqa: E731
            timelimit, keep_unknown=keep_unknown
        )
        return AsyncRecords(build, self._bridge)

    async def __aiter__(self) -> AsyncIterator[Recorded]:
        """Yield the events one by one, as they come; it never ends."""
        async for recorded in self.build_iter(_LIMIT):
            if recorded is not None:
                yield recorded
