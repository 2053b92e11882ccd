"""Projecting single streams: each event applied once, whatever routes it comes by."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self
from uuid import uuid4

from dynamo_es.contracts import Followed
from dynamo_es.contracts.checks import check_consumer, check_scope, seconds_of
from dynamo_es.contracts.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.exceptions import CursorBusyError, InvalidSubscriptionError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from uuid import UUID

    from dynamo_es.contracts import CursorStrategy
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import Recorded, WrappedEvent
    from dynamo_es.values import Position, StreamId, TenantId

_log = logging.getLogger("dynamo_es")

DEFAULT_LEASE: Final = 60.0
"""Seconds that a projector has a stream to itself, unless it renews its lease."""

_ROLE: Final = "read_model"
_SHORTEST_LEASE: Final = 0.001
_ANYWHERE: Final = 10**18
"""Above every version: to claim a cursor for an event that does not say where it is."""
_LARGEST_LOOK: Final = 1024
"""Events in one look for an event without a version."""


class Step(NamedTuple):
    """An event in its place, as it is followed.

    Attributes:
        uuid: of the event.
        event: the event; None: it is not chosen, and only passed over.
    """

    uuid: UUID
    event: WrappedEvent[Any] | None


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
        lease: seconds that other processes stay out of a stream after a write of this one; a
            timedelta or a number, longer than the read model takes for one event.
        keep_unknown: give the read model an event whose name no class has as an `UnknownEvent`.
        clock: seconds since the epoch.
        tenant_id: of events that come without one.
        scoped: whether events of other tenants are refused.

    Raises:
        InvalidSubscriptionError: a read model that cannot be called or is asynchronous, or a
            claim of no time.
        InvalidConsumerError: a name that cannot make a key.
    """

    def __init__(  # noqa: PLR0913 - what is injected, each by its name
        self,
        name: str,
        read_model: ReadModel,
        *,
        cursors: CursorStrategy,
        event_store: Callable[[TenantId], EventStore],
        lease: timedelta | float = DEFAULT_LEASE,
        keep_unknown: bool = False,
        clock: Callable[[], float] = time.time,
        tenant_id: TenantId = DEFAULT_TENANT,
        scoped: bool = False,
    ) -> None:
        check_consumer(name)
        if not callable(read_model):
            raise InvalidSubscriptionError(f"read_model must be callable, not {read_model!r}.")
        refuse_asynchronous(read_model, _ROLE)
        lease_s = seconds_of("lease", lease, _SHORTEST_LEASE)
        self.name = name
        self._read_model = read_model
        self._cursors = cursors
        self._event_store = event_store
        self._lease_s = lease_s
        self._keep_unknown = keep_unknown
        self._clock = clock
        self._tenant_id = tenant_id
        self._scope = tenant_id if scoped else None
        self._names: Callable[[], frozenset[str] | None] = _every_name

    def choosing(self, names: Callable[[], frozenset[str] | None]) -> Self:
        """Return a projector that passes over events of other names, also where it fills a gap.

        Args:
            names: returns the names under which the chosen events are stored; None: all.
        """
        chosen = copy.copy(self)
        chosen._names = names  # noqa: SLF001 - of its own class
        return chosen

    def __call__(self, recorded: Recorded) -> int:
        """Apply an event of the log, so that a projector can be the handler of a projection.

        An event without a version is found in its stream by its uuid, which takes a load.
        """
        if recorded.wrapped_event.version is not None:
            return self.project(
                recorded.wrapped_event,
                recorded.stream_id,
                recorded.tenant_id,
                generation=recorded.generation,
            )
        check_scope(recorded.tenant_id, self._scope)
        followed = Followed(self.name, recorded.stream_id, recorded.tenant_id, recorded.generation)
        return self._apply(followed, None, recorded.wrapped_event)

    def project(
        self,
        wrapped_event: WrappedEvent[Any],
        stream_id: StreamId,
        tenant_id: TenantId | None = None,
        position: Position | None = None,  # noqa: ARG002 - what a listener is told
        *,
        generation: int = 0,
    ) -> int:
        """Apply an event, and before it those of its stream that have not been applied yet.

        It can be registered as a listener as it is:
        ``backend.listeners.register(projector.project, to="account")``.

        Args:
            wrapped_event: the event, with its version.
            stream_id: its stream.
            tenant_id: whose it is; None: of the backend's tenant that the projector was made by.
            position: of the event in the log; not used.
            generation: of the stream, as a record of the log has it, and as a listener is told:
                a later one begins at version 1. 0: the generation of the event, if it was loaded.
                Otherwise the event counts as one of the generation that the cursor is in.

        Returns:
            How many events were applied; 0 if this one was already, or is of a generation that
            is over.

        Raises:
            InvalidSubscriptionError: an event without a version has no place in its stream, or
                it is of a tenant that the backend does not read.
            CursorBusyError: another process applies events of that stream now, or has taken
                over from this one: try again.
            Exception: what the read model raised; what it has applied before stays applied.
        """
        if not hasattr(wrapped_event, "version"):
            kind = type(wrapped_event).__name__
            raise InvalidSubscriptionError(f"wrapped_event must be a WrappedEvent, not {kind}.")
        if tenant_id is None:
            tenant_id = self._tenant_id
        check_scope(tenant_id, self._scope)
        version = wrapped_event.version
        if version is None:
            raise InvalidSubscriptionError(
                f"Stream {stream_id}: an event without a version has no place in its stream, "
                "so a projector cannot tell whether it was applied. Give it the events of streams "
                "without versions as the handler of a projection."
            )
        if generation == 0 and wrapped_event.generation is not None:
            generation = wrapped_event.generation
        followed = Followed(self.name, stream_id, tenant_id, generation)
        return self._apply(followed, version, wrapped_event)

    def follow(
        self,
        followed: Followed,
        first: int | None,
        steps: Sequence[Step],
        apply: Callable[[int, WrappedEvent[Any] | None], object],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Apply events that follow each other under one claim: two requests for all of them.

        Args:
            followed: their stream, under this projector's name.
            first: place of the first event in its stream, 1-based: its version, if it has one.
                None: it is not known, and there is one event only.
            steps: one or more.
            apply: called with the place of an event and the event, or None for one that is not
                chosen, in the order of places; also for those that were missing before the first.
            stopped: asked before each event whether to leave the rest to another call.

        Raises:
            CursorBusyError: another process applies events of that stream now, or has taken
                over from this one: try again.
            Exception: what ``apply`` raised; what it has applied before stays applied.
        """
        if first is not None and type(first) is not int:
            raise InvalidSubscriptionError(f"first must be an integer or None, not {first!r}.")
        if not isinstance(steps, Sequence) or not steps:
            raise InvalidSubscriptionError("steps must be a list of one step or more.")
        claimant = uuid4().hex
        now_ms = self._now_ms()
        last = _ANYWHERE if first is None else first + len(steps) - 1
        at = self._cursors.claim(followed, last, claimant, now_ms, now_ms + self._lease_ms)
        if at is None:
            return
        done, lost = at, False
        try:
            for place, step in enumerate(self._missing(followed, at, first, steps), at + 1):
                if stopped():
                    break
                if self._now_ms() - now_ms > self._lease_ms / 2:
                    now_ms = self._now_ms()
                    if not self._cursors.renew(followed, done, claimant, now_ms + self._lease_ms):
                        # Another one went on from here, or will: what is left is not done.
                        lost = True
                        raise CursorBusyError(followed.name, followed.stream_id)
                apply(place, step.event)
                done = place
        finally:
            if not lost and not self._cursors.release(followed, done, claimant):
                _log.warning(
                    "Read model %r, stream %s: the claim ran out while an event was applied, and "
                    "another process may apply it again. Raise claim above %.0f s.",
                    followed.name,
                    followed.stream_id,
                    self._lease_s,
                )

    def _apply(self, followed: Followed, version: int | None, wrapped: WrappedEvent[Any]) -> int:
        applied = 0

        def apply(_: int, event: WrappedEvent[Any] | None) -> None:
            nonlocal applied
            if event is not None:
                returned = self._read_model(event, followed.stream_id)
                refuse_unfinished(returned, self._read_model, _ROLE)
                applied += 1

        self.follow(followed, version, [Step(wrapped.uuid, wrapped)], apply)
        return applied

    def _missing(
        self, followed: Followed, at: int, first: int | None, steps: Sequence[Step]
    ) -> Sequence[Step]:
        """Return what is to be applied: the events after the cursor, and what lies between."""
        if first is None:
            return self._up_to(followed, at, steps[0].uuid)
        if first <= at + 1:
            return steps[at + 1 - first :]
        found = self._load(followed, at + 1, first + len(steps))
        # Of another generation, they are not what was missing; that one brings its own.
        return found if found and found[-1].uuid == steps[-1].uuid else []

    def _up_to(self, followed: Followed, at: int, uuid: UUID) -> Sequence[Step]:
        """Return the events after a cursor, up to one; none if it is not among them."""
        found: list[Step] = []
        size = 1
        while True:
            start = at + 1 + len(found)
            more = self._load(followed, start, start + size)
            found += more
            for index in range(len(found) - len(more), len(found)):
                if found[index].uuid == uuid:
                    return found[: index + 1]
            if len(more) < size:
                return []
            size = min(2 * size, _LARGEST_LOOK)

    def _load(self, followed: Followed, start: int, stop: int) -> list[Step]:
        store = self._event_store(followed.tenant_id)
        found = store.load_chosen(
            followed.stream_id, start, stop, self._names(), keep_unknown=self._keep_unknown
        )
        return [Step(uuid, event) for uuid, event in found]

    @property
    def _lease_ms(self) -> int:
        return int(self._lease_s * 1000)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _every_name() -> frozenset[str] | None:
    return None
