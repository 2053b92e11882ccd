"""Appends chunks so that doing it again, after whatever happened, adds nothing twice.

Event ids come from the input and the expected version is the place in the stream, so an append
is idempotent. A stream that was there before this run is read ahead and compared instead: that
is cheaper than appends that the store recognizes, and it does not matter how it was cut then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from dynamo_es.cli.importing.stored import StoredEvents
from dynamo_es.dynamodb.pricing import append_cost
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
    """A chunk cannot be stored, and so nothing that follows it in its stream can.

    Attributes:
        line: the first line that cannot be stored, 1-based.
        stored: how many events of the chunk are stored before it.
    """

    def __init__(self, line: int, reason: str, stored: int = 0) -> None:
        super().__init__(reason)
        self.line = line
        self.stored = stored


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
        sleep: Callable[[float], object] = time.sleep,
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

    def write(self, chunk: Chunk) -> None:
        """Store a chunk, or find it stored.

        Raises:
            RefusedError: it cannot be. The stream's later chunks are counted as skipped.
            EventStoreError: nothing can be stored at present.
        """
        before = self._settled()
        try:
            if chunk.stream not in self._refused:
                self._write(chunk)
                return
        except RefusedError as refused:
            self._refused.add(chunk.stream)
            self._counts.add(refused_streams=1)
            raise
        finally:
            if chunk.stream in self._refused:
                self._counts.add(skipped=len(chunk.events) - (self._settled() - before))

    def _settled(self) -> int:
        return self._own_events + self._own_already
