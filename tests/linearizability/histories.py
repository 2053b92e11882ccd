"""Histories: the calls to a store, their times, and their results.

Labels such as ``b17a`` name events: worker b, its 17th call, the first event. A label is the
event's UUID in readable form, and each can be computed from the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from uuid import UUID

from dynamo_es import Query, RawEvent, StoredVersion, StreamId, Tag
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend, Matching
from dynamo_es.exceptions import (
    AppendAllConflictError,
    AppendOutcomeUnknownError,
    BoundaryConflictError,
    ConcurrentStreamWriteError,
    ServiceError,
    SnapshotAheadOfStreamError,
    StreamGapError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_CREATED_AT: Final = datetime(2024, 2, 29, 12)  # noqa: DTZ001 - naive UTC is allowed
_SNAPSHOT: Final = "Snapshot"
TYPES: Final = "ab"
"""Types of the events of boundaries; other characters stand for tags."""


@dataclass(frozen=True, slots=True)
class Append:
    """Append events at a version, or (None) at whatever the head is."""

    expected: int | None
    events: tuple[str, ...]

    def __str__(self) -> str:
        at = "the head" if self.expected is None else self.expected
        return f"append {' '.join(self.events)} at {at}"


@dataclass(frozen=True, slots=True)
class Load:
    """Fetch events; without a start, from the newest snapshot."""

    start: int | None = None
    stop: int | None = None

    def __str__(self) -> str:
        return f"load [{self.start or 'snapshot'}:{self.stop or ''}]"


@dataclass(frozen=True, slots=True)
class Save:
    """Save a snapshot of a version."""

    version: int
    label: str

    def __str__(self) -> str:
        return f"save snapshot {self.label} of {self.version}"


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the stream."""

    def __str__(self) -> str:
        return "delete"


@dataclass(frozen=True, slots=True)
class Unless:
    """Append events at the end, unless one above a version matches a query.

    Attributes:
        query: as `matches` reads it; None: no condition.
        after: version that the caller has seen; None: nothing.
        generation: of that version.
        events: labels, whose last two characters stand for type and tag.
    """

    query: str | None
    after: int | None
    generation: int
    events: tuple[str, ...]

    def __str__(self) -> str:
        condition = "" if self.query is None else f" unless {self.query} after {self.after}"
        return f"append {' '.join(self.events)}{condition}"


@dataclass(frozen=True, slots=True)
class Several:
    """Several conditional appends in one call; each becomes an operation of its own."""

    parts: tuple[Unless, ...]


@dataclass(frozen=True, slots=True)
class Find:
    """Find the events above a version that match a query."""

    query: str
    after: int | None = None
    generation: int = 0

    def __str__(self) -> str:
        return f"find {self.query} after {self.after or 0}"


@dataclass(frozen=True, slots=True)
class AppendAll:
    """Append to several streams, while others stay unchanged.

    Attributes:
        parts: what to append to which stream, by its number, each at a version.
        unchanged: number and version of the others.
    """

    parts: tuple[tuple[int, Append], ...]
    unchanged: tuple[tuple[int, int], ...] = ()

    @property
    def expected(self) -> dict[int, int]:
        """The version that each stream must have, by its number."""
        written = {stream: append.expected or 0 for stream, append in self.parts}
        return written | dict(self.unchanged)

    def __str__(self) -> str:
        written = ", ".join(f"{append} of {stream}" for stream, append in self.parts)
        still = ", ".join(f"{stream} at {version}" for stream, version in self.unchanged)
        return f"{written}{' if ' if still else ''}{still}"


Call: TypeAlias = Append | AppendAll | Load | Save | Delete | Unless | Several | Find


