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

from dynamo_es.contracts.appends import StreamAppend
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    AppendsFailedError,
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
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from dynamo_es.cli.importing.chunks import Chunk
    from dynamo_es.cli.importing.counts import Meter, Summary
    from dynamo_es.cli.importing.lines import StreamOf
    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.contracts.appends import AppendResult

TRIES: Final = 7
"""Attempts to append while the store is busy or unreachable: about ten seconds in all."""

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
    """Appends chunks; one thread at a time may use it.

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
        self._problems: list[Problem] = []
        self._answered = False
        self._appending = self._retrying()

    def write(self, chunks: Iterable[Chunk]) -> list[Problem]:
        """Store chunks, each of another stream of one tenant, except what is stored already.

        Returns:
            The first event of each stream that cannot be stored. Later chunks of these streams are
            skipped, too.

        Raises:
            EventStoreError: The store cannot store anything at present.
        """
        self._problems = []
        left = list(chunks)
        while left:
            wanted = [rest for chunk in left if (rest := self._unstored(chunk)) is not None]
            left = self._append(wanted)
        return self._problems

    def _unstored(self, chunk: Chunk) -> Chunk | None:
        """Return the part of a chunk that has to be appended; None: nothing."""
        stream, rest = chunk.stream, chunk
        if not self._refused and not self._existing:
            return chunk
        if stream in self._refused:
            self._summary.add(skipped=len(chunk.events))
            return None
        while stream in self._existing and not chunk.snapshot:
            try:
                same = self._same(rest, self._remembered(rest))
            except Refusal as error:
                self._refuse(rest, error)
                return None
            if not same:
                self._existing.discard(stream)  # it ends here: from here on it is new
            elif (more := rest.after(same)) is None:
                return None
            else:
                rest = more
        return rest

    def _append(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Append chunks; return what is left of those whose beginning was stored already.

        Each is tried again while its failure passes.
        """
        rests: list[Chunk] = []
        waiting = chunks

        def attempt() -> None:
            nonlocal waiting
            again = retrying.statistics["attempt_number"] > 1
            failed, errors = [], []
            for chunk, result in self._results(waiting):
                if isinstance(result, _OF_THE_STORE):
                    failed.append(chunk)
                    errors.append(result)
                elif rest := self._take(chunk, result, again=again):
                    rests.append(rest)
            waiting = failed
            if errors:
                raise next((e for e in errors if not isinstance(e, _PASSING)), errors[0])

        retrying = self._appending
        retrying(attempt)
        return rests

    def _results(self, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, AppendResult]]:
        """Append chunks, each on its own, and yield the result or the error of each."""
        if not chunks:
            return
        storage = self._scoped(chunks[0].stream.tenant_id)
        batch = [chunk for chunk in chunks if not chunk.snapshot and not chunk.versionless]
        for chunk in chunks:
            if chunk.snapshot or chunk.versionless:
                yield chunk, _append_alone(storage, chunk)
        results: Sequence[AppendResult]
        try:
            results = storage.insert_many(
                [
                    StreamAppend(c.stream.id, ExplicitVersioning(c.first - 1), c.events)
                    for c in batch
                ]
            )
        except AppendsFailedError as failed:
            results = failed.results
        yield from zip(batch, results, strict=True)

    def _take(self, chunk: Chunk, result: AppendResult, *, again: bool) -> Chunk | None:
        """Take the result of an append; return what is left to append."""
        self._answered = True
        count = len(chunk.events)
        try:
            if isinstance(result, ConcurrentStreamWriteError):
                return self._after_conflict(chunk, result)
            if isinstance(result, Exception):
                raise result
        except _OF_THE_STORE:
            raise
        except EventStoreError as error:
            self._refuse(chunk, error)
            return None
        if chunk.snapshot:
            self._summary.add(snapshots=1)
        elif result is not None and result.repeated and not (again or self._sent_twice()):
            self._existing.add(chunk.stream)
            self._summary.add(already_stored=count)
        else:
            self._summary.add(events=count, commits=1)
        return None

    def _after_conflict(self, chunk: Chunk, conflict: ConcurrentStreamWriteError) -> Chunk | None:
        same = self._same(chunk, self._fetch(chunk.stream, chunk.first, chunk.last))
        if not same:
            raise Refusal(
                f"the stream is at version {conflict.actual}, so this event cannot become "
                f"version {chunk.first}."
            ) from conflict
        self._existing.add(chunk.stream)
        return chunk.after(same)

    def _refuse(self, chunk: Chunk, error: EventStoreError) -> None:
        self._refused.add(chunk.stream)
        self._summary.add(refused_streams=1, skipped=len(chunk.events))
        self._problems.append(Problem(chunk.lines[0], str(error), chunk.stream))

    def _same(self, chunk: Chunk, stored: Sequence[UUID]) -> int:
        """Return how many events at the chunk's beginning are stored."""
        pairs = zip(stored, chunk.events, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1].uuid, pairs))
        if stored and not same:
            raise Refusal(f"the stream holds another event at version {chunk.first} ({stored[0]}).")
        self._summary.add(already_stored=same)
        return same

    def _sent_twice(self) -> bool:
        """Whether a lost reply explains why events of the last appends were stored already."""
        return self._meter is not None and self._meter.last.attempts > self._meter.last.requests

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


def _append_alone(storage: StorageStrategy, chunk: Chunk) -> EventStoreError | None:
    """Save a snapshot, or append events without versions; return the error if that fails.

    Such an append is not idempotent, so the number of stored events is checked before each try.
    """
    stream_id, expected = chunk.stream.id, chunk.first - 1
    try:
        if chunk.snapshot:
            storage.save_snapshot(chunk.events[0])
            return None
        head = storage.head(stream_id)
        if head is not None and head.versioned:
            return NoExpectedVersionGivenOnVersionedStream(stream_id)
        length = 0 if head is None else head.length
        if length != expected:
            return ConcurrentStreamWriteError(stream_id, expected, length)
        storage.insert_events(stream_id, NO_VERSIONING, chunk.events)
    except EventStoreError as error:
        return error
    return None


class Refusal(EventStoreError):  # noqa: N818 - becomes a Problem once its line is known
    """The stream cannot take an event."""
