"""Appends chunks so that repeating an import stores nothing twice.

Event ids come from the input and the expected version is the place in the stream, so an append
is idempotent. The first append to a stream shows whether it existed before this run. If so, its
events are read ahead and compared: that is cheaper than appends that the store recognizes, and it
works for any earlier commit size.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dynamo_es.cli.history.importing.lines import LineError
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

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from uuid import UUID

    from dynamo_es.cli.history.importing.chunks import Chunk
    from dynamo_es.cli.history.importing.lines import StreamOf
    from dynamo_es.cli.history.importing.summary import Summary
    from dynamo_es.cli.meter import Meter
    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.contracts.appends import AppendResult

TRIES: Final = 7
"""Attempts while the store is busy or unreachable: about ten seconds in all."""

WINDOW: Final = 500
"""Events read ahead in a stream that existed before this run."""

MOST_WINDOWS: Final = 1000
"""Windows that are kept; before more are read, all go. A lost window costs one read."""

_UNREAD: Final = (0, ())
"""The window of a stream that nothing is read of yet."""

_IN_THE_WAY: Final = (-1, ())
"""The same, after an append that other events refused."""

_PASSING: Final = (AppendOutcomeUnknownError, ThrottledError, ContentionError, UnavailableError)
_OF_THE_STORE: Final = (AppendOutcomeUnknownError, ServiceError)  # other errors are of one stream


@dataclass(slots=True)
class Writer:
    """Appends chunks."""

    storage: StorageStrategy  # of any tenant
    summary: Summary  # figures to add to
    meter: Meter | None  # the observer of the storage's backend
    on_problem: Callable[[LineError], None]  # called with the first line of a refused stream
    sleep: Callable[[float], None]  # waits so many seconds before something is tried again
    _answered: bool = False  # whether the store has answered yet
    _failures: int = 0  # calls of `write` in a row in which all failed, but may pass
    _failed: Collection[StreamOf] = ()  # streams whose last append did
    _refused: set[StreamOf] = field(default_factory=set)
    # Of each stream that existed before this run, until its end is reached: the version that it
    # is read ahead from, and the ids stored from there on.
    _windows: dict[StreamOf, tuple[int, Sequence[UUID]]] = field(default_factory=dict)
    _reads: int = 0  # windows that are kept

    def write(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Store chunks, each of another stream of one tenant, except what is stored already.

        If an event cannot be stored, it and the later ones of its stream are skipped.

        Returns:
            What to write next: what failed but may pass, and what has to be compared first.

        Raises:
            EventStoreError: The store cannot store anything at present.
        """
        left: list[Chunk] = []
        errors: dict[StreamOf, EventStoreError] = {}
        for chunk, result in self._results(chunks):
            if isinstance(result, _OF_THE_STORE):
                errors[chunk.stream] = result
                left.append(chunk)
                continue
            self._answered, self._failures = True, 0
            if isinstance(result, ConcurrentStreamWriteError):
                self._windows[chunk.stream] = _IN_THE_WAY
                left.append(chunk)
            elif isinstance(result, Exception):
                self._refuse(chunk, str(result))
            elif chunk.snapshot:
                self.summary.snapshots += 1
            elif result is not None and result.repeated and not self._may_be_ours(chunk):
                self._windows[chunk.stream] = _UNREAD
                self.summary.already_stored += len(chunk.events)
            else:
                self.summary.events += len(chunk.events)
                self.summary.commits += 1
        self._failed = errors.keys()
        if errors:
            self._wait_after([*errors.values()])
        return left

    def _may_be_ours(self, chunk: Chunk) -> bool:
        """Whether a lost reply explains why events of the last appends were stored already."""
        last = None if self.meter is None else self.meter.last
        sent_twice = last is not None and last.attempts > last.requests
        return sent_twice or chunk.stream in self._failed

    def _results(self, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, AppendResult]]:
        """Append what is not stored, each chunk on its own; yield the result or error of each."""
        storage = self.storage.scoped_for_tenant(chunks[0].stream.tenant_id)
        wanted: list[Chunk] = []
        for chunk in chunks:
            try:
                rest = self._unstored(chunk, storage)
                if rest is not None and rest.snapshot:
                    storage.save_snapshot(rest.events[0])
                    yield rest, None
                elif rest is not None:
                    wanted.append(rest)
            except EventStoreError as error:
                yield chunk, error
        if not wanted:
            return
        try:
            results: Sequence[AppendResult] = storage.insert_many([one.append for one in wanted])
        except AppendsFailedError as failed:
            results = failed.results
        yield from zip(wanted, results, strict=True)

    def _unstored(self, chunk: Chunk, storage: StorageStrategy) -> Chunk | None:
        """Return the part of a chunk that its stream does not hold yet; None: nothing."""
        stream = chunk.stream
        if stream in self._refused:
            self.summary.skipped += len(chunk.events)
            return None
        if chunk.versionless:
            self._check_length(chunk, storage)
        if stream not in self._windows or chunk.snapshot:
            return chunk
        is_conflict = self._windows[stream] is _IN_THE_WAY
        same, stored = 0, None
        for event in chunk.events:
            stored = self._stored_id(stream, chunk.first + same, storage)
            if stored != event.uuid:
                break
            same += 1
        self.summary.already_stored += same
        rest = chunk.after(same)
        if rest is None:
            return None
        version = rest.first
        if stored is not None:
            self._refuse(rest, f"the stream holds another event at version {version} ({stored})")
            return None
        if is_conflict and not same:
            reason = f"the stream ends before it, so this event cannot become version {version}"
            self._refuse(rest, reason)
            return None
        del self._windows[stream]
        return rest

    def _check_length(self, chunk: Chunk, storage: StorageStrategy) -> None:
        """Look at the end of a stream without versions: an append to it is not idempotent."""
        head = storage.head(chunk.stream.id)
        if head is not None and head.versioned:
            raise NoExpectedVersionGivenOnVersionedStream(chunk.stream.id)
        if chunk.first != (1 if head is None else head.length + 1):
            self._windows.setdefault(chunk.stream, _IN_THE_WAY)

    def _stored_id(self, stream: StreamOf, version: int, storage: StorageStrategy) -> UUID | None:
        """Return the id of the event at this version; None: the stream ends before it."""
        begin, ids = self._windows[stream]
        if not 0 < begin <= version < begin + WINDOW:
            begin = version
            ids = [e.uuid for e in storage.fetch_events(stream.id, begin, begin + WINDOW)]
            self._reads += 1
            if self._reads > MOST_WINDOWS:
                self._windows, self._reads = dict.fromkeys(self._windows, _UNREAD), 1
            self._windows[stream] = begin, ids
        return ids[version - begin] if version - begin < len(ids) else None

    def _refuse(self, chunk: Chunk, reason: str) -> None:
        self._refused.add(chunk.stream)
        self.summary.refused_streams += 1
        self.summary.skipped += len(chunk.events)
        self.on_problem(LineError(chunk.lines[0], reason, chunk.stream))

    def _wait_after(self, errors: Sequence[EventStoreError]) -> None:
        """Wait before what failed is tried again; raise an error that does not pass."""
        self._failures += 1
        for error in errors:
            # If nothing has answered yet, the address is more likely wrong than the network slow.
            silent = isinstance(error, UnavailableError) and not self._answered
            if silent or self._failures == TRIES or not isinstance(error, _PASSING):
                raise error
        self.sleep(random.uniform(0, min(5, 0.2 * 2**self._failures)))  # noqa: S311 - jitter
