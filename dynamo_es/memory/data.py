"""The data that the storages, the log and the consumers of a backend in memory share."""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dynamo_es.contracts.moments import latest
from dynamo_es.contracts.streams import StreamCommit
from dynamo_es.forking import new_lock
from dynamo_es.memory.outbox import MemoryOutbox
from dynamo_es.memory.parked import ParkedData
from dynamo_es.values import RawEvent, TenantId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from threading import Lock

    from dynamo_es.contracts.consumers.claims import CheckpointState
    from dynamo_es.contracts.consumers.failures import ConsumerFailure
    from dynamo_es.contracts.consumers.leases import Lease
    from dynamo_es.contracts.consumers.live_versions import LiveVersion
    from dynamo_es.values import Position, StreamId

Identity: TypeAlias = tuple[TenantId, str | None, int]
"""Tenant, category and UUID of a stream. It is a tuple, because joined text could collide."""


@dataclass(slots=True)
class StoredStream:
    """One generation of a stream.

    Attributes:
        versioned: whether the events carry versions.
        generation: number of the generation.
        name: the stream's name; None if no append gave one.
        events: all events.
        snapshot: the newest snapshot; None without one.
        snapshot_version: version of the snapshot; 0 without one.
        begins: indexes of the first events of the commits, in order, 0-based.
        states: the saved states of a boundary, by key.
    """

    versioned: bool
    generation: int
    name: str | None = None
    events: list[RawEvent] = field(default_factory=list)
    snapshot: RawEvent | None = None
    snapshot_version: int = 0
    begins: list[int] = field(default_factory=list)
    states: dict[str, RawEvent] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The number of events."""
        return len(self.events)

    def select(self, start: int | None, stop: int | None) -> list[RawEvent]:
        """Return the events from ``start`` to ``stop``, both inclusive and 1-based.

        Args:
            start: first version; None: begin with the snapshot, if there is one.
            stop: last version; None: up to the end.
        """
        end = self.version if stop is None else stop - 1
        if start is None and self.snapshot is not None and self.snapshot_version <= end:
            return [self.snapshot, *self.events[self.snapshot_version : end]]
        first = 1 if start is None else start
        return self.events[first - 1 : end]

    def append(self, stream_id: StreamId, events: Sequence[RawEvent]) -> None:
        """Add a commit. The first commit that comes with a name sets the stream's name."""
        if self.name is None:
            self.name = stream_id.name
        self.begins.append(self.version)
        for event in events:
            version = self.version + 1 if self.versioned else None
            self.events.append(replace(event, version=version, generation=self.generation))

    def commit_at(self, version: int) -> StreamCommit | None:
        """Return the commit that holds a version; None if there is no such version."""
        if not 1 <= version <= self.version:
            return None
        number = bisect_right(self.begins, version - 1)
        first, last = self.begins[number - 1], [*self.begins, self.version][number]
        return StreamCommit(first + 1, last, latest(self.events[first:last]))


class LogEntry(NamedTuple):
    """One event of the log. Its position is its index plus 1.

    Attributes:
        identity: identity of the stream.
        stream: generation of the stream.
        place: index of the event in that generation, 0-based.
        outbox: whether the outbox publishes the event.
        first: whether it is the first event of its commit.
        put_at: when it got its position, in microseconds since the epoch.
    """

    identity: Identity
    stream: StoredStream
    place: int
    outbox: bool
    first: bool = True
    put_at: int = 0


@dataclass(slots=True)
class Cursor:
    """The place of a read model in a stream.

    Attributes:
        generation: generation of the stream that the cursor is in.
        version: version of the last applied event; 0 before the first one.
        lease: lease of the process that moves the cursor; None: no process has it.
        failure: the failure of the next event; None: it has not failed.
    """

    generation: int
    version: int = 0
    lease: Lease | None = None
    failure: ConsumerFailure | None = None


@dataclass(slots=True)
class Data:
    """All data of a backend. Use it only under the lock; outbox and parked streams have their own.

    Attributes:
        per_tenant: whether each tenant has a log of its own.
        logs: the logs, by tenant; the key None has the log of all tenants.
        generations: number of generations of streams so far.
        clock: returns seconds since the epoch.
    """

    lock: Lock = field(default_factory=new_lock)
    streams: dict[Identity, StoredStream] = field(default_factory=dict)
    per_tenant: bool = False
    logs: dict[TenantId | None, list[LogEntry]] = field(default_factory=dict)
    generations: int = 0
    clock: Callable[[], float] = time.time
    checkpoints: dict[tuple[TenantId | None, str], tuple[Position, datetime]] = field(
        default_factory=dict
    )
    failures: dict[tuple[TenantId | None, str], tuple[Position, ConsumerFailure]] = field(
        default_factory=dict
    )
    leases: dict[tuple[TenantId | None, str], CheckpointState] = field(default_factory=dict)
    cursors: dict[tuple[str, str], Cursor] = field(default_factory=dict)
    live: dict[tuple[TenantId | None, str], LiveVersion] = field(default_factory=dict)
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    parked: ParkedData = field(default_factory=ParkedData)

    def log_of(self, tenant_id: TenantId | None) -> list[LogEntry]:
        """Return the log that holds a tenant's events."""
        key = tenant_id if self.per_tenant else None
        return self.logs.setdefault(key, [])


def copy_event(event: RawEvent) -> RawEvent:
    """Return a copy of an event that does not share its payload."""
    return replace(event, data=_copy_json(event.data), context=_copy_json(event.context))


def _copy_json(value: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(value))
    return copy