class Outcome(StrEnum):
    """What the caller was told."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """It may have happened, may happen yet, or never."""
    FAILED = "failed"
    """It has not happened and will not; of a read: it tells nothing."""
    UNDOCUMENTED = "undocumented error"


class Found(NamedTuple):
    """What a load returned.

    Attributes:
        snapshot: version and label; None without one.
        events: labels.
        versions: their versions.
    """

    snapshot: tuple[int, str] | None
    events: tuple[str, ...]
    versions: tuple[int | None, ...]

    def __str__(self) -> str:
        parts = [] if self.snapshot is None else ["snapshot {1} of {0}".format(*self.snapshot)]
        parts += [f"{label}@{at}" for label, at in zip(self.events, self.versions, strict=True)]
        return ", ".join(parts) or "nothing"


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of one process on one stream, and what came of it.

    Attributes:
        process: which one; it remembers heads of its own.
        stream: number of the stream.
        call: what was asked.
        invoked: when, on a clock that all processes share.
        returned: when the caller was told; infinite if it never was.
        outcome: what it was told.
        found: what a successful load returned.
        error: name and text of the error.
        actual: version of the stream by a refusal.
        head: version and generation of the stream by the answer, if it has them.
        moved: of a refusal of an append to several streams: number and version of each.
        looks: the `last_look` at each stream, by its number, of an append to several.
        last_look: begin and end of the operation that what the process remembers of the stream
            may date from; None: it remembers nothing.
    """

    process: str
    stream: int
    call: Call
    invoked: float
    returned: float = inf
    outcome: Outcome = Outcome.UNKNOWN
    found: Found | None = None
    error: str = ""
    actual: int | None = None
    head: tuple[int, int] | None = None
    last_look: tuple[float, float] | None = None
    moved: tuple[tuple[int, int | None], ...] = ()
    looks: tuple[tuple[int, tuple[float, float]], ...] = ()

    @property
    def is_pure(self) -> bool:
        """Whether it changes nothing, whenever it happens."""
        return self.outcome is Outcome.REFUSED or isinstance(self.call, Load | Find)

    def told(self, returned: float, result: object) -> Operation:
        """Return the operation as its caller saw it end: with events, None or an error."""
        if isinstance(result, Exception):
            outcome = outcome_of(self.call, result)
            actual = result.actual if isinstance(result, ConcurrentStreamWriteError) else None
            error = f"{type(result).__name__}: {result}"
            moved = tuple((s.int, c.actual) for s, c in getattr(result, "conflicts", {}).items())
            told = replace(self, returned=returned, outcome=outcome, error=error, actual=actual)
            told = replace(told, moved=moved)
            if isinstance(result, BoundaryConflictError):
                head = int(result.head), result.head.generation
                return replace(told, head=head, found=found_in(result.matching))
            return told
        told = replace(self, returned=returned, outcome=Outcome.OK)
        if isinstance(result, Matching):
            head = int(result.head), result.head.generation
            return replace(told, head=head, found=found_in(result.events))
        if isinstance(result, StoredVersion):
            return replace(told, head=(int(result), result.generation))
        is_load = isinstance(self.call, Load) and isinstance(result, list)
        return replace(told, found=found_in(result) if is_load else None)  # type: ignore[arg-type]

    def each_told(self, returned: float, result: object) -> list[Operation]:
        """Return the operations of a call, one for each part of `Several`, as `told` does."""
        if not isinstance(self.call, Several):
            return [self.told(returned, result)]
        parts = self.call.parts
        results = result if isinstance(result, list) else [result] * len(parts)
        return [
            replace(self, call=part).told(returned, one)
            for part, one in zip(parts, results, strict=True)
        ]

    def between(self, invoked: float, returned: float) -> Operation:
        """Return the operation with other times."""
        return replace(self, invoked=invoked, returned=returned)

    def __str__(self) -> str:
        end = "never" if self.returned == inf else f"{self.returned:.0f}"
        what = str(self.outcome)
        if self.found is not None:
            what = str(self.found)
        elif self.error:
            what += f" ({self.error.partition(':')[0]}"
            what += ")" if self.actual is None else f", at {self.actual})"
        return f"{self.invoked:6.0f} to {end:>6}  {self.process:>5}  {self.call!s:38} {what}"


