"""Measures the cost of a boundary's appends and reads by its length, and a relational DCB's."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple
from uuid import uuid4

from benchmarks import relational_rival
from benchmarks.boundary_workload import ASKED, MATCHING, NAME, data_of, tags_of
from benchmarks.environments import NotRunError
from benchmarks.ours import ObserverMeter
from benchmarks.read_costs import READ_DOLLARS, WRITE_DOLLARS
from benchmarks.report import NOTHING, Goal, Section, Table
from dynamo_es import (
    Decision,
    DecisionModel,
    DynamoBackend,
    Event,
    Query,
    RawEvent,
    Snapshot,
    StoredVersion,
    Tag,
)
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend, boundary_stream
from dynamo_es.contracts.stream_keys import stream_key
from dynamo_es.dynamodb.streams.items import commit_item

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.engine import Engine
    from benchmarks.metering import Cost
    from benchmarks.relational_rival import Times
    from dynamo_es import StreamId

EVENTS_PER_COMMIT: Final = 10
SNAPSHOT_EVERY: Final = 100
_LONG: Final = 5_000
"""Number of events from which a read of the whole boundary is timed only once."""
_CREATED: Final = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
_ABOUT: Final = Query(tags=[Tag.of_text(ASKED)])
_INDEX_BATCH: Final = 20_000
_A_BATCH: Final = 25


class Row(NamedTuple):
    """The measurement of an operation at one length.

    Attributes:
        cost: its requests and units.
        ms: median CPU time of the client, in milliseconds.
    """

    cost: Cost
    ms: float

    @property
    def dollars(self) -> float:
        """The price of a million such operations."""
        return 1e6 * (self.cost.write_units * WRITE_DOLLARS + self.cost.read_units * READ_DOLLARS)

    def cells(self) -> list[str]:
        """Return the text of the row's cells."""
        return [str(self.cost), f"{self.ms:.1f}", f"{self.dollars:,.2f}"]


@dataclass(frozen=True, slots=True)
class AtLength:
    """The measurements at one length.

    Attributes:
        append: an append under a condition, by a process that has read the boundary.
        warm: a read by that process.
        cold: a read by a new process.
        indexed: a read by a new process, with the tag index.
        decided: a decision on all events by a new process.
        with_state: a decision on all events by a new process, from a saved state.
    """

    append: Row
    warm: Row
    cold: Row
    indexed: Row
    decided: Row
    with_state: Row


OPERATIONS: Final[Mapping[str, str]] = {
    "append": "append",
    "warm": "read, warm",
    "cold": "read, new process",
    "indexed": "read, new process, tag index",
    "decided": "decision on all events, new process",
    "with_state": "the same, from a saved state",
}


@dataclass(frozen=True, slots=True)
class Found:
    """The measurements.

    Attributes:
        ours: those of dynamo_es, by length of the boundary.
        rival: times of an append and of a read of the relational DCB, by length.
        remark: text about the relational DCB.
    """

    ours: Mapping[int, AtLength]
    rival: Mapping[int, tuple[Times, Times]]
    remark: str


class Enrolled(Event):
    """An event of the boundary."""

    __event_name__ = NAME

    course: Annotated[str, Tag("course")]
    student: Annotated[str, Tag("student")]
    by: str


class Count(Snapshot):
    """The state of `CountOf`."""

    __event_name__ = "benchmarks.count"

    number: int


class CountOf(DecisionModel):
    """Depends on all events, as the next invoice number does."""

    def __init__(self) -> None:
        self.query = Query(types=[Enrolled])
        self.number = 0

    def __apply__(self, event: Enrolled) -> None:
        """Count the event."""
        self.number += 1

    def __snapshot__(self) -> Count:
        """Return the count."""
        return Count(number=self.number)

    def __restore__(self, state: Count) -> None:
        """Set the count."""
        self.number = state.number


class Numbering(Decision):
    """Appends an event that depends on the number of all events."""

    def __init__(self, student: str) -> None:
        self.student = student
        self.count = self.use(CountOf())

    def decide(self) -> Enrolled:
        """Return the next event."""
        return Enrolled(course=str(self.count.number), student=self.student, by="the office")


