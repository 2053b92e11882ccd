"""Appends chunks so that doing it again, after whatever happened, adds nothing twice.

Event ids come from the input and the expected version is the place in the stream, so an append
is idempotent. A stream that was there before this run is read ahead and compared instead: that
is cheaper than appends that the store recognizes, and it does not matter how it was cut then.
"""

from __future__ import annotations

import time
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from dynamo_es.cli.importing.stored import StoredEvents
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
from dynamo_es.portable import reduce_error
from dynamo_es.values import ExplicitVersioning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from dynamo_es.cli.importing.chunks import Chunk
    from dynamo_es.cli.importing.counts import Counts
    from dynamo_es.cli.importing.lines import StreamOf
    from dynamo_es.cli.importing.meter import Meter
    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import TenantId

TRIES: Final = 7
"""Of a chunk whose append failed in a way that goes away: some ten seconds in all."""

_PASSING: Final = (AppendOutcomeUnknownError, ThrottledError, ContentionError, UnavailableError)
_OF_ONE_STREAM: Final = (InputError, VersioningMismatch, StreamGapError, StoredItemError)


class RefusedError(Exception):
    """An event cannot be stored, and so nothing that follows it in its stream can.

    Attributes:
        line: its line, 1-based.
    """

    __reduce__ = reduce_error

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


class Writer:
    """Appends the chunks of its streams, one after the other; each worker has its own.

    Args:
        storage: of any tenant; it is scoped for each chunk's.
        counts: where to count what was done.
        meter: the observer of the storage's backend; None if it has none.
        price: whether to price each commit, even if the engine reports its cost.
        sleep: waits so many seconds.
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
        self._storage = storage
        self._storages: dict[TenantId, StorageStrategy] = {}
        self._counts = counts
        self._meter = meter
        self._price = price
        self._sleep = sleep
        self._stored = StoredEvents()
        self._begun: set[StreamOf] = set()
        self._refused: set[StreamOf] = set()
        self._settled = 0  # events that are stored for sure, by this run or an earlier one

    def write(self, chunk: Chunk) -> None:
        """Store a chunk, or find it stored.

        Raises:
            RefusedError: it cannot be. The stream's later chunks are counted as skipped.
            EventStoreError: nothing can be stored at present.
        """
        if chunk.stream in self._refused:
            self._counts.add(skipped=len(chunk.events))
            return
        before = self._settled
        try:
            self._write(chunk)
        except (*_OF_ONE_STREAM, _Refusal) as error:
            self._refused.add(chunk.stream)
            stored = self._settled - before
            self._counts.add(refused_streams=1, skipped=len(chunk.events) - stored)
            raise RefusedError(chunk.lines[stored], str(error)) from error

    def _write(self, chunk: Chunk) -> None:
        rest: Chunk | None = chunk
        # Without a meter nothing tells what an append has written: look before.
        unknown = self._meter is None and chunk.stream not in self._begun
        if unknown or chunk.stream in self._stored:
            rest = self._pass_over(chunk)
        while rest is not None:
            try:
                self._append(rest)
            except ConcurrentStreamWriteError as conflict:
                behind = self._pass_over(rest)
                if behind is rest:
                    raise _Refusal(
                        f"is event {rest.first} of its stream, which is at version "
                        f"{conflict.actual}."
                    ) from conflict
                rest = behind
            except CommitTooLargeError:
                if len(rest.events) == 1:
                    raise
                middle = len(rest.events) // 2
                self._write(rest.part(0, middle))
                self._write(rest.part(middle))
                return
            else:
                return

    def _pass_over(self, chunk: Chunk) -> Chunk | None:
        """Return what of a chunk is not stored: all (the same object), its end, or None."""
        storage = self._storage_of(chunk)
        stored = self._retrying()(self._stored.ids, storage, chunk)
        same = _same(stored, chunk)
        self._settle(already_stored=same)
        if same < len(stored):
            raise _Refusal(
                f"is event {chunk.first + same} of its stream, where the store holds another "
                f"event ({stored[same]})."
            )
        if same == len(chunk.events):
            return None
        self._stored.forget(chunk.stream)  # its end is reached: from here on it is new
        self._begun.add(chunk.stream)
        return chunk.part(same) if same else chunk

    def _append(self, chunk: Chunk) -> None:
        retrying = self._retrying()
        expected = ExplicitVersioning(chunk.first - 1)
        storage = self._storage_of(chunk)
        retrying(storage.insert_events, chunk.stream_id, expected, chunk.events)
        if self._wrote(tries=retrying.statistics["attempt_number"]):
            self._begun.add(chunk.stream)
            self._settle(events=len(chunk.events))
            self._count_cost(chunk, expected)
        else:
            self._stored.add(chunk.stream)
            self._settle(already_stored=len(chunk.events))

    def _wrote(self, tries: int) -> bool:
        """Whether the last append wrote something, or found it written by an earlier run."""
        if self._meter is None or tries > 1:
            return True
        report = self._meter.last
        return (
            report.write_units is not None  # an answer to a write that was not refused
            or report.requests == 1  # one that needed no second look
            or report.attempts > report.requests  # found, but by an attempt whose reply was lost
        )

    def _count_cost(self, chunk: Chunk, expected: ExplicitVersioning) -> None:
        reported = self._meter is not None and self._meter.last.write_units is not None
        units = 0
        if self._price or not reported:
            cost = append_cost(
                chunk.stream_id,
                chunk.events,
                versioning=expected,
                tenant_id=chunk.stream.tenant_id,
            )
            units = cost.write_units
        self._counts.add(commits=1, priced_units=units, unreported_units=0 if reported else units)

    def _settle(self, *, events: int = 0, already_stored: int = 0) -> None:
        self._settled += events + already_stored
        self._counts.add(events=events, already_stored=already_stored)

    def _storage_of(self, chunk: Chunk) -> StorageStrategy:
        tenant_id = chunk.stream.tenant_id
        if tenant_id not in self._storages:
            self._storages[tenant_id] = self._storage.scoped_for_tenant(tenant_id)
        return self._storages[tenant_id]

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception(self._is_passing),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            sleep=self._sleep,
            reraise=True,
        )

    def _is_passing(self, error: BaseException) -> bool:
        # Where nothing has answered yet, the address is more likely wrong than the network slow.
        if isinstance(error, UnavailableError) and not self._settled:
            return False
        return isinstance(error, _PASSING)


class _Refusal(Exception):  # noqa: N818 - becomes a RefusedError once its line is known
    """What is wrong with an event, as the end of a sentence."""


def _same(stored: Sequence[UUID], chunk: Chunk) -> int:
    """Return how many events of a chunk, from its first on, are stored."""
    pairs = zip(stored, chunk.events, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1].uuid, pairs))
