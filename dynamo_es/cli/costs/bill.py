"""Computes the monthly cost of a store from DynamoDB's units and prices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from dynamo_es.dynamodb.log.pages import MAX_POINTERS
from dynamo_es.dynamodb.streams.appending.cost import append_cost
from dynamo_es.values import RawEvent, StreamId

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_A_MONTH: Final = 730 * 3600
"""AWS counts a month as 730 hours."""

# On-demand prices in us-east-1 since November 2024, in dollars. Other regions cost up to twice as
# much.
PER_MILLION_WRITES: Final = 0.625
PER_MILLION_READS: Final = 0.125
PER_GIGABYTE: Final = 0.25
PER_GIGABYTE_OF_RECOVERY: Final = 0.20

_PAGE_BYTES: Final = 100
_POINTER_BYTES: Final = 30
"""Bytes of a page's compressed list for each commit, measured on real events."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a store.

    Attributes:
        events: events appended per second.
        size: bytes of an event's JSON.
        events_per_commit: events per append.
        compression: bytes stored per byte of JSON; 1 without compression.
        loads: streams loaded per second.
        commits_per_load: commits read per load, after the snapshot.
        window: how many seconds the sequencer gathers commits.
        stream_projections: number of read models fed by the events table's stream.
        log_projections: number of read models and subscribers fed by the log.
        published: share of events that the outbox publishes, 0 to 1.
        months: how many months events are kept, for the price of the storage.
        consistent_loads: whether the loads are consistent; False costs half.
    """

    events: float
    size: int
    events_per_commit: int = 1
    compression: float = 1.0
    loads: float = 0.0
    commits_per_load: int = 10
    window: float = 1.0
    stream_projections: int = 0
    log_projections: int = 0
    published: float = 0.0
    months: int = 12
    consistent_loads: bool = True

    @property
    def commits(self) -> float:
        """The number of appends per second."""
        return self.events / self.events_per_commit

    @property
    def commit_bytes(self) -> int:
        """The size of a commit's item in bytes."""
        first, more = _overhead()
        own = self.events_per_commit * (more + self.size)
        return ceil(first + own * self.compression)


class Line(NamedTuple):
    """One line of the monthly bill.

    Attributes:
        name: what is billed.
        writes: number of write units.
        reads: number of read units.
        gigabytes: gigabytes stored at the end.
    """

    name: str
    writes: float = 0.0
    reads: float = 0.0
    gigabytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Prices:
    """On-demand prices, in dollars.

    Attributes:
        writes: price per million write units.
        reads: price per million read units.
        storage: price per gigabyte and month, including point-in-time recovery.
    """

    writes: float = PER_MILLION_WRITES
    reads: float = PER_MILLION_READS
    storage: float = PER_GIGABYTE + PER_GIGABYTE_OF_RECOVERY

    def of(self, line: Line) -> float:
        """Return a line's price in dollars."""
        return (
            line.writes / 1e6 * self.writes
            + line.reads / 1e6 * self.reads
            + line.gigabytes * self.storage
        )


def bill(load: Load) -> Iterator[Line]:
    """Yield the lines of a month's bill."""
    month = SECONDS_A_MONTH
    commits = load.commits * month
    kilobytes = ceil(load.commit_bytes / 1024)
    yield Line("appends", writes=commits * kilobytes)
    if load.loads:
        size = load.commits_per_load * load.commit_bytes
        units = 2 * _half(max(size, 1)) if load.consistent_loads else _half(max(size, 1))
        yield Line("loads", reads=load.loads * month * units)
    batch = min(float(MAX_POINTERS), max(1.0, load.commits * load.window))
    page_bytes = _PAGE_BYTES + _POINTER_BYTES * batch
    batches = commits / batch
    # Markers: at worst, every commit belongs to a different stream.
    yield Line(
        "log",
        writes=batches * ceil(page_bytes / 1024) + commits,
        reads=batches * (batch + 1),
    )
    if load.stream_projections:
        # At worst, a lease is taken and released for each commit.
        yield Line("projections of streams", writes=load.stream_projections * 2 * commits)
    log_reads = batches * _half(page_bytes) + commits * _half(load.commit_bytes)
    if load.log_projections:
        checkpoints = max(batches, load.events * month / 100)
        yield Line(
            "projections of the log",
            writes=load.log_projections * checkpoints,
            reads=load.log_projections * log_reads,
        )
    if load.published:
        sent = load.published * load.events * month
        yield Line("outbox", writes=sent + batches * 2, reads=log_reads * load.published)
    bytes_a_month = commits * load.commit_bytes + batches * page_bytes
    yield Line("storage", gigabytes=load.months * bytes_a_month / 1e9)


def textbook(load: Load) -> Line:
    """Return the appends of the usual layout: an item per event, plus one, in a transaction."""
    first, more = _overhead()
    each = ceil((first + more + load.size) / 1024)
    return Line(
        "appends, an item per event",
        writes=load.commits * SECONDS_A_MONTH * 2 * (load.events_per_commit * each + 1),
    )


def _half(size: float) -> float:
    """Return the read units of an eventually consistent read of this many bytes."""
    return 0.5 * ceil(size / 4096)


@cache
def _overhead() -> tuple[int, int]:
    """Return the bytes that a commit adds to its events, and an event to its payload."""
    stream = StreamId(UUID(int=1), category="category")
    made = datetime(2026, 1, 1, microsecond=1, tzinfo=UTC)
    event = RawEvent(UUID(int=2), stream, made, "category.happened", {}, {})
    one = append_cost(stream, [event]).size
    two = append_cost(stream, [event, replace(event, uuid=UUID(int=3))]).size
    # The payload {} takes two bytes.
    return 2 * one - two, two - one - 2