class _Boundary:
    def __init__(self, engine: Engine) -> None:
        self.name = f"costs {uuid4()}"
        self.stream: StreamId = boundary_stream(self.name)
        self.meter = ObserverMeter()
        self.length = 0
        self._config = engine.config
        self._client: DynamoDBClient = engine.connect()
        self.writer = self.process()

    def process(self, *, tag_index: bool = False) -> DynamoBackend:
        """Return a backend that has read nothing, as in a new process."""
        config = replace(self._config, tag_index=tag_index)
        return DynamoBackend(config, self._client, self.meter.reports.append)

    def events(self, number: int) -> list[RawEvent]:
        """Return the next events of the workload."""
        numbers = range(self.length, self.length + number)
        return [
            RawEvent(uuid4(), self.stream, _CREATED, NAME, data_of(each), {"$tags": tags_of(each)})
            for each in numbers
        ]

    def append(self, number: int, query: Query | None = None, after: int | None = None) -> None:
        """Append the next events in one commit."""
        append = ConditionalAppend(self.events(number), query, after)
        [result] = self.writer.storage.insert_unless(self.stream, [append])
        if not isinstance(result, StoredVersion):
            raise result
        self.length += number

    def grow(self, length: int) -> None:
        """Append events up to a length; those that are read later get their own commits."""
        while self.length < min(length, MATCHING):
            self.append(1)
        if self.length < length:
            self._fill(length)

    def _fill(self, length: int) -> None:
        """Put the commits that appends would write, many per request; append the last one."""
        head = self.writer.storage.head(self.stream)
        if head is None:
            raise RuntimeError("The boundary has no events.")
        table = self._config.events_table
        while length - self.length > EVENTS_PER_COMMIT:
            puts: list[Any] = []
            while len(puts) < _A_BATCH and length - self.length > EVENTS_PER_COMMIT:
                item, _ = commit_item(
                    stream_key("#", self.stream),
                    self.stream.name,
                    self.events(EVENTS_PER_COMMIT),
                    version=self.length + 1,
                    generation=head.generation,
                    versionless=False,
                )
                puts.append({"PutRequest": {"Item": item}})
                self.length += EVENTS_PER_COMMIT
            self._client.batch_write_item(RequestItems={table: puts})
        self.writer = self.process()
        self.append(length - self.length)

    def timed(self, work: Callable[[], object], rounds: int) -> Row:
        """Return the cost of the last round, and the median CPU time."""
        times = []
        for _ in range(rounds):
            self.meter.take()
            began = time.thread_time()
            work()
            times.append((time.thread_time() - began) * 1000)
        return Row(self.meter.take(), median(times))


def measure(engine: Engine, lengths: Sequence[int], rounds: int, *, installs: bool) -> Found:
    """Measure at each length.

    Args:
        engine: engine that stores the boundary.
        lengths: numbers of events, in ascending order.
        rounds: number of rounds of each timed operation.
        installs: whether to install and run the relational DCB.
    """
    boundary = _Boundary(engine)
    ours = {}
    for length in lengths:
        boundary.grow(length)
        ours[length] = _at(boundary, length, rounds)
    if not installs:
        return Found(ours, {}, f"{relational_rival.NAME} is part of a full run only.")
    try:
        rival = relational_rival.run(lengths, rounds)
    except NotRunError as error:
        return Found(ours, {}, str(error))
    return Found(ours, rival, _ABOUT_RIVAL)


_ABOUT_RIVAL: Final = (
    "The relational DCB is that of the library `eventsourcing`, which supports PostgreSQL but "
    "not SQLite. The server is Debian's package with its defaults, on this machine, over a "
    "socket. It locks the table for each append and searches an index of tags for matching "
    "events, so its times do not depend on the length. Its times are elapsed times, including "
    "the server's; an append waits for the disk. The CPU times of dynamo_es do not include the "
    "request times of DynamoDB."
)


