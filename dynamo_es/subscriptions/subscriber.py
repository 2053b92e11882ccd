"""Subscribing to typed events, one choice after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from dynamo_es.contracts import EVERYTHING, Selection
from dynamo_es.contracts.checks import check_position, check_scope
from dynamo_es.event_store.registry import classes_in
from dynamo_es.exceptions import InvalidSubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.subscriptions.strategy import LogSubscriptions, Subscription
    from dynamo_es.values import Position, RecordedRaw, TenantId

T = TypeVar("T")

_LONGEST: Final = 86_400.0
"""Seconds; whoever waits for a day may as well ask again."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Begins a subscription: ``backend.subscriber.start_from(p).to_category("account")``.

    Every choice returns a new object: one may be kept and used again.

    Attributes:
        subscriptions: to raw events.
        registry: names of the event classes.
        deserialize: between raw and typed events; with whether to keep unknown ones.
        selection: what is chosen so far, but for the classes.
        position: where it begins.
        classes: event classes that are chosen; None: all.
        scope: the only tenant whose events may be chosen; None: all tenants' may.
    """

    subscriptions: LogSubscriptions
    registry: EventRegistry
    deserialize: Callable[[RecordedRaw, bool], Recorded]
    selection: Selection = EVERYTHING
    position: Position = 0
    classes: tuple[type[Event], ...] | None = None
    scope: TenantId | None = None

    def start_from(self, position: Position) -> Self:
        """Begin after a position; 0, the default, is the beginning of the log.

        Raises:
            InvalidPositionError: negative.
        """
        check_position(position)
        return replace(self, position=position)

    def to_category(self, category: str) -> Self:
        """Choose the streams with a category.

        Raises:
            InvalidSubscriptionError: not text.
        """
        if not isinstance(category, str):
            raise InvalidSubscriptionError(f"A category is text, not {category!r}.")
        return replace(self, selection=replace(self.selection, category=category))

    def to_events(self, events: Iterable[type[Event]]) -> Self:
        """Choose the events of these classes: under their names and aliases, with subclasses.

        Raises:
            InvalidSubscriptionError: no list of classes, or an empty one.
            EventDefinitionError: one of them is not an event class that can be stored.
        """
        classes = classes_in(events)
        self.registry.names_of_all(classes)
        return replace(self, classes=classes)

    def in_tenant(self, tenant_id: TenantId) -> Self:
        """Choose one tenant's events.

        Raises:
            InvalidStreamIdError: not text.
            InvalidSubscriptionError: the backend that this is of reads another tenant's only.
        """
        check_scope(tenant_id, self.scope)
        return replace(self, selection=replace(self.selection, tenant_id=tenant_id))

    def build_batch(
        self, size: int, timelimit: float | timedelta, *, keep_unknown: bool = False
    ) -> Batches:
        """Return an iterator over batches of events that never ends.

        Args:
            size: most events of a batch, 1 or more.
            timelimit: seconds, 0.1 or more: a batch that is not full by then comes as it is,
                even empty.
            keep_unknown: return an event whose name no class has as an `UnknownEvent`.

        Raises:
            InvalidSubscriptionError: size or time limit out of range.
            InvalidPositionError: the log has not reached the position to begin after.
            ServiceError: AWS refused or did not answer.

        Its `next` raises `ServiceError`, `UnknownEventError` and `UnreadableEventError`; called
        again, it goes on without a loss.
        """
        subscription = self._subscribe(size, timelimit)
        return Batches(subscription, lambda raw: self.deserialize(raw, keep_unknown))

    def build_iter(self, timelimit: float | timedelta, *, keep_unknown: bool = False) -> Records:
        """Return an iterator over single events that never ends: None when the time runs out.

        Takes and raises what `build_batch` does.
        """
        subscription = self._subscribe(1, timelimit)
        return Records(subscription, lambda raw: self.deserialize(raw, keep_unknown))

    def _subscribe(self, size: int, timelimit: float | timedelta) -> Subscription:
        if not isinstance(timelimit, timedelta):
            timelimit = _seconds(timelimit)
        selection = self.selection
        if self.classes is not None:
            names = self.registry.names_of_all(self.classes)
            selection = replace(selection, event_names=names)
        return self.subscriptions.subscribe(self.position, size, timelimit, selection)


def _seconds(number: float) -> timedelta:
    if isinstance(number, bool) or not isinstance(number, int | float) or not number > 0:
        raise InvalidSubscriptionError(
            f"A time limit is a number of seconds, 0.1 or more, or a timedelta; not {number!r}."
        )
    return timedelta(seconds=min(number, _LONGEST))


class _Typed(Generic[T]):
    """Typed events of a subscription; what could not be read comes again."""

    def __init__(
        self, subscription: Subscription, deserialize: Callable[[RecordedRaw], Recorded]
    ) -> None:
        self._subscription = subscription
        self._deserialize = deserialize
        self._raws: list[RecordedRaw] = []

    @property
    def position(self) -> Position:
        """Everything up to here was returned, or is not what is subscribed to."""
        return self._raws[0].position - 1 if self._raws else self._subscription.position

    def __iter__(self) -> Self:
        return self

    def _next_batch(self) -> list[Recorded]:
        if not self._raws:
            self._raws = next(self._subscription)
        batch = [self._deserialize(raw) for raw in self._raws]
        self._raws = []
        return batch


class Batches(_Typed["list[Recorded]"]):
    """Batches of typed events, for ever; for one thread."""

    def __next__(self) -> list[Recorded]:
        return self._next_batch()


class Records(_Typed["Recorded | None"]):
    """Single typed events, for ever, or None when the time runs out; for one thread."""

    def __next__(self) -> Recorded | None:
        batch = self._next_batch()
        return batch[0] if batch else None
