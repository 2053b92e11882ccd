"""Retries the parked streams of a projection: handles their events in order, and unparks them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from dynamo_es.contracts.consumers.failures import reason_of
from dynamo_es.contracts.consumers.parked import ParkedFailure, Place
from dynamo_es.exceptions import describe_stream
from dynamo_es.projections.handling import NOT_THE_EVENTS_FAULT, caller
from dynamo_es.projections.parking import RetryReport, unpark_when_applied
from dynamo_es.projections.parts import HANDLER, PASSING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event as Flag

    from dynamo_es.contracts.consumers.parked import ParkedKey, ParkedStream
    from dynamo_es.projections.parts import Parts
    from dynamo_es.values import RecordedRaw, StreamId

_log = logging.getLogger("dynamo_es")

_BETWEEN_MOVES: Final = 100
"""Most events that are applied again if the process dies."""

_LOOKS: Final = 3
"""Number of looks for the last events of a stream before they are left to the next retry."""


class ProjectionRetry:
    """Retries parked streams of a projection in one log.

    Args:
        parts: settings and parts of the projection.
        stop: set it to return after the current event.
    """

    def __init__(self, parts: Parts, stop: Flag) -> None:
        self._parts = parts
        self._stop = stop
        self._worker = uuid4().hex
        self._call = caller(parts.reads, parts.handler, HANDLER)
        self._applied = 0

    def run(self, stream_id: StreamId | None = None) -> RetryReport:
        """Retry all parked streams, or one; see `Projection.retry_parked`."""
        parts = self._parts
        unparked = left = 0
        for entry in parts.parked.streams(parts.name):
            if (entry.key.order, entry.key.version) != ("log", parts.version):
                continue
            if stream_id is not None and not _is_same(entry.key.stream_id, stream_id):
                continue
            if not self._stop.is_set() and self._retry(entry.key):
                unparked += 1
            else:
                left += 1
        return RetryReport(applied=self._applied, unparked=unparked, left=left)

    def _retry(self, key: ParkedKey) -> bool:
        """Apply the events of a stream; return whether the stream is unparked."""
        parts = self._parts
        return unpark_when_applied(
            parts.parked, key, self._worker, parts.now_ms, parts.lease_ms, self._apply_all
        )

    def _apply_all(self, entry: ParkedStream) -> bool:
        """Apply the events of an entry and move its first event; return whether all are done."""
        key, first, moved_at = entry.key, entry.first, 0
        renewed_ms = self._parts.now_ms()
        events = self._events(entry)
        while True:
            try:
                raw = next(events, None)
            except _NotSeenYetError:
                self._parts.parked.release(key, self._worker, first)
                return False
            if raw is None:
                break
            if self._stop.is_set():
                self._parts.parked.release(key, self._worker, first)
                return False
            error = self._error_of(raw, key, first)
            if error is not None:
                place = Place(0, raw.position)
                failure = ParkedFailure(place, 1, reason_of(error), self._parts.now_ms())
                self._parts.parked.fail(key, self._worker, failure)
                _log.error(
                    "%r: stream %s stays parked from position %d on: %s",
                    key.name,
                    describe_stream(key.stream_id),
                    raw.position,
                    failure.reason,
                )
                return False
            first = Place(0, raw.position + 1)
            self._applied += 1
            moved_at += 1
            now_ms = self._parts.now_ms()
            if moved_at >= _BETWEEN_MOVES or now_ms - renewed_ms > self._parts.lease_ms / 3:
                moved_at, renewed_ms = 0, now_ms
                until_ms = now_ms + self._parts.lease_ms
                if not self._parts.parked.advance(key, self._worker, first, until_ms):
                    return False  # another worker retries the stream, or the consumer was set back
        done = Place(0, entry.seen.number + 1)
        until_ms = self._parts.now_ms() + self._parts.lease_ms
        return self._parts.parked.advance(key, self._worker, done, until_ms)

    def _error_of(self, raw: RecordedRaw, key: ParkedKey, first: Place) -> Exception | None:
        """Apply an event; return its error, unless it is temporary."""
        try:
            self._call(raw)
        except (*PASSING, *NOT_THE_EVENTS_FAULT):
            self._parts.parked.release(key, self._worker, first)
            raise
        except Exception as error:  # noqa: BLE001 - stored in the entry
            return error
        return None

    def _events(self, entry: ParkedStream) -> Iterator[RecordedRaw]:
        """Yield the selected events of an entry, from the log.

        Raises:
            _NotSeenYetError: the last of them may not be visible yet.
        """
        key, parts = entry.key, self._parts
        selection = replace(parts.selection(), tenant_id=key.tenant_id, stream_id=key.stream_id)
        reader = parts.log.reader(entry.first.number - 1, selection)
        looks = 0
        # `read` would search the rest of the log if there is no further event of the stream.
        while reader.position < entry.seen.number:
            piece = reader.read_some()
            for raw in piece.records:
                if raw.position > entry.seen.number:
                    return
                yield raw
            if not piece.ended or reader.position >= entry.seen.number:
                continue
            # Eventually consistent reads may miss the newest pages.
            if (parts.log.last_position or 0) <= reader.position:
                return  # the log was cut, so the events are gone
            looks += 1
            if looks == _LOOKS:
                raise _NotSeenYetError


class _NotSeenYetError(Exception):
    """Reads of the log may not show all events of a parked stream yet."""


def _is_same(one: StreamId, other: StreamId) -> bool:
    return one == other and one.category == other.category
