"""Remembers the latest events of boundaries, so that a read asks only for new events.

For a stream it remembers a run of events without gaps, of one generation. The run is always checked
against the stream before it is used: either a consistent read of the tail begins with the last
event of the run, or an append is put at the version after it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.streams.items import encode_events
from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import RawEvent

MOST_BYTES: Final = 8 * 1024 * 1024
"""The most bytes of remembered events, as JSON, in all boundaries. As objects they take more."""

_CHUNK: Final = 200
"""The most events that are forgotten together."""

_CHUNK_BYTES: Final = 64 * 1024
"""A chunk of this many bytes takes no more events."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    events: tuple[RawEvent, ...]
    size: int

    @property
    def takes_more(self) -> bool:
        """Whether events can be added."""
        return len(self.events) < _CHUNK and self.size < _CHUNK_BYTES


_NOTHING: Final = _Chunk((), 0)


@dataclass(frozen=True, slots=True)
class RememberedRun:
    """A run of a stream's events.

    Attributes:
        generation: generation of the events.
        epoch: `RememberedHeads.epoch` when it was last checked. In a later epoch the table may be
            another.
        after: version before the first event (exclusive).
        last: version of the last event (inclusive).
        chunks: the events, in order.
        size: number of bytes of the events, as JSON.
    """

    generation: int
    epoch: int
    after: int
    last: int
    chunks: tuple[_Chunk, ...] = ()
    size: int = 0

    def above(self, version: int) -> list[RawEvent]:
        """Return the events after a version, which must be ``after`` or later."""
        found: list[RawEvent] = []
        for chunk in reversed(self.chunks):
            first = chunk.events[0].version or 0
            if first > version:
                found[:0] = chunk.events
            else:
                found[:0] = chunk.events[version - first + 1 :]
                break
        return found

    @property
    def newest(self) -> RawEvent | None:
        """The last event; None if there is none."""
        return self.chunks[-1].events[-1] if self.chunks else None

    def with_events(self, events: Sequence[RawEvent]) -> RememberedRun:
        """Return the run with more events at its end.

        A writer adds one event at a time. They fill the last chunk, so that there are few chunks.
        """
        chunks, begin, added = list(self.chunks), 0, 0
        while begin < len(events):
            filling = chunks.pop() if chunks and chunks[-1].takes_more else _NOTHING
            part = tuple(events[begin : begin + _CHUNK - len(filling.events)])
            size = len(encode_events(part))
            chunks.append(_Chunk(filling.events + part, filling.size + size))
            begin, added = begin + len(part), added + size
        return replace(
            self, last=self.last + len(events), chunks=tuple(chunks), size=self.size + added
        )

    def without_oldest(self) -> RememberedRun:
        """Return the run without its oldest events."""
        chunk, *rest = self.chunks
        return replace(
            self,
            after=self.after + len(chunk.events),
            chunks=tuple(rest),
            size=self.size - chunk.size,
        )


class RememberedRuns:
    """A bounded cache of the runs of a process. Safe to share between threads.

    Callers must not change the events, because all reads share them.

    Args:
        most_bytes: the most bytes of all events; the least recently used streams lose theirs first.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._lock = new_lock()
        self._all: OrderedDict[str, RememberedRun] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> RememberedRun | None:
        """Return the remembered events of a stream; None: nothing is remembered."""
        with self._lock:
            run = self._all.get(key)
            if run is not None:
                self._all.move_to_end(key)
            return run

    def take(
        self,
        key: str,
        generation: int,
        after: int,
        events: Sequence[RawEvent],
        epoch: int,
        *,
        verified: bool = False,
    ) -> None:
        """Remember events of a stream.

        Args:
            key: partition key of the stream.
            generation: generation of the events.
            after: version before the first event (exclusive).
            events: the events, without gaps; do not change them afterwards.
            epoch: the current `RememberedHeads.epoch`.
            verified: whether the event at ``after`` was read again and is the remembered one.
        """
        with self._lock:
            held = self._all.get(key)
            before = 0 if held is None else held.size
            if held is not None and held.generation > generation:
                return
            if (
                held is None
                or held.generation < generation
                or not (held.after <= after <= held.last)
                or not (verified or held.epoch == epoch)
            ):
                held = RememberedRun(generation, epoch, after, after)
            grown = replace(held, epoch=epoch)
            if after + len(events) > held.last:
                grown = grown.with_events(events[held.last - after :])
            self._all[key] = grown
            self._all.move_to_end(key)
            self._bytes += grown.size - before
            self._shrink()

    def forget(self, key: str) -> None:
        """Forget a stream that was deleted."""
        with self._lock:
            held = self._all.pop(key, None)
            if held is not None:
                self._bytes -= held.size

    def clear(self) -> None:
        """Forget every stream."""
        with self._lock:
            self._all.clear()
            self._bytes = 0

    def _shrink(self) -> None:
        while self._bytes > self._most and self._all:
            key, run = next(iter(self._all.items()))
            if not run.chunks:
                del self._all[key]
                continue
            self._bytes -= run.chunks[0].size
            self._all[key] = run.without_oldest()
