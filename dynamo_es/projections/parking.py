"""`Parking`: the streams that a consumer has parked, as one process knows them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamo_es.contracts.consumers.failures import reason_of
from dynamo_es.contracts.consumers.parked import ParkedKey, SetAside
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
        applied: events that were applied.
        unparked: streams whose events are all applied; they are off the list.
        left: streams that are still parked, because an event failed again or time was over.
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
    """Apply the events of a parked stream under its lease; return whether it is off the list.

    Args:
        parked: keeps the entries.
        key: key of the stream's entry.
        worker: unique name of the worker.
        now_ms: returns milliseconds since the epoch.
        lease_ms: milliseconds that other workers stay out of the stream.
        apply_all: applies the events of an entry, and returns whether all are done. It is called
            again if the consumer has passed over another event meanwhile.
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

    What it knows may be old. A stream that it takes for parked is looked up by `pass_over`. A
    stream that it does not know of is found out when its event fails again.

    Args:
        parked: keeps the entries.
        name: name of the consumer.
        order: whether the consumer follows the log or single streams.
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
        """How many streams are parked, as far as this process knows."""
        return sum(map(len, self._known.values()))

    def key(self, stream_id: StreamId, tenant_id: TenantId) -> ParkedKey:
        """Return the key of a stream's entry."""
        return ParkedKey(self._name, self._order, stream_id, tenant_id, self._version)

    def forget(self) -> None:
        """Look the entries up again before the next event."""
        self._known = {}

    def holds(self, key: ParkedKey) -> bool:
        """Whether a stream is parked, as far as this process knows.

        Cost: 1 request at first; with a log of each tenant, for each tenant.
        """
        known = self._known_of(key)
        return bool(known) and _text(key) in known

    def pass_over(self, key: ParkedKey, first: Place, last: Place) -> bool:
        """Note events of a parked stream as passed over; False: it is not parked any more."""
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
        """Set a stream aside from an event on, whose context has the correlation id for the log."""
        failure = SetAside(place, attempts, reason_of(error), self._now_ms())
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
        """List an event that is left out; its context has the correlation id for the log."""
        failure = SetAside(place, attempts, reason_of(error), self._now_ms())
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
