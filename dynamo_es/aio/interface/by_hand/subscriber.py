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
"""Time limit, in seconds, that a subscription without one repeats."""


class _Typed(Generic[T]):
    """Typed events of a subscription, which begins when you ask for the first event.

    Args:
        subscribe: begins the subscription.
        bridge: bridge of the backend.
    """

    def __init__(self, subscribe: Callable[[], Any], bridge: Bridge) -> None:
        self._subscribe = subscribe
        self._bridge = bridge
        self._sync: Any = None

    @property
    def position(self) -> Position | None:
        """Position up to which every selected event was returned; None before the first event."""
        return None if self._sync is None else self._sync.position

    @property
    def positions(self) -> Mapping[TenantId, Position] | None:
        """Position to go on after in each tenant's log, for `after`; None if there is one log."""
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
    """The hand-written part of subscribers. They subscribe when you ask for the first event."""

    _sync: Subscriber

    def build_batch(
        self, size: int, timelimit: float | timedelta, *, keep_unknown: bool = False
    ) -> AsyncBatches:
        """Return an iterator over batches of events; it never ends.

        Args:
            size: most events of a batch, 1 or more.
            timelimit: a timedelta or seconds, 0.1 or more. A batch that is not full by then comes
                with the events so far, perhaps none.
            keep_unknown: whether to return an event without a class as an `UnknownEvent`.

        Raises:
            InvalidSubscriptionError: the size or the time limit is out of range. Raised with the
                first batch.
            InvalidPositionError: the position is after the end of the log. Raised with the first
                batch.
            ServiceError: AWS refused or did not answer.

        `anext` of the iterator also raises `UnknownEventError` and `UnreadableEventError`. Call it
        again: no event is lost.
        """
        build: Callable[[], Batches] = lambda: self._sync.build_batch(  # noqa: E731
            size, timelimit, keep_unknown=keep_unknown
        )
        return AsyncBatches(build, self._bridge)

    def build_iter(
        self, timelimit: float | timedelta, *, keep_unknown: bool = False
    ) -> AsyncRecords:
        """Return an iterator over single events, with None at each time limit; it never ends.

        Arguments and errors are those of `build_batch`.
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
