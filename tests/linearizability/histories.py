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

from dynamo_es import RawEvent, StreamId
from dynamo_es.exceptions import (
    AppendAllConflictError,
    AppendOutcomeUnknownError,
    ConcurrentStreamWriteError,
    ServiceError,
    SnapshotAheadOfStreamError,
    StreamGapError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_CREATED_AT: Final = datetime(2024, 2, 29, 12)  # noqa: DTZ001 - naive UTC is allowed
_SNAPSHOT: Final = "Snapshot"


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


Call: TypeAlias = Append | AppendAll | Load | Save | Delete


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
    last_look: tuple[float, float] | None = None
    moved: tuple[tuple[int, int | None], ...] = ()
    looks: tuple[tuple[int, tuple[float, float]], ...] = ()

    @property
    def is_pure(self) -> bool:
        """Whether it changes nothing, whenever it happens."""
        return self.outcome is Outcome.REFUSED or isinstance(self.call, Load)

    def told(self, returned: float, result: object) -> Operation:
        """Return the operation as its caller saw it end: with events, None or an error."""
        if isinstance(result, Exception):
            outcome = outcome_of(self.call, result)
            actual = result.actual if isinstance(result, ConcurrentStreamWriteError) else None
            error = f"{type(result).__name__}: {result}"
            moved = tuple((s.int, c.actual) for s, c in getattr(result, "conflicts", {}).items())
            ended = replace(self, returned=returned, outcome=outcome, error=error, actual=actual)
            return replace(ended, moved=moved)
        found = found_in(result) if isinstance(self.call, Load) else None  # type: ignore[arg-type]
        return replace(self, returned=returned, outcome=Outcome.OK, found=found)

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


def outcome_of(call: Call, error: Exception) -> Outcome:
    """Return what an error says of a call, by the documentation of `StorageStrategy`."""
    match call, error:
        case (Append(), ConcurrentStreamWriteError()) | (AppendAll(), AppendAllConflictError()):
            return Outcome.REFUSED
        case Append() | AppendAll(), AppendOutcomeUnknownError():
            return Outcome.UNKNOWN
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
