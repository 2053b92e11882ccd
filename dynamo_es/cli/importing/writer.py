"""Appends chunks so that repeating an import stores nothing twice.

Event ids come from the input and the expected version is the place in the stream, so an append
is idempotent. If a stream existed before this run, the writer reads it ahead and compares: that
is cheaper than appends that the store recognizes, and it works for any earlier commit size.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from dynamo_es.dynamodb.streams.cost import append_cost
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommitTooLargeError,
    ConcurrentStreamWriteError,
    ContentionError,
    InputError,
    StoredItemError,
    StreamGapError,
    ThrottledError,
    UnavailableError,
    VersioningMismatch,
)
from dynamo_es.values import ExplicitVersioning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from dynamo_es.cli.importing.chunks import Chunk
    from dynamo_es.cli.importing.counts import Counts, Meter
    from dynamo_es.cli.importing.lines import StreamOf
    from dynamo_es.contracts import StorageStrategy

TRIES: Final = 7
"""Attempts to append a chunk when the store is busy or unreachable: about ten seconds in all."""

WINDOW: Final = 500
"""Events read ahead in a stream that existed before this run."""

MOST_WINDOWS: Final = 1000
"""Streams whose window is kept; the least recently used goes. A lost window costs one read."""

_PASSING: Final = (AppendOutcomeUnknownError, ThrottledError, ContentionError, UnavailableError)
_OF_ONE_STREAM: Final = (InputError, VersioningMismatch, StreamGapError, StoredItemError)


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that was not stored.

    Attributes:
        line: its number, 1-based.
        reason: why.
        stream: the stream whose later lines are skipped. None: the later lines of all streams
            are skipped, because the malformed line does not say which stream it belongs to.
    """

    line: int
    reason: str
    stream: StreamOf | None = None


