"""`StreamFailures`: applies the failure policy of a consumer that follows single streams.

The cursor counts the failures of an event in all processes. The cursor of a parked stream stays
before the event. So a process that does not know that the stream is parked keeps the order: it
fails again at the same event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.consumers.parked import Place
from dynamo_es.exceptions import (
    CursorBusyError,
    InvalidSubscriptionError,
    ServiceError,
    UnreadableEventError,
)
from dynamo_es.projections.manual_changes import skip_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import CursorStrategy, Followed
    from dynamo_es.projections.failure_policy import FailurePolicy
    from dynamo_es.projections.parking import Parking

TEMPORARY: Final = (
    CursorBusyError,
    InvalidSubscriptionError,
    ServiceError,
)
"""Errors that are not the event's fault: a wrong function, a busy stream, a refusal of AWS."""


class StreamFailures:
    """Sets streams or events aside after failures, and passes over parked streams.

    Args:
        policy: how to treat an event that fails.
        parking: the parked streams of the consumer.
        cursors: keeps the versions, and counts the failures.
        now_ms: returns milliseconds since the epoch.
    """

    def __init__(
        self,
        policy: FailurePolicy,
        parking: Parking,
        cursors: CursorStrategy,
        now_ms: Callable[[], int],
    ) -> None:
        self._policy = policy
        self._parking = parking
        self._cursors = cursors
        self._now_ms = now_ms

    @property
    def parked(self) -> int:
        """Number of parked streams, as far as this process knows."""
        return self._parking.count

    def passes_over(self, followed: Followed, first: int, last: int) -> bool:
        """Record events of a parked stream as passed over; return False if it is not parked.

        Cost: 1 request for a parked stream; none for others, except for 1 at first in a process.
        """
        if self._policy.then != "park":
            return False
        key = self._parking.key(followed.stream_id, followed.tenant_id)
        if not self._parking.holds(key):
            return False
        generation = followed.generation
        return self._parking.pass_over(key, Place(generation, first), Place(generation, last))

    def set_aside(self, followed: Followed, error: Exception, last: int) -> bool:
        """Park the stream or skip the event that the cursor names as failed, if the policy says so.

        Args:
            followed: the stream.
            error: the last failure.
            last: version of the last event to pass over if the stream is parked.

        Returns:
            Whether the stream is parked or the cursor is past the event, so that the consumer can
            go on. If not, the event is tried again later.
        """
        if self._policy.then == "stop" or isinstance(error, TEMPORARY):
            return False
        info = self._cursors.info(followed)
        if info is None or info.failure is None or info.busy:
            return False
        attempts, version = info.failure.attempts, info.failure.place
        if attempts < self._policy.attempts:
            return False
        key = self._parking.key(followed.stream_id, followed.tenant_id)
        place = Place(followed.generation or info.generation, version)
        if self._policy.then == "skip":
            if isinstance(error, UnreadableEventError) and error.version not in {None, version}:
                return False  # another event of those that were read together is the unreadable one
            self._parking.skip(key, place, attempts, error)
            followed = followed._replace(generation=place.generation)
            return skip_version(self._cursors, followed, version, self._now_ms())
        self._parking.park(key, place, attempts, error)
        return self._parking.pass_over(key, place, Place(place.generation, max(version, last)))
