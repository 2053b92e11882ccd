"""`StreamFollower`: applies consecutive events of a stream under the lease of its cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts import Followed
from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.projections.cursor_lease import CursorLease
from dynamo_es.projections.cursor_lease_with_writes import CursorLeaseWithWrites
from dynamo_es.projections.missing import Step, up_to, with_missing
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import CursorStrategy
    from dynamo_es.contracts.consumers.parked import ParkedStrategy
    from dynamo_es.event_store.store import EventStore
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.projections.stream_failures import StreamFailures
    from dynamo_es.values import StreamId, TenantId

_ANYWHERE: Final = 10**18
"""A version above all stored ones, to take a cursor's lease for an event without a version."""


class StreamFollower:
    """Follows single streams. Base of `Projector`; Lambda handlers use it too.

    Attributes:
        name: name of the read model.
        parked: keeps the parked streams.
        lease_ms: milliseconds that other processes stay out of a stream after a write.
        failures: sets streams aside, and passes over those that are parked.
    """

    name: str
    parked: ParkedStrategy
    lease_ms: int
    failures: StreamFailures
    _cursors: CursorStrategy
    _writes: bool
    _event_store: Callable[[TenantId], EventStore]
    _keep_unknown: bool
    _clock: Callable[[], float]
    _names: Callable[[], frozenset[str] | None]

    def follow(  # noqa: PLR0913 - options, each by its name
        self,
        followed: Followed,
        first: int | None,
        steps: Sequence[Step],
        apply: Callable[[int, WrappedEvent[Any] | None], object],
        stopped: Callable[[], bool] = lambda: False,
        *,
        retries: bool = False,
        kept: Callable[[int], object] = lambda _: None,
    ) -> bool:
        """Apply consecutive events of a stream under one lease.

        Cost: 2 requests for all events. With writes, 1 more for each transaction.

        Args:
            followed: the stream, with this projector's name.
            first: place of the first event in its stream, 1-based; it is the version, if the event
                has one. None: unknown; then give a single event.
            steps: the events, one or more.
            apply: called with the place of each event and the event, or None if it is not selected,
                in order. It also gets events that are missing before the first. With ``writes``, it
                returns the event's writes.
            stopped: called before each event; returns True to leave the rest to another call.
            retries: whether this is a retry: apply the events even if the stream is parked, and set
                none aside.
            kept: called with a version when the events up to it are applied and their writes are
                made.

        Returns:
            Whether the stream is parked, so that its events were passed over.

        Raises:
            CursorBusyError: another process applies events of that stream now, or has taken it
                over: try again.
            Exception: ``apply`` raised it; earlier events stay applied.
        """
        if first is not None and type(first) is not int:
            raise InvalidSubscriptionError(f"first must be an integer or None, not {shown(first)}.")
        if not isinstance(steps, Sequence) or not steps:
            raise InvalidSubscriptionError("steps must be a list of one step or more.")
        if first is None or retries:
            self._follow(followed, first, steps, apply, stopped, kept)
            return False
        last = first + len(steps) - 1
        while not self.failures.passes_over(followed, first, last):
            try:
                self._follow(followed, first, steps, apply, stopped, kept)
            except Exception as error:
                if not self.failures.set_aside(followed, error, last):
                    raise
            else:
                return False
        return True

    def note(self, followed: Followed, version: int, error: Exception) -> bool:
        """Count a failure of an event that cannot be read; return whether the stream is parked."""
        check_kind("followed", followed, Followed)
        following = self._following(followed)
        if not following.take(version):
            return False
        following.failed(error)
        following.release()
        return self.failures.set_aside(followed, error, version)

    def _follow(
        self,
        followed: Followed,
        first: int | None,
        steps: Sequence[Step],
        apply: Callable[[int, WrappedEvent[Any] | None], object],
        stopped: Callable[[], bool],
        kept: Callable[[int], object],
    ) -> None:
        following = self._following(followed, kept)
        if not following.take(_ANYWHERE if first is None else first + len(steps) - 1):
            return
        at = following.done
        try:
            for place, step in enumerate(self._missing(followed, at, first, steps), at + 1):
                if stopped():
                    break
                following.renew_in_time()
                try:
                    returned = apply(place, step.event)
                except Exception:
                    following.finish()
                    raise
                following.keep(place, returned)
            following.finish()
        except Exception as error:
            following.failed(error)
            raise
        finally:
            following.release()

    def _following(
        self, followed: Followed, kept: Callable[[int], object] = lambda _: None
    ) -> CursorLease:
        kind = CursorLeaseWithWrites if self._writes else CursorLease
        return kind(self._cursors, followed, self.lease_ms, self.now_ms, kept)

    def _missing(
        self, followed: Followed, at: int, first: int | None, steps: Sequence[Step]
    ) -> Sequence[Step]:
        """Return the events after the cursor: the missing ones, and the given ones after them."""

        def load(start: int, stop: int) -> list[Step]:
            return self.load(followed, start, stop)

        if first is None:
            return up_to(load, at, steps[0].uuid)
        return with_missing(load, at, first, steps)

    def load(self, followed: Followed, start: int, stop: int) -> list[Step]:
        """Return a range of a stream's events; ``start`` is inclusive, ``stop`` exclusive."""
        check_kind("followed", followed, Followed)
        store = self._event_store(followed.tenant_id)
        found = store.load_chosen(
            followed.stream_id, start, stop, self._names(), keep_unknown=self._keep_unknown
        )
        return [Step(uuid, event) for uuid, event in found]

    def generation_of(self, stream_id: StreamId, tenant_id: TenantId) -> int | None:
        """Return the present generation of a stream; None if it has no events."""
        return self._event_store(tenant_id).generation_of(stream_id)

    def version_of(self, followed: Followed) -> int:
        """Return the version of the last applied event of a stream; 0 if no event is applied."""
        check_kind("followed", followed, Followed)
        return self._cursors.version(followed)

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return int(self._clock() * 1000)
