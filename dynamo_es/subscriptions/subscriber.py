"""`Subscriber`: builds subscriptions to typed events."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from dynamo_es.contracts import EVERYTHING, Selection
from dynamo_es.contracts.checks.arguments import check_position, check_scope
from dynamo_es.event_store.registry import classes_in
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from dynamo_es.contracts.log import Start
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.registry import EventRegistry
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.subscriptions.log_subscriptions import LogSubscriptions, Subscription
    from dynamo_es.values import Position, RecordedRaw, TenantId

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Choice:
    """The events that a subscriber selects.

    Attributes:
        after: position to begin after, exclusive.
        selection: category and tenant of the events.
        classes: event classes; None: all classes.
    """

    after: Start = 0
    selection: Selection = EVERYTHING
    classes: tuple[type[Event], ...] | None = None


class Subscriber:
    """Builds a subscription: ``backend.subscriber.after(p).to_category("account").build_iter(1)``.

    Each method returns a new subscriber, so you can keep one and build on it again.

    Args:
        subscriptions: subscriptions to raw events.
        registry: finds the names of event classes.
        deserialize: turns a raw event into a typed one; the flag says whether to keep unknown
            events.
        scope: the tenant that the subscriber is limited to; None: all tenants.
    """

    def __init__(
        self,
        subscriptions: LogSubscriptions,
        registry: EventRegistry,
        deserialize: Callable[[RecordedRaw, bool], Recorded],
        scope: TenantId | None = None,
    ) -> None:
        self._subscriptions = subscriptions
        self._registry = registry
        self._deserialize = deserialize
        self._scope = scope
        self._choice = _Choice()

    def after(self, position: Start) -> Self:
        """Begin after a position, exclusive; 0, the default, is the beginning of the log.

        Args:
            position: position in the log. If each tenant has its own log, a subscriber of all
                tenants takes a position for each:
                ``subscriber.after({"acme": 12, "umbrella": 3})``. Logs of other tenants are read
                from the beginning.

        Raises:
            InvalidPositionError: the position is negative.
        """
        for one in position.values() if isinstance(position, Mapping) else (position,):
            check_position(one)
        return self._choosing(after=position)

    def to_category(self, category: str) -> Self:
        """Select the events of one category's streams.

        Raises:
            InvalidSubscriptionError: the category is not text.
        """
        if not isinstance(category, str):
            raise InvalidSubscriptionError(f"category must be text, not {shown(category)}.")
        return self._choosing(selection=replace(self._choice.selection, category=category))

    def to_events(self, events: Iterable[type[Event]]) -> Self:
        """Select the events of these classes and their subclasses, including their aliases.

        Raises:
            InvalidSubscriptionError: it is not a list of classes, or the list is empty.
            EventDefinitionError: a class is not an event class, or its events cannot be stored.
        """
        classes = classes_in(events)
        self._registry.names_of_all(classes)
        return self._choosing(classes=classes)

    def in_tenant(self, tenant_id: TenantId) -> Self:
        """Select the events of one tenant.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
            InvalidSubscriptionError: the backend is limited to another tenant.
        """
        check_scope(tenant_id, self._scope)
        return self._choosing(selection=replace(self._choice.selection, tenant_id=tenant_id))

    def build_batch(
        self, size: int, timelimit: float | timedelta, *, keep_unknown: bool = False
    ) -> Batches:
        """Return an iterator over batches of events; it never ends.

        Args:
            size: most events of a batch, 1 or more.
            timelimit: a timedelta or seconds, 0.1 or more. A batch that is not full by then comes
                with the events so far, perhaps none.
            keep_unknown: whether to return an event without a class as an `UnknownEvent`.

        Raises:
            InvalidSubscriptionError: the size or the time limit is out of range.
            InvalidPositionError: the position is after the end of the log.
            ServiceError: AWS refused or did not answer.

        `next` of the iterator raises `ServiceError`, `UnknownEventError` and
        `UnreadableEventError`. Call it again: no event is lost.
        """
        subscription = self._subscribe(size, timelimit)
        return Batches(subscription, lambda raw: self._deserialize(raw, keep_unknown))

    def build_iter(self, timelimit: float | timedelta, *, keep_unknown: bool = False) -> Records:
        """Return an iterator over single events, with None at each time limit; it never ends.

        Arguments and errors are those of `build_batch`.
        """
        subscription = self._subscribe(1, timelimit)
        return Records(subscription, lambda raw: self._deserialize(raw, keep_unknown))

    def _subscribe(self, size: int, timelimit: float | timedelta) -> Subscription:
        choice = self._choice
        selection = choice.selection
        if choice.classes is not None:
            names = self._registry.names_of_all(choice.classes)
            selection = replace(selection, event_names=names)
        return self._subscriptions.subscribe(choice.after, size, timelimit, selection)

    def _choosing(self, **changes: Any) -> Self:
        changed = copy(self)
        changed._choice = replace(self._choice, **changes)  # noqa: SLF001 - of its own class
        return changed


class _Typed(Generic[T]):
    """Turns the events of a subscription into typed ones. An unreadable event comes again."""

    def __init__(
        self, subscription: Subscription, deserialize: Callable[[RecordedRaw], Recorded]
    ) -> None:
        self._subscription = subscription
        self._deserialize = deserialize
        self._raws: list[RecordedRaw] = []

    @property
    def position(self) -> Position:
        """Position up to which the subscription has returned every selected event, inclusive."""
        return self._raws[0].position - 1 if self._raws else self._subscription.position

    @property
    def positions(self) -> Mapping[TenantId, Position] | None:
        """Position to go on after in each tenant's log, for `after`; None if there is one log."""
        reached = self._subscription.positions
        if reached is None:
            return None
        return {**reached, **{raw.tenant_id: raw.position - 1 for raw in reversed(self._raws)}}

    def __iter__(self) -> Self:
        return self

    def _next_batch(self) -> list[Recorded]:
        if not self._raws:
            self._raws = next(self._subscription)
        batch = [self._deserialize(raw) for raw in self._raws]
        self._raws = []
        return batch


class Batches(_Typed["list[Recorded]"]):
    """Yields batches of typed events. It never ends. Use it in one thread."""

    def __next__(self) -> list[Recorded]:
        return self._next_batch()


class Records(_Typed["Recorded | None"]):
    """Yields typed events, and None at a time limit. It never ends. Use it in one thread."""

    def __next__(self) -> Recorded | None:
        batch = self._next_batch()
        return batch[0] if batch else None