def _at(boundary: _Boundary, length: int, rounds: int) -> AtLength:
    few = 1 if length >= _LONG else rounds
    boundary.writer.boundary(boundary.name).index.run_once(_INDEX_BATCH)

    def read(backend: DynamoBackend) -> int:
        found = backend.storage.fetch_matching(boundary.stream, _ABOUT)
        if len(found.events) != MATCHING:
            raise RuntimeError(f"{len(found.events)} events instead of {MATCHING}")
        return found.head

    processes = [boundary.process() for _ in range(few)]
    waiting = iter(processes)
    cold = boundary.timed(lambda: read(next(waiting)), few)
    warm = boundary.timed(lambda: read(processes[-1]), few)
    indexed = boundary.timed(lambda: read(boundary.process(tag_index=True)), rounds)
    append = boundary.timed(lambda: boundary.append(1, _ABOUT, boundary.length), rounds)
    decided = boundary.timed(lambda: _decide(boundary, None), few)
    _decide(boundary, 1)  # saves a state at this length
    return AtLength(
        append, warm, cold, indexed, decided, boundary.timed(lambda: _with_state(boundary), rounds)
    )


def _decide(boundary: _Boundary, every: int | None) -> None:
    process = boundary.process()
    process.boundary(boundary.name, snapshot_every=every).decide(Numbering, "s1")
    boundary.length += 1


def _with_state(boundary: _Boundary) -> None:
    _decide(boundary, SNAPSHOT_EVERY)


def section(found: Found) -> Section:
    """Return the section on boundaries."""
    lengths = list(found.ours)
    rows = [
        [OPERATIONS[operation], f"{length:,}", *getattr(found.ours[length], operation).cells()]
        for operation in OPERATIONS
        for length in lengths
    ]
    headers = [
        "operation",
        "events",
        "requests · write units · read units",
        "ms of CPU",
        "$ a million",
    ]
    tables = [Table(headers, rows)]
    if found.rival:
        tables.append(_beside(found))
    how = (
        f"One boundary grows. Its first {MATCHING} events are about the course that is read, "
        "each in its own commit; the others are about a hundred other courses, in commits of "
        f"{EVENTS_PER_COMMIT}. Each event has two tags and is smaller than 300 bytes. An append "
        "of one event is refused if an unseen event is about the course. A read returns the "
        f"{MATCHING} events. A warm process has read the boundary, and remembers 8 MB of events; "
        "a new one has not. The tag index has all events but those of the last appends. A "
        "decision reads, decides and appends. Its model depends on every event, so the tag "
        f"index does not help, but a saved state does (`snapshot_every={SNAPSHOT_EVERY}`). "
        "Prices are the on-demand prices of us-east-1."
    )
    remarks = (
        "The first read of a new process without the index grows with the boundary, and so does "
        "that of a warm one whose boundary is larger than its memory. " + found.remark
    )
    return Section("The length of a boundary", how, tables, remarks, goals=_goals(found))


def _beside(found: Found) -> Table:
    rows = []
    for length, at in found.ours.items():
        times = found.rival.get(length)
        theirs = [NOTHING] * 2 if times is None else [str(each) for each in times]
        rows.append(
            [f"{length:,}", f"{at.append.ms:.1f}", theirs[0], f"{at.indexed.ms:.1f}", theirs[1]]
        )
    return Table(
        [
            "events",
            "append, ms of CPU",
            "PostgreSQL, ms (of CPU)",
            "read by the tag index, ms of CPU",
            "PostgreSQL, ms (of CPU)",
        ],
        rows,
    )


def _goals(found: Found) -> list[Goal]:
    at = found.ours
    remembered = [one.warm.cost for length, one in at.items() if length <= _REMEMBERED]
    return [
        Goal(
            "requests and write units of a boundary's append, at any length",
            max(max(one.append.cost.requests, one.append.cost.write_units) for one in at.values()),
            1,
            exact=True,
        ),
        Goal(
            "requests of a warm read of a boundary",
            max(cost.requests for cost in remembered),
            1,
            exact=True,
        ),
        Goal(
            "read units of a warm read of a boundary",
            max(cost.read_units for cost in remembered),
            1,
            exact=True,
        ),
        Goal(
            "read units of a new process with the tag index, at any length",
            max(one.indexed.cost.read_units for one in at.values()),
            _INDEXED_UNITS,
            exact=True,
        ),
        Goal(
            "requests of a decision on all events from a saved state, at any length",
            max(one.with_state.cost.requests for one in at.values()),
            3,
            exact=True,
        ),
    ]


_REMEMBERED: Final = 10_000
"""Number of events that a process remembers in any case."""
_INDEXED_UNITS: Final = 10
"""Read units: half a unit for each of ten commits, plus the checkpoint, two pages and the tail."""
