"""`Projector`: applies each event of a stream to a read model, once and in order."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from dynamo_es.contracts import Followed
from dynamo_es.contracts.checks.arguments import (
    check_consumer,
    check_kind,
    check_scope,
    check_stream,
    seconds_of,
)
from dynamo_es.contracts.checks.functions import (
    check_injected,
    refuse_asynchronous,
    refuse_unfinished,
)
from dynamo_es.contracts.consumers.writes import refuse_writes
from dynamo_es.event_store.wrapped import Recorded
from dynamo_es.exceptions import InvalidSubscriptionError, describe_stream
from dynamo_es.projections.failure_policy import policy_of
from dynamo_es.projections.missing import Step
from dynamo_es.projections.parking import Parking
from dynamo_es.projections.stream_failures import StreamFailures
from dynamo_es.projections.stream_follower import StreamFollower
from dynamo_es.projections.stream_retry import StreamRetry
from dynamo_es.projections.writing import check_flag, refuse_setting_aside
from dynamo_es.values import DEFAULT_TENANT
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from dynamo_es.contracts import CursorStrategy
    from dynamo_es.contracts.consumers.parked import ParkedStrategy
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.projections.failure_policy import OnFailure
    from dynamo_es.projections.parking import RetryReport
    from dynamo_es.values import Position, StreamId, TenantId

DEFAULT_LEASE: Final = 60.0
"""Seconds that other processes stay out of a stream after a projector's last write."""

_ROLE: Final = "read_model"
_SHORTEST_LEASE: Final = 0.001


class ReadModel(Protocol):
    """Applies one event of a stream to a read model.

    Source: python-event-sourcery's ``ReadModel``.
    """

    def __call__(self, wrapped_event: WrappedEvent[Any], stream_id: StreamId, /) -> object:
        """Apply an event. Raise if that fails: the cursor then stays before this event."""


