"""Parked streams in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TypeAlias

from dynamo_es.contracts.checks.arguments import check_tenant
from dynamo_es.contracts.consumers.leases import Lease, LeaseWatch
from dynamo_es.contracts.consumers.parked import ParkedStrategy, ParkedStream, SkippedEvent
from dynamo_es.contracts.stream_keys import consumer_key, stream_key, tenant_prefix
from dynamo_es.exceptions import CursorBusyError
from dynamo_es.forking import new_lock
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from threading import Lock

    from dynamo_es.contracts.consumers.parked import ParkedFailure, ParkedKey, Place
    from dynamo_es.values import TenantId

_Id: TypeAlias = tuple[str, str, str, str]
"""Key of the consumer (its tenant and name); order; key of the stream; name of the consumer."""


@dataclass(slots=True)
class _Entry:
    stream: ParkedStream
    lease: Lease | None = None


@dataclass(slots=True)
class ParkedData:
    """The entries of all consumers of a backend in memory.

    Attributes:
        lock: guards the entries.
        entries: the parked streams.
        skipped: the events that were left out.
        watch: remembers the leases of other workers.
    """

    lock: Lock = field(default_factory=new_lock)
    entries: dict[_Id, _Entry] = field(default_factory=dict)
    skipped: dict[tuple[_Id, Place], SkippedEvent] = field(default_factory=dict)
    watch: LeaseWatch = field(default_factory=LeaseWatch)


class MemoryParked(ParkedStrategy):
    """Parked streams of the consumers of a backend in memory.

    Args:
        data: data that the backend's parts share.
        tenant_id: tenant whose events the consumers handle; None: all tenants.
    """

    def __init__(self, data: ParkedData | None = None, tenant_id: TenantId | None = None) -> None:
        self._data = ParkedData() if data is None else data
        self._tenant_id = tenant_id

    def park(self, key: ParkedKey, failure: ParkedFailure) -> None:
        """Set a stream aside; see `ParkedStrategy.park`."""
        found = self._id(key)
        with self._data.lock:
            entry = ParkedStream(
                _without_name(key),
                failure.place,
                failure.place,
                failure.attempts,
                failure.reason,
                _time(failure.at_ms),
            )
            self._data.entries.setdefault(found, _Entry(entry))

    def pass_over(self, key: ParkedKey, first: Place, last: Place) -> bool:
        """Record events that the consumer passes over; see `ParkedStrategy.pass_over`."""
        found = self._id(key)
        with self._data.lock:
            entry = self._data.entries.get(found)
            if entry is None:
                return False
            if first < entry.stream.first:
                entry.lease = None  # the process that retries began after this event: end its lease
            entry.stream = replace(
                entry.stream,
                first=min(first, entry.stream.first),
                seen=max(last, entry.stream.seen),
            )
            return True

    def streams(self, name: str) -> list[ParkedStream]:
        """Return a consumer's parked streams; see `ParkedStrategy.streams`."""
        owner = consumer_key(name, self._tenant_id)
        with self._data.lock:
            entries = sorted(self._data.entries.items())
            return [entry.stream for (at, *_), entry in entries if at == owner]

    def all(self) -> list[ParkedStream]:
        """Return the parked streams of all consumers; see `ParkedStrategy.all`."""
        with self._data.lock:
            entries = sorted(self._data.entries.items(), key=lambda one: (one[0][3], one[0]))
            return [entry.stream for found, entry in entries if self._is_mine(found)]

    def take(self, key: ParkedKey, worker: str, now_ms: int, until_ms: int) -> ParkedStream | None:
        """Take the lease on an entry; see `ParkedStrategy.take`."""
        found = self._id(key)
        with self._data.lock:
            entry = self._data.entries.get(found)
            if entry is None:
                return None
            held = entry.lease
            if (
                held is not None
                and held.holder != worker
                and not self._data.watch.is_over(found, held, now_ms)
            ):
                raise CursorBusyError(key.name, key.stream_id)
            entry.lease = Lease(worker, until_ms, until_ms - now_ms)
            return entry.stream

    def advance(self, key: ParkedKey, worker: str, first: Place, until_ms: int) -> bool:
        """Move an entry's first event; see `ParkedStrategy.advance`."""
        with self._data.lock:
            entry = self._held(key, worker)
            if entry is None or entry.lease is None:
                return False
            entry.stream = replace(entry.stream, first=first)
            entry.lease = entry.lease._replace(until=until_ms)
            return True

    def fail(self, key: ParkedKey, worker: str, failure: ParkedFailure) -> bool:
        """Store that an event failed again; see `ParkedStrategy.fail`."""
        with self._data.lock:
            entry = self._held(key, worker)
            if entry is None:
                return False
            before = entry.stream.attempts if entry.stream.first == failure.place else 0
            entry.stream = replace(
                entry.stream,
                first=failure.place,
                attempts=before + failure.attempts,
                reason=failure.reason,
                failed_at=_time(failure.at_ms),
            )
            entry.lease = None
            return True

    def release(self, key: ParkedKey, worker: str, first: Place) -> bool:
        """Give the lease back; see `ParkedStrategy.release`."""
        with self._data.lock:
            entry = self._held(key, worker)
            if entry is None:
                return False
            entry.stream = replace(entry.stream, first=first)
            entry.lease = None
            return True

    def unpark(self, key: ParkedKey, worker: str, seen: Place) -> bool:
        """Take a stream off the list; see `ParkedStrategy.unpark`."""
        with self._data.lock:
            entry = self._held(key, worker)
            if self._id(key) not in self._data.entries:
                return True
            if entry is None or entry.stream.seen != seen:
                return False
            del self._data.entries[self._id(key)]
            return True

    def drop(self, key: ParkedKey) -> bool:
        """Drop an entry; see `ParkedStrategy.drop`."""
        found = self._id(key)
        with self._data.lock:
            return self._data.entries.pop(found, None) is not None

    def skip(self, key: ParkedKey, failure: ParkedFailure) -> None:
        """List an event that is left out; see `ParkedStrategy.skip`."""
        found = self._id(key)
        with self._data.lock:
            self._data.skipped[found, failure.place] = SkippedEvent(
                _without_name(key), failure.place, failure.reason, _time(failure.at_ms)
            )

    def skipped(self, name: str | None = None) -> list[SkippedEvent]:
        """Return the events left out; see `ParkedStrategy.skipped`."""
        with self._data.lock:
            found = sorted(
                ((at[3], at, place), event) for (at, place), event in self._data.skipped.items()
            )
        return [
            event
            for (owner, at, _), event in found
            if self._is_mine(at) and (name is None or owner == name)
        ]

    def forget_skipped(self, key: ParkedKey, place: Place) -> bool:
        """Take an event off the list; see `ParkedStrategy.forget_skipped`."""
        found = self._id(key)
        with self._data.lock:
            return self._data.skipped.pop((found, place), None) is not None

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a tenant's parked streams; see `ParkedStrategy.scoped_for_tenant`."""
        check_tenant(tenant_id)
        return type(self)(self._data, tenant_id)

    def _id(self, key: ParkedKey) -> _Id:
        owner = consumer_key(key.name, self._tenant_id)
        order = key.order if key.version is None else f"{key.order}.{key.version}"
        return owner, order, stream_key(tenant_prefix(key.tenant_id), key.stream_id), key.name

    def _is_mine(self, found: _Id) -> bool:
        return self._tenant_id is None or found[0] == consumer_key(found[3], self._tenant_id)

    def _held(self, key: ParkedKey, worker: str) -> _Entry | None:
        entry = self._data.entries.get(self._id(key))
        if entry is None or entry.lease is None or entry.lease.holder != worker:
            return None
        return entry


def _without_name(key: ParkedKey) -> ParkedKey:
    return key._replace(stream_id=StreamId(key.stream_id, category=key.stream_id.category))


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