class Writer:
    """Appends the chunks of its streams, one after the other; each worker has its own writer.

    Args:
        storage: the storage of any tenant.
        counts: figures to add to.
        meter: the observer of the storage's backend; None if it has none.
        price: whether to price each commit, even if the engine reports its cost.
        sleep: waits this many seconds.
    """

    def __init__(
        self,
        storage: StorageStrategy,
        counts: Counts,
        meter: Meter | None = None,
        *,
        price: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._scoped = cache(storage.scoped_for_tenant)
        self._counts = counts
        self._meter = meter
        self._price = price
        self._sleep = sleep
        self._windows: OrderedDict[StreamOf, _Window] = OrderedDict()
        self._begun: set[StreamOf] = set()
        self._refused: set[StreamOf] = set()
        self._stored = 0  # events known to be stored, by this run or an earlier one

    def write(self, chunk: Chunk) -> Problem | None:
        """Store a chunk, unless it is stored already.

        Returns:
            The first event that cannot be stored. The stream's later chunks are skipped, too.

        Raises:
            EventStoreError: The store cannot store anything at present.
        """
        if chunk.stream in self._refused:
            self._counts.add(skipped=len(chunk.events))
            return None
        before = self._stored
        try:
            self._write(chunk)
        except (*_OF_ONE_STREAM, _Refusal) as error:
            self._refused.add(chunk.stream)
            stored = self._stored - before
            self._counts.add(refused_streams=1, skipped=len(chunk.events) - stored)
            return Problem(chunk.lines[stored], str(error), chunk.stream)
        return None

    def _write(self, chunk: Chunk) -> None:
        rest: Chunk | None = chunk
        # Without a meter, an append does not show whether it wrote something: look first.
        unknown = self._meter is None and chunk.stream not in self._begun
        if unknown or chunk.stream in self._windows:
            rest = self._skip_stored(chunk)
        while rest is not None:
            try:
                return self._append(rest)
            except ConcurrentStreamWriteError as conflict:
                left = self._skip_stored(rest)
                if left is rest:
                    raise _Refusal(
                        f"the stream is at version {conflict.actual}, so this event cannot become "
                        f"version {rest.first}."
                    ) from conflict
                rest = left
            except CommitTooLargeError:
                if len(rest.events) == 1:
                    raise
                middle = len(rest.events) // 2
                self._write(rest.part(0, middle))
                return self._write(rest.part(middle))
        return None

    def _append(self, chunk: Chunk) -> None:
        retrying = self._retrying()
        expected = ExplicitVersioning(chunk.first - 1)
        storage = self._scoped(chunk.stream.tenant_id)
        retrying(storage.insert_events, chunk.stream_id, expected, chunk.events)
        self._stored += len(chunk.events)
        if self._wrote(tries=retrying.statistics["attempt_number"]):
            self._begun.add(chunk.stream)
            self._counts.add(events=len(chunk.events), commits=1, **self._cost(chunk, expected))
        else:
            self._keep(chunk.stream, _Window(1, (), reaches_end=False))
            self._counts.add(already_stored=len(chunk.events))

    def _wrote(self, tries: int) -> bool:
        """Whether the last append wrote its events, rather than an earlier run."""
        if self._meter is None or tries > 1:
            return True
        report = self._meter.last
        return (
            report.write_units is not None  # an answer to a write that was not refused
            or report.requests == 1  # no second look was needed
            or report.attempts > report.requests  # stored by an attempt whose reply was lost
        )

    def _cost(self, chunk: Chunk, expected: ExplicitVersioning) -> dict[str, int]:
        reported = self._meter is not None and self._meter.last.write_units is not None
        if reported and not self._price:
            return {}
        tenant_id = chunk.stream.tenant_id
        cost = append_cost(chunk.stream_id, chunk.events, versioning=expected, tenant_id=tenant_id)
        units = cost.write_units
        return {"priced_units": units, "unreported_units": 0 if reported else units}

    def _skip_stored(self, chunk: Chunk) -> Chunk | None:
        """Return the part that is not stored: all (the same object), the end, or None."""
        stored = self._stored_ids(chunk)
        pairs = zip(stored, chunk.events, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1].uuid, pairs))
        self._stored += same
        self._counts.add(already_stored=same)
        if same < len(stored):
            raise _Refusal(
                f"the stream holds another event at version {chunk.first + same} ({stored[same]})."
            )
        if same == len(chunk.events):
            return None
        self._windows.pop(chunk.stream, None)  # the stream ends here; from here on it is new
        self._begun.add(chunk.stream)
        return chunk.part(same) if same else chunk

    def _stored_ids(self, chunk: Chunk) -> Sequence[UUID]:
        """Return the ids stored at the chunk's versions, up to the end of the stream."""
        window = self._windows.get(chunk.stream)
        if window is None or not window.covers(chunk):
            count = max(WINDOW, len(chunk.events))
            fetch = self._scoped(chunk.stream.tenant_id).fetch_events
            stored = self._retrying()(fetch, chunk.stream_id, chunk.first, chunk.first + count)
            window = _Window(chunk.first, [event.uuid for event in stored], len(stored) < count)
        self._keep(chunk.stream, window)
        offset = chunk.first - window.first
        return window.uuids[offset : offset + len(chunk.events)]

    def _keep(self, stream: StreamOf, window: _Window) -> None:
        self._windows[stream] = window
        self._windows.move_to_end(stream)
        if len(self._windows) > MOST_WINDOWS:
            self._windows.popitem(last=False)

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
        if isinstance(error, UnavailableError) and not self._stored:
            return False
        return isinstance(error, _PASSING)


class _Window(NamedTuple):
    """Ids of stored events of a stream, from a version on; empty if only its existence is known."""

    first: int
    uuids: Sequence[UUID]
    reaches_end: bool

    def covers(self, chunk: Chunk) -> bool:
        return self.reaches_end or chunk.last < self.first + len(self.uuids)


class _Refusal(Exception):  # noqa: N818 - becomes a Problem once its line is known
    """The stream cannot take an event."""
