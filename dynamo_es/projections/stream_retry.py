"""Retries the parked streams of a consumer that follows single streams."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from dynamo_es.contracts import Followed
from dynamo_es.contracts.consumers.failures import reason_of
from dynamo_es.contracts.consumers.parked import ParkedFailure, Place
from dynamo_es.exceptions import UnreadableEventError, describe_stream
from dynamo_es.projections.parking import RetryReport, unpark_when_applied
from dynamo_es.projections.stream_failures import TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts.consumers.parked import ParkedKey, ParkedStream
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.projections.stream_follower import StreamFollower
    from dynamo_es.values import StreamId

_log = logging.getLogger("dynamo_es")

_AT_ONCE: Final = 100
"""Most events that are loaded and applied under one lease."""


class StreamRetry:
    """Retries parked streams: applies the events after the cursor, up to the end of the stream.

    Args:
        projector: moves the cursors.
        apply: called with the stream and each event, or None for an event that is not selected;
            returns the event's writes.
        stopped: called before each event; returns True to leave the rest to another call.
    """

    def __init__(
        self,
        projector: StreamFollower,
        apply: Callable[[Followed, WrappedEvent[Any] | None], object],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._projector = projector
        self._apply = apply
        self._stopped = stopped
        self._worker = uuid4().hex
        self._applied = 0

    def run(self, stream_id: StreamId | None = None, tenant_id: str | None = None) -> RetryReport:
        """Retry all parked streams, or one."""
        unparked = left = 0
        for entry in self._projector.parked.streams(self._projector.name):
            key = entry.key
            if key.order != "stream" or not _is_wanted(key, stream_id, tenant_id):
                continue
            if not self._stopped() and self._retry(key):
                unparked += 1
            else:
                left += 1
        return RetryReport(applied=self._applied, unparked=unparked, left=left)

    def _retry(self, key: ParkedKey) -> bool:
        """Apply the events of a stream; return whether the stream is unparked."""
        follower = self._projector
        return unpark_when_applied(
            follower.parked, key, self._worker, follower.now_ms, follower.lease_ms, self._apply_all
        )

    def _apply_all(self, entry: ParkedStream) -> bool:
        """Apply the events after the cursor; return whether all are done."""
        key, size, before = entry.key, _AT_ONCE, -1
        # A deleted stream has no events left to apply; a new generation begins at version 1.
        generation = self._projector.generation_of(key.stream_id, key.tenant_id)
        if generation is None:
            return True
        followed = Followed(key.name, key.stream_id, key.tenant_id, generation)
        while True:
            at = self._projector.version_of(followed)
            if at == before:  # another process has taken over, or the stream is deleted now
                self._projector.parked.release(key, self._worker, entry.first)
                return False
            try:
                steps = self._projector.load(followed, at + 1, at + 1 + size)
                if not steps:
                    return True
                if self._stopped():
                    self._projector.parked.release(key, self._worker, entry.first)
                    return False
                self._projector.follow(
                    followed,
                    at + 1,
                    steps,
                    lambda _, event: self._apply_one(followed, event),
                    self._stopped,
                    retries=True,
                )
                before = at
            except UnreadableEventError as error:
                if size > 1:
                    size = 1  # apply the events before the one that cannot be read
                    continue
                return self._failed(followed, entry, error)
            except TEMPORARY:
                self._projector.parked.release(key, self._worker, entry.first)
                raise
            except Exception as error:  # noqa: BLE001 - stored in the entry
                return self._failed(followed, entry, error)

    def _apply_one(self, followed: Followed, event: WrappedEvent[Any] | None) -> object:
        returned = self._apply(followed, event)
        if event is not None:
            self._applied += 1
        return returned

    def _failed(self, followed: Followed, entry: ParkedStream, error: Exception) -> bool:
        version = self._projector.version_of(followed) + 1
        place = Place(followed.generation, version)
        failure = ParkedFailure(place, 1, reason_of(error), self._projector.now_ms())
        self._projector.parked.fail(entry.key, self._worker, failure)
        _log.error(
            "%r: stream %s stays parked from version %d on: %s",
            entry.key.name,
            describe_stream(entry.key.stream_id),
            version,
            failure.reason,
        )
        return False


def _is_wanted(key: ParkedKey, stream_id: StreamId | None, tenant_id: str | None) -> bool:
    if tenant_id is not None and key.tenant_id != tenant_id:
        return False
    if stream_id is None:
        return True
    return key.stream_id == stream_id and key.stream_id.category == stream_id.category
