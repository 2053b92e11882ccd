"""`Parking`: the parked streams of a consumer that one process knows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamo_es.contracts.consumers.failures import reason_of
from dynamo_es.contracts.consumers.parked import ParkedFailure, ParkedKey
from dynamo_es.contracts.correlation import correlated
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.exceptions import CursorBusyError, describe_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es.contracts.consumers.parked import Order, ParkedStrategy, ParkedStream, Place
    from dynamo_es.values import StreamId, TenantId

_log = logging.getLogger("dynamo_es")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryReport:
    """Says what a retry of parked streams did.

    Attributes:
        applied: number of events that were applied.
        unparked: number of streams whose events are all applied; they are off the list.
        left: number of streams that are still parked, because an event failed again or the retry
            was stopped.
    """

    applied: int = 0
    unparked: int = 0
    left: int = 0


def sum_of(reports: Iterable[RetryReport]) -> RetryReport:
    """Return the sums of several reports."""
    found = list(reports)
    return RetryReport(
        applied=sum(one.applied for one in found),
        unparked=sum(one.unparked for one in found),
        left=sum(one.left for one in found),
    )


def unpark_when_applied(
    parked: ParkedStrategy,
    key: ParkedKey,
    worker: str,
    now_ms: Callable[[], int],
    lease_ms: int,
    apply_all: Callable[[ParkedStream], bool],
) -> bool:
    """Apply the events of a parked stream under its lease; return whether it is unparked.

    Args:
        parked: keeps the entries.
        key: key of the stream's entry.
        worker: unique name of the worker.
        now_ms: returns milliseconds since the epoch.
        lease_ms: milliseconds that other workers stay out of the stream.
        apply_all: applies the events of an entry; returns whether all are applied. It is called
            again if the consumer has passed over another event in the meantime.
    """
    while True:
        begun_ms = now_ms()
        try:
            entry = parked.take(key, worker, begun_ms, begun_ms + lease_ms)
        except CursorBusyError:
            return False
        if entry is None:
            return True
        if not apply_all(entry):
            return False
        if parked.unpark(key, worker, entry.seen):
            stream = describe_stream(key.stream_id)
            _log.info("%r: stream %s is not parked any more.", key.name, stream)
            return True


class Parking:
    """The parked streams of one consumer. Safe to share between threads.

    The known streams may be out of date. `pass_over` finds out if a stream is not parked any more.
    If a stream is parked that this process does not know, its next event fails again.

    Args:
        parked: keeps the entries.
        name: name of the consumer.
        order: ``"log"`` for a consumer with a checkpoint, ``"stream"`` for one with cursors.
        now_ms: returns milliseconds since the epoch.
        version: version of the projection; None: it has no versions.
    """

    def __init__(
        self,
        parked: ParkedStrategy,
        name: str,
        order: Order,
        now_ms: Callable[[], int],
        version: int | None = None,
    ) -> None:
        self._version = version
        self._parked = parked
        self._name = name
        self._order = order
        self._now_ms = now_ms
        self._known: dict[TenantId | None, frozenset[str]] = {}

    @property
    def count(self) -> int:
        """Number of parked streams, as far as this process knows."""
        return sum(map(len, self._known.values()))

    def key(self, stream_id: StreamId, tenant_id: TenantId) -> ParkedKey:
        """Return the key of a stream's entry."""
        return ParkedKey(self._name, self._order, stream_id, tenant_id, self._version)

    def forget(self) -> None:
        """Read the entries again before the next event."""
        self._known = {}

    def holds(self, key: ParkedKey) -> bool:
        """Return whether a stream is parked, as far as this process knows.

        Cost: 1 request at first; 1 for each tenant if each has its own log.
        """
        known = self._known_of(key)
        return bool(known) and _text(key) in known

    def pass_over(self, key: ParkedKey, first: Place, last: Place) -> bool:
        """Record passed over events of a stream; return False if it is not parked any more."""
        if self._parked.pass_over(key, first, last):
            return True
        self._known[self._scope(key)] = self._known_of(key) - {_text(key)}
        return False

    def park(
        self,
        key: ParkedKey,
        place: Place,
        attempts: int,
        error: BaseException,
        context: object = None,
    ) -> None:
        """Park a stream from a failed event on. ``context`` has the correlation id to log."""
        failure = ParkedFailure(place, attempts, reason_of(error), self._now_ms())
        self._parked.park(key, failure)
        self._known[self._scope(key)] = self._known_of(key) | {_text(key)}
        _log.error(
            "%r: stream %s is parked after %d failed attempts at %s %d; other streams go on: %s",
            self._name,
            describe_stream(key.stream_id),
            attempts,
            "position" if self._order == "log" else "version",
            place.number,
            failure.reason,
            extra=correlated(context),
        )

    def skip(
        self,
        key: ParkedKey,
        place: Place,
        attempts: int,
        error: BaseException,
        context: object = None,
    ) -> None:
        """List an event that is left out. ``context`` has the correlation id to log."""
        failure = ParkedFailure(place, attempts, reason_of(error), self._now_ms())
        self._parked.skip(key, failure)
        _log.error(
            "%r: the event at %s %d of stream %s is skipped after %d failed attempts: %s",
            self._name,
            "position" if self._order == "log" else "version",
            place.number,
            describe_stream(key.stream_id),
            attempts,
            failure.reason,
            extra=correlated(context),
        )

    def _scope(self, key: ParkedKey) -> TenantId | None:
        return key.tenant_id if self._parked.per_tenant else None

    def _known_of(self, key: ParkedKey) -> frozenset[str]:
        scope = self._scope(key)
        known = self._known.get(scope)
        if known is None:
            parked = self._parked if scope is None else self._parked.scoped_for_tenant(scope)
            entries = parked.streams(self._name)
            known = frozenset(
                _text(one.key)
                for one in entries
                if (one.key.order, one.key.version) == (self._order, self._version)
            )
            self._known[scope] = known
        return known


def _text(key: ParkedKey) -> str:
    return stream_key(tenant_prefix(key.tenant_id), key.stream_id)
