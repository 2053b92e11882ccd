"""Projecting single streams: each event applied once, whatever routes it comes by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import uuid4

from dynamo_es.contracts import Followed
from dynamo_es.contracts.checks import check_consumer
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import CursorStrategy
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Recorded, WrappedEvent
    from dynamo_es.values import StreamId, TenantId

DEFAULT_CLAIM: Final = 60.0
"""Seconds for which a projector has a stream to itself, unless it renews that."""


class ReadModel(Protocol):
    """Applies one event of a stream to a read model.

    Source: python-event-sourcery's ``ReadModel``.
    """

    def __call__(self, wrapped_event: WrappedEvent[Any], stream_id: StreamId, /) -> object:
        """Apply an event; what it raises leaves the cursor before this event."""


class Projector:
    """Applies the events of streams to a read model, each once and in order.

    The events may come by several routes (a subscription, a Lambda function on the table's
    stream, a listener, a repair), late, repeated, or with others missing before them: what is
    applied already is passed over, what is missing is loaded first. Who applies events of a stream
    has claimed its cursor, so nobody else does meanwhile. If a process dies in the middle, its
    claim runs out, and the event in hand is applied again: let the read model bear that, or enlist
    its writes (``append(…, transact_with=…)``).

    Args:
        name: the read model's; its cursors are kept under it.
        read_model: what to call with each event.
        cursors: where its places are kept.
        event_store: loads what is missing, of a tenant.
        claim: seconds for which a claim lasts; longer than the read model takes for one event.
        keep_unknown: give the read model an event whose name no class has as an `UnknownEvent`.
        clock: seconds since the epoch.

    Raises:
        InvalidSubscriptionError: a read model that is not callable, or a claim of no time.
        InvalidConsumerError: a name that cannot make a key.
    """

    def __init__(  # noqa: PLR0913 - what is injected, each by its name
        self,
        name: str,
        read_model: ReadModel,
        *,
        cursors: CursorStrategy,
        event_store: Callable[[TenantId], EventStore],
        claim: float = DEFAULT_CLAIM,
        keep_unknown: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_consumer(name)
        if not callable(read_model):
            raise InvalidSubscriptionError(
                f"A read model is called with events: {read_model!r} cannot be."
            )
        if not claim > 0:
            raise InvalidSubscriptionError(f"A claim lasts some seconds, not {claim!r}.")
        self.name = name
        self._read_model = read_model
        self._cursors = cursors
        self._event_store = event_store
        self._claim = claim
        self._keep_unknown = keep_unknown
        self._clock = clock

    def __call__(self, recorded: Recorded) -> int:
        """Apply an event of the log, so that a projector can be the handler of a projection."""
        return self.project(
            recorded.wrapped_event,
            recorded.stream_id,
            recorded.tenant_id,
            generation=recorded.generation,
        )

    def project(
        self,
        wrapped_event: WrappedEvent[Any],
        stream_id: StreamId,
        tenant_id: TenantId = DEFAULT_TENANT,
        *,
        generation: int = 0,
    ) -> int:
        """Apply an event, and before it those of its stream that have not been applied yet.

        Args:
            wrapped_event: the event, with its version.
            stream_id: its stream.
            tenant_id: whose it is.
            generation: number of the stream's life, as a record of the log has it: a later one
                begins at version 1. Give it by all routes or by none.

        Returns:
            How many events were applied; 0 if this one was already, or is of a life that is over.

        Raises:
            InvalidSubscriptionError: an event without a version has no place in its stream.
            CursorBusyError: another applies events of that stream now; try again.
            Exception: what the read model raised; what it has applied before stays applied.
        """
        if not hasattr(wrapped_event, "version"):
            kind = type(wrapped_event).__name__
            raise InvalidSubscriptionError(f"wrapped_event must be a WrappedEvent, not {kind}.")
        version = wrapped_event.version
        if version is None:
            raise InvalidSubscriptionError(
                f"Stream {stream_id}: an event without a version has no place in its stream, "
                "so a projector cannot tell whether it was applied."
            )
        followed = Followed(self.name, stream_id, tenant_id, generation)
        return self.follow(
            followed, version, [wrapped_event], lambda _, event: self._read_model(event, stream_id)
        )

    def follow(
        self,
        followed: Followed,
        first: int,
        events: Sequence[WrappedEvent[Any]],
        apply: Callable[[int, WrappedEvent[Any]], object],
        stopped: Callable[[], bool] = lambda: False,
    ) -> int:
        """Apply events that follow each other under one claim: two requests for all of them.

        Args:
            followed: their stream, under this projector's name.
            first: place of the first event in its stream, 1-based: its version, if it has one.
            events: one or more.
            apply: called with the place of an event and the event, in the order of places.
            stopped: asked before each event whether to leave the rest to another call.

        Returns:
            How many events were applied, those included that were missing before the first.

        Raises:
            CursorBusyError: another applies events of that stream now; try again.
            Exception: what ``apply`` raised; what it has applied before stays applied.
        """
        if type(first) is not int or not isinstance(events, Sequence) or not events:
            raise InvalidSubscriptionError("first must be an integer, and events a list of events.")
        claimant = uuid4().hex
        now = self._milliseconds()
        last = first + len(events) - 1
        at = self._cursors.claim(followed, last, claimant, now, now + self._claimed())
        if at is None:
            return 0
        done = at
        try:
            for place, event in enumerate(self._missing(followed, at, first, events), at + 1):
                if stopped():
                    break
                if self._milliseconds() - now > self._claimed() / 2:
                    now = self._milliseconds()
                    if not self._cursors.renew(followed, done, claimant, now + self._claimed()):
                        return done - at  # another went on from here, or will
                apply(place, event)
                done = place
        finally:
            self._cursors.release(followed, done, claimant)
        return done - at

    def _missing(
        self, followed: Followed, at: int, first: int, events: Sequence[WrappedEvent[Any]]
    ) -> Sequence[WrappedEvent[Any]]:
        """Return what is to be applied: the events behind the cursor, and what lies between."""
        if first <= at + 1:
            return events[at + 1 - first :]
        store = self._event_store(followed.tenant_id)
        found = store.load_stream(
            followed.stream_id, at + 1, first + len(events), keep_unknown=self._keep_unknown
        )
        # Of another life, they are not what was missing; that one brings its own.
        return found if found and found[-1].uuid == events[-1].uuid else []

    def _claimed(self) -> int:
        return int(self._claim * 1000)

    def _milliseconds(self) -> int:
        return int(self._clock() * 1000)
