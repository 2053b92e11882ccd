"""Appends chunks so that repeating an import stores nothing twice.

Event ids come from the input and the expected version is the place in the stream, so an append
is idempotent. A stream that existed before this run is read ahead and compared: that is cheaper
than appends that the store recognizes, and it works for any earlier commit size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from tenacity import (
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    wait_random_exponential,
)

from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    ContentionError,
    EventStoreError,
    NoExpectedVersionGivenOnVersionedStream,
    ServiceError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.values import NO_VERSIONING, ExplicitVersioning

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from uuid import UUID

    from dynamo_es.cli.importing.chunks import Chunk
    from dynamo_es.cli.importing.counts import Meter, Summary
    from dynamo_es.cli.importing.lines import StreamOf
    from dynamo_es.contracts import StorageStrategy

TRIES: Final = 7
"""Attempts to append a chunk when the store is busy or unreachable: about ten seconds in all."""

WINDOW: Final = 500
"""Events read ahead in a stream that existed before this run."""

MOST_WINDOWS: Final = 1000
"""Windows that are kept; the least recently used goes. A lost window costs one read."""

_PASSING: Final = (AppendOutcomeUnknownError, ThrottledError, ContentionError, UnavailableError)
_OF_THE_STORE: Final = (AppendOutcomeUnknownError, ServiceError)  # other errors are of one stream


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that was not stored, so that the later lines of its stream are skipped."""

    line: int  # its number, 1-based
    reason: str
    stream: StreamOf | None = None  # None: the line does not say, and all later lines are skipped


class Writer:
    """Appends chunks. Threads may share it if each stream belongs to one of them.

    Args:
        storage: the storage of any tenant.
        summary: figures to add to.
        meter: the observer of the storage's backend; None if it has none.
        stop: ends the wait before an append is tried again.
    """

    def __init__(
        self,
        storage: StorageStrategy,
        summary: Summary,
        meter: Meter | None,
        stop: threading.Event,
    ) -> None:
        self._scoped = cache(storage.scoped_for_tenant)
        self._summary = summary
        self._sleep = sleep_using_event(stop)
        self._meter = meter
        self._window = lru_cache(MOST_WINDOWS)(self._read_window)
        self._existing: set[StreamOf] = set()
        self._refused: set[StreamOf] = set()
        self._answered = False

    def write(self, chunk: Chunk) -> Problem | None:
        """Store a chunk, unless it is stored already.

        Returns:
            The first event that cannot be stored. The stream's later chunks are skipped, too.

        Raises:
            EventStoreError: The store cannot store anything at present.
        """
        if chunk.stream in self._refused:
            self._summary.add(skipped=len(chunk.events))
            return None
        rest: Chunk | None = chunk
        try:
            while rest is not None:
                chunk = rest
                rest = self._store(chunk)
        except _OF_THE_STORE:
            raise
        except EventStoreError as error:
            self._refused.add(chunk.stream)
            self._summary.add(refused_streams=1, skipped=len(chunk.events))
            return Problem(chunk.lines[0], str(error), chunk.stream)
        return None

    def _store(self, chunk: Chunk) -> Chunk | None:
        """Store a chunk, or skip its stored beginning and return the rest."""
        if chunk.stream in self._existing and not chunk.snapshot:
            if same := self._same(chunk, self._remembered(chunk)):
                return chunk.after(same)
            self._existing.discard(chunk.stream)  # it ends here: from here on it is new
        try:
            self._append(chunk)
        except ConcurrentStreamWriteError as conflict:
            if same := self._same(chunk, self._fetch(chunk.stream, chunk.first, chunk.last)):
                self._existing.add(chunk.stream)
                return chunk.after(same)
            raise Refusal(
                f"the stream is at version {conflict.actual}, so this event cannot become "
                f"version {chunk.first}."
            ) from conflict
        return None

    def _same(self, chunk: Chunk, stored: Sequence[UUID]) -> int:
        """Return how many events at the chunk's beginning are stored."""
        pairs = zip(stored, chunk.events, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1].uuid, pairs))
        if stored and not same:
            raise Refusal(f"the stream holds another event at version {chunk.first} ({stored[0]}).")
        self._summary.add(already_stored=same)
        return same

    def _append(self, chunk: Chunk) -> None:
        stream_id, storage = chunk.stream.id, self._scoped(chunk.stream.tenant_id)
        retrying = self._retrying()
        if chunk.snapshot:
            retrying(storage.save_snapshot, chunk.events[0])
            self._summary.add(snapshots=1)
            return
        expected = ExplicitVersioning(chunk.first - 1)
        if chunk.versionless:
            retrying(_append_versionless, storage, chunk)
            version = None
        else:
            version = retrying(storage.insert_events, stream_id, expected, chunk.events)
        self._answered = True
        if version is not None and version.repeated and not self._sent_twice(retrying):
            self._existing.add(chunk.stream)
            self._summary.add(already_stored=len(chunk.events))
            return
        self._summary.add(events=len(chunk.events), commits=1)

    def _sent_twice(self, retrying: Retrying) -> bool:
        """Whether a lost reply explains why the events of the last append were stored already."""
        if self._meter is not None and self._meter.last.attempts > self._meter.last.requests:
            return True
        return bool(retrying.statistics["attempt_number"] > 1)

    def _remembered(self, chunk: Chunk) -> Sequence[UUID]:
        """Return the ids stored at the chunk's versions, from windows of the stream."""
        begin, end = chunk.first - 1, chunk.last
        windows = range(begin // WINDOW, (end - 1) // WINDOW + 1)
        ids = [uuid for window in windows for uuid in self._window(chunk.stream, window)]
        offset = windows.start * WINDOW
        return ids[begin - offset : end - offset]

    def _read_window(self, stream: StreamOf, number: int) -> Sequence[UUID]:
        return self._fetch(stream, number * WINDOW + 1, (number + 1) * WINDOW)

    def _fetch(self, stream: StreamOf, first: int, last: int) -> Sequence[UUID]:
        """Return the ids stored at these versions, up to the end of the stream."""
        fetch = self._scoped(stream.tenant_id).fetch_events
        events = self._retrying()(fetch, stream.id, first, last + 1)
        self._answered = True
        return [event.uuid for event in events]

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception(self._is_passing),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            sleep=self._sleep,
            reraise=True,
        )

    def _is_passing(self, error: BaseException) -> bool:
        # If nothing has answered yet, the address is more likely wrong than the network slow.
        if isinstance(error, UnavailableError) and not self._answered:
            return False
        return isinstance(error, _PASSING)


def _append_versionless(storage: StorageStrategy, chunk: Chunk) -> None:
    """Append events without versions, if the stream has the number of events before them.

    Such an append is not idempotent, so the number is checked before each try.
    """
    stream_id, expected = chunk.stream.id, chunk.first - 1
    head = storage.head(stream_id)
    if head is not None and head.versioned:
        raise NoExpectedVersionGivenOnVersionedStream(stream_id)
    length = 0 if head is None else head.length
    if length != expected:
        raise ConcurrentStreamWriteError(stream_id, expected, length)
    storage.insert_events(stream_id, NO_VERSIONING, chunk.events)


class Refusal(EventStoreError):  # noqa: N818 - becomes a Problem once its line is known
    """The stream cannot take an event."""
