"""Remembers the latest events of boundaries, so that a read asks only for what is new.

What is remembered of a stream is a run of its events without gaps, of one generation. It is always
checked against the stream before it is used: a consistent read of the tail begins with the last
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
"""Most bytes of remembered events, as JSON, in all boundaries; objects take several times that."""

_CHUNK: Final = 200
"""Events that are forgotten together."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    events: tuple[RawEvent, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Replica:
    """A run of a stream's events.

    Attributes:
        generation: generation of the events.
        epoch: `RememberedHeads.epoch` when it was last checked: in a later one, the table may be
            another.
        after: version before the first of them.
        last: version of the last of them.
        chunks: the events, in order.
    """

    generation: int
    epoch: int
    after: int
    last: int
    chunks: tuple[_Chunk, ...] = ()

    def above(self, version: int) -> list[RawEvent]:
        """Return the events above a version that is not below ``after``."""
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
    def size(self) -> int:
        """Bytes of the events."""
        return sum(chunk.size for chunk in self.chunks)

    @property
    def newest(self) -> RawEvent | None:
        """The last event; None if there is none."""
        return self.chunks[-1].events[-1] if self.chunks else None

    def with_events(self, events: Sequence[RawEvent]) -> Replica:
        """Return the run with events more at its end."""
        chunks = [
            _Chunk(part := tuple(events[begin : begin + _CHUNK]), len(encode_events(part)))
            for begin in range(0, len(events), _CHUNK)
        ]
        return replace(self, last=self.last + len(events), chunks=(*self.chunks, *chunks))

    def without_oldest(self) -> Replica:
        """Return the run without its oldest events."""
        chunk, *rest = self.chunks
        return replace(self, after=self.after + len(chunk.events), chunks=tuple(rest))


class Replicas:
    """The replicas of a process; bounded, and safe to share between threads.

    Callers must not change the events: all reads share them.

    Args:
        most_bytes: most bytes of all events; the streams used least recently lose theirs first.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._lock = new_lock()
        self._all: OrderedDict[str, Replica] = OrderedDict()

    def get(self, key: str) -> Replica | None:
        """Return what is remembered of a stream; None: nothing."""
        with self._lock:
            replica = self._all.get(key)
            if replica is not None:
                self._all.move_to_end(key)
            return replica

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
            after: version before the first of them.
            events: the events, without gaps; nobody may change them.
            epoch: `RememberedHeads.epoch`.
            verified: whether the event at ``after`` was read again, and is the remembered one.
        """
        with self._lock:
            held = self._all.get(key)
            if held is not None and held.generation > generation:
                return
            if (
                held is None
                or held.generation < generation
                or not (held.after <= after <= held.last)
                or not (verified or held.epoch == epoch)
            ):
                held = Replica(generation, epoch, after, after)
            grown = replace(held, epoch=epoch)
            if after + len(events) > held.last:
                grown = grown.with_events(events[held.last - after :])
            self._all[key] = grown
            self._all.move_to_end(key)
            self._shrink()

    def forget(self, key: str) -> None:
        """Forget a stream that is gone."""
        with self._lock:
            self._all.pop(key, None)

    def clear(self) -> None:
        """Forget every stream."""
        with self._lock:
            self._all.clear()

    def _shrink(self) -> None:
        total = sum(replica.size for replica in self._all.values())
        while total > self._most and self._all:
            key, replica = next(iter(self._all.items()))
            if not replica.chunks:
                del self._all[key]
                continue
            total -= replica.chunks[0].size
            self._all[key] = replica.without_oldest()