def outcome_of(call: Call, error: Exception) -> Outcome:  # noqa: PLR0911 - one a case
    """Return what an error says of a call, by the documentation of `StorageStrategy`."""
    match call, error:
        case (Append(), ConcurrentStreamWriteError()) | (AppendAll(), AppendAllConflictError()):
            return Outcome.REFUSED
        case Unless() | Find(), BoundaryConflictError():
            return Outcome.REFUSED
        case Append() | AppendAll() | Unless(), AppendOutcomeUnknownError():
            return Outcome.UNKNOWN
        case Unless() | Find(), ServiceError():
            return Outcome.FAILED
        case (Append() | AppendAll(), ServiceError()) | (Load(), ServiceError() | StreamGapError()):
            return Outcome.FAILED
        case Save(), SnapshotAheadOfStreamError():
            return Outcome.REFUSED
        case Save() | Delete(), ServiceError():
            return Outcome.UNKNOWN
    return Outcome.UNDOCUMENTED


def with_memory(operations: Sequence[Operation]) -> list[Operation]:
    """Return a history in the order of invocation, each operation with its `last_look`.

    A process remembers a head from its last load, append or refusal of the stream. Others may
    refresh it too, but need not.
    """
    looks: dict[tuple[str, int], tuple[float, float]] = {}
    told: list[Operation] = []
    for operation in sorted(operations, key=lambda one: one.invoked):
        place = operation.process, operation.stream
        told.append(replace(operation, last_look=looks.get(place)))
        certain = operation.outcome in (Outcome.OK, Outcome.REFUSED)
        if (certain and not isinstance(operation.call, Save)) or place not in looks:
            looks[place] = operation.invoked, operation.returned
    return told


def stream_id(number: int) -> StreamId:
    """Return the id of a history's stream."""
    return StreamId(UUID(int=number), category="history")


def event(stream: int, label: str, version: int | None = None) -> RawEvent:
    """Return the event with a label."""
    uuid = UUID(bytes=label.encode().ljust(16))
    return RawEvent(uuid, stream_id(stream), _CREATED_AT, "Happened", {}, {}, version)


def matches(query: str, label: str) -> bool:
    """Whether a query matches the event with a label.

    A query is ``*``, or alternatives such as ``ax|y``: type a and tag x, or tag y.
    """
    return query == "*" or any(set(each) <= set(label[-2:]) for each in query.split("|"))


def query_of(text: str) -> Query:
    """Return a query as the store takes it."""
    if text == "*":
        return Query.everything()
    items = [
        item
        for each in text.split("|")
        for item in Query(
            types=[one for one in each if one in TYPES],
            tags=[Tag("t", one) for one in each if one not in TYPES],
        ).items
    ]
    return Query.of_items(items)


def seen_to(call: Unless | Find) -> int | None:
    """Return the version that a call has seen, as the store takes it."""
    return None if call.after is None else StoredVersion(call.after, call.generation)


def conditional(stream: int, call: Unless) -> ConditionalAppend:
    """Return a conditional append as the store takes it."""
    events = [
        replace(event(stream, label), name=label[-2], context={"$tags": [f"t:{label[-1]}"]})
        for label in call.events
    ]
    query = None if call.query is None else query_of(call.query)
    return ConditionalAppend(events, query, seen_to(call))


def snapshot(stream: int, call: Save) -> RawEvent:
    """Return the snapshot that a call saves."""
    return replace(event(stream, call.label, call.version), name=_SNAPSHOT)


def found_in(events: Sequence[RawEvent]) -> Found:
    """Return the result of a load in labels."""
    labels = [one.uuid.bytes.decode().strip() for one in events]
    versions = [one.version for one in events]
    if events and events[0].name == _SNAPSHOT and versions[0] is not None:
        return Found((versions[0], labels[0]), tuple(labels[1:]), tuple(versions[1:]))
    return Found(None, tuple(labels), tuple(versions))