class Projector(StreamFollower):
    """Applies the events of streams to a read model, each once and in order.

    Events may reach it by several routes: a subscription, a Lambda function on the table stream, a
    listener, a repair. They may be late, repeated, or out of order. The projector passes over
    events that are applied already, and loads missing events first. It takes the lease of the
    stream's cursor, so only one process at a time applies a stream's events. If that process dies,
    the lease ends and the current event may be applied again. So make the read model idempotent,
    let it return its writes (``writes=True``), or enlist them (``append(…, transact_with=…)``).

    Args:
        name: name of the read model and of its cursors.
        read_model: called with each event.
        cursors: keeps the read model's version in each stream.
        event_store: returns the event store of a tenant, to load missing events.
        lease: time that other processes stay out of a stream after a write of this process, a
            timedelta or seconds; longer than the read model takes for one event.
        keep_unknown: whether to pass an event without a class to the read model as an
            `UnknownEvent`.
        clock: returns seconds since the epoch.
        tenant_id: tenant of events that come without a tenant.
        scoped: whether to refuse events of other tenants.
        parked: keeps the parked streams.
        on_failure: how to treat an event that the read model fails on; see `FailurePolicy`.
        writes: whether the read model returns writes, which are made in one transaction with the
            cursor.

    Attributes:
        name: name of the read model.
        failures: sets streams aside, and passes over those that are parked.
        parked: keeps the parked streams.
        lease_ms: the lease, in milliseconds.

    Raises:
        InvalidEnlistedWriteError: ``writes`` is set, but the backend has no tables.
        InvalidSubscriptionError: the read model is asynchronous or not callable, the lease is out
            of range, or ``writes`` is set and ``on_failure`` is not ``"stop"``.
        InvalidConsumerError: the name cannot be part of a key.
    """

    def __init__(  # noqa: PLR0913 - injected, each by its name
        self,
        name: str,
        read_model: ReadModel,
        *,
        cursors: CursorStrategy,
        parked: ParkedStrategy,
        event_store: Callable[[TenantId], EventStore],
        lease: timedelta | float = DEFAULT_LEASE,
        keep_unknown: bool = False,
        clock: Callable[[], float] = time.time,
        tenant_id: TenantId = DEFAULT_TENANT,
        scoped: bool = False,
        on_failure: OnFailure = "stop",
        writes: bool = False,
    ) -> None:
        check_consumer(name)
        if not callable(read_model):
            raise InvalidSubscriptionError(f"read_model must be callable, not {shown(read_model)}.")
        refuse_asynchronous(read_model, _ROLE)
        check_injected(clock=clock)
        lease_s = seconds_of("lease", lease, _SHORTEST_LEASE)
        check_flag(writes)
        policy = policy_of(on_failure)
        if writes:
            refuse_setting_aside(policy)
            cursors.new_writes()  # raises for a backend without tables
        self._writes = writes
        self.name = name
        self._read_model = read_model
        self._cursors = cursors
        self._event_store = event_store
        self.lease_ms = int(lease_s * 1000)
        self._keep_unknown = keep_unknown
        self._clock = clock
        self._tenant_id = tenant_id
        self._scope = tenant_id if scoped else None
        self._names: Callable[[], frozenset[str] | None] = _every_name
        self.parked = parked
        self.failures = StreamFailures(
            policy,
            Parking(parked, name, "stream", self.now_ms),
            cursors,
            self.now_ms,
        )

    def choosing(self, names: Callable[[], frozenset[str] | None]) -> Self:
        """Return a projector that applies only events with some names, even missing ones it loads.

        Args:
            names: returns the stored names of the selected events; None: all.
        """
        before = self._names
        chosen = copy.copy(self)
        chosen._names = lambda: _in_both(before(), names())  # noqa: SLF001 - of its own class
        return chosen

    def __call__(self, recorded: Recorded) -> int:
        """Apply an event of the log, so that a projector can be the handler of a projection.

        If the event has no version, it loads the stream to find the event's place.
        """
        check_kind("recorded", recorded, Recorded, InvalidSubscriptionError)
        if recorded.wrapped_event.version is not None:
            return self.project(
                recorded.wrapped_event,
                recorded.stream_id,
                recorded.tenant_id,
                generation=recorded.generation,
            )
        check_scope(recorded.tenant_id, self._scope)
        check_stream(recorded.stream_id)
        followed = Followed(self.name, recorded.stream_id, recorded.tenant_id, recorded.generation)
        return self._apply(followed, None, recorded.wrapped_event)

    def project(
        self,
        wrapped_event: WrappedEvent[Any],
        stream_id: StreamId,
        tenant_id: TenantId | None = None,
        position: Position | None = None,  # noqa: ARG002 - listeners get it
        *,
        generation: int = 0,
    ) -> int:
        """Apply an event, after any earlier events of its stream that are missing.

        You can register it as a listener:
        ``backend.listeners.register(projector.project, to="account")``. If you register it for
        event classes, it applies only missing events of these classes.

        Args:
            wrapped_event: the event, with its version.
            stream_id: id of its stream.
            tenant_id: tenant of its stream; None: that of the backend that made the projector.
            position: ignored; it is there because listeners get it.
            generation: generation of the stream, from the log or a listener. A higher one begins
                again at version 1. 0: that of the event or, if it has none, of the cursor.

        Returns:
            The number of events that were applied; 0 if this event was applied before, or belongs
            to an earlier generation.

        Raises:
            InvalidSubscriptionError: the event has no version, or belongs to a tenant that the
                backend cannot read.
            CursorBusyError: another process applies events of that stream now, or has taken it
                over: try again.
            Exception: the read model raised it; earlier events stay applied.
        """
        if not hasattr(wrapped_event, "version"):
            kind = type(wrapped_event).__name__
            raise InvalidSubscriptionError(f"wrapped_event must be a WrappedEvent, not {kind}.")
        if tenant_id is None:
            tenant_id = self._tenant_id
        check_scope(tenant_id, self._scope)
        check_stream(stream_id)
        version = wrapped_event.version
        if version is None:
            raise InvalidSubscriptionError(
                f"Stream {describe_stream(stream_id)}: project cannot find the place of an "
                "event without a version. Use the projector as the handler of a projection for "
                "streams without versions."
            )
        if type(version) is not int or version < 1:
            raise InvalidSubscriptionError(
                f"The event's version must be an integer of 1 or more, not {shown(version)}."
            )
        if type(generation) is not int or generation < 0:
            raise InvalidSubscriptionError(
                f"generation must be an integer of 0 or more, not {shown(generation)}."
            )
        if generation == 0 and wrapped_event.generation is not None:
            generation = wrapped_event.generation
        followed = Followed(self.name, stream_id, tenant_id, generation)
        return self._apply(followed, version, wrapped_event)

    def _apply(self, followed: Followed, version: int | None, wrapped: WrappedEvent[Any]) -> int:
        applied = 0

        def apply(_: int, event: WrappedEvent[Any] | None) -> object:
            nonlocal applied
            returned = self._pass(followed, event)
            applied += event is not None
            return returned

        self.follow(followed, version, [Step(wrapped.uuid, wrapped)], apply)
        return applied

    def check_returned(self, returned: object, function: Callable[..., object], role: str) -> None:
        """Raise `InvalidSubscriptionError` if a read model must not return an object.

        Args:
            returned: the object.
            function: the read model.
            role: role of the function, the subject of the message.
        """
        refuse_unfinished(returned, function, role)
        if not self._writes:
            refuse_writes(returned, role)

    def _pass(self, followed: Followed, event: WrappedEvent[Any] | None) -> object:
        if event is None:
            return None
        returned = self._read_model(event, followed.stream_id)
        self.check_returned(returned, self._read_model, _ROLE)
        return returned

    def retry_parked(
        self, stream_id: StreamId | None = None, tenant_id: TenantId | None = None
    ) -> RetryReport:
        """Apply the events of parked streams again, in order, and unpark the streams.

        If an event fails again, its stream stays parked from that event on.

        Args:
            stream_id: the stream to retry; None: all parked streams.
            tenant_id: tenant of the streams to retry; None: all tenants.

        Raises:
            ServiceError: AWS refused or did not answer; try again.
        """
        return StreamRetry(self, self._pass).run(stream_id, tenant_id)


def narrowed(
    function: Callable[..., Any], names: Callable[[], frozenset[str]]
) -> Callable[..., Any]:
    """Limit a projector's method to events with some names; return other functions as given.

    Args:
        function: a function, or the method of a projector.
        names: returns the stored names of the selected events.
    """
    projector = getattr(function, "__self__", None)
    if not isinstance(projector, Projector) or function != projector.project:
        return function
    return projector.choosing(names).project


def _in_both(names: frozenset[str] | None, others: frozenset[str] | None) -> frozenset[str] | None:
    if names is None or others is None:
        return others if names is None else names
    return names & others


def _every_name() -> frozenset[str] | None:
    return None
