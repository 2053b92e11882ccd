"""`ParkedStrategy`: lists the streams that consumers set aside after an event failed.

The entry of a parked stream names the first event that was not applied, and the last event that the
consumer passed over. The events stay in the event store, so an entry is small. A retry applies the
events from the first to the last, in order, and takes the stream off the list. It stays on the list
if the consumer has passed over a later event in the meantime, so that no event is forgotten.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Self, TypeAlias

from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from datetime import datetime

    from dynamo_es.values import StreamId, TenantId

Order: TypeAlias = Literal["log", "stream"]
"""The order in which a consumer gets events: that of the ``"log"``, or of each ``"stream"``."""


class ParkedKey(NamedTuple):
    """Identifies an entry: a consumer, and a stream that it may have parked.

    Attributes:
        name: name of the consumer.
        order: ``"log"`` for a consumer with a checkpoint, ``"stream"`` for one with cursors.
        stream_id: the stream.
        tenant_id: tenant of the stream.
        version: version of the projection; None: the consumer has no versions.
    """

    name: str
    order: Order
    stream_id: StreamId
    tenant_id: TenantId = DEFAULT_TENANT
    version: int | None = None


class Place(NamedTuple):
    """The place of an event in the order in which a consumer gets a stream's events; comparable.

    Attributes:
        generation: generation of the stream; 0 for a consumer of the log.
        number: version of the event; for a consumer of the log, its position.
    """

    generation: int
    number: int


@dataclass(frozen=True, slots=True)
class ParkedStream:
    """A stream that a consumer has set aside.

    Attributes:
        key: the consumer and the stream, without the stream's name.
        first: place of the first event that is not applied.
        seen: place of the last event that the consumer passed over.
        attempts: how often the event at ``first`` failed.
        reason: reason of the last failure, at most 500 characters, without values of the event.
        failed_at: time of the last failure, aware UTC.
    """

    key: ParkedKey
    first: Place
    seen: Place
    attempts: int
    reason: str
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class SkippedEvent:
    """An event that failed and that the consumer left out for good.

    Attributes:
        key: the consumer and the event's stream, without the stream's name.
        place: place of the event.
        reason: reason of the last failure, at most 500 characters, without values of the event.
        failed_at: time of the last failure, aware UTC.
    """

    key: ParkedKey
    place: Place
    reason: str
    failed_at: datetime


class ParkedFailure(NamedTuple):
    """The failure of an event, to store with the entry of its stream.

    Attributes:
        place: place of the event.
        attempts: how often it failed, 1 or more.
        reason: see `ParkedStream`.
        at_ms: time of the last failure, milliseconds since the epoch.
    """

    place: Place
    attempts: int
    reason: str
    at_ms: int


class ParkedStrategy(ABC):
    """Keeps the streams that consumers have parked. Safe to share between threads.

    A process that retries a stream holds a lease on its entry, so that one process at a time
    applies its events. All times are milliseconds since the epoch, by the caller's clock.
    ``LeaseWatch`` decides when a lease is over. Every method raises `InvalidConsumerError` for a
    name that cannot be part of a key, and `ServiceError` if AWS refused or did not answer. After a
    `ServiceError`, the change may be stored or not; you can safely repeat it.

    Attributes:
        per_tenant: whether this object stands for the logs of all tenants. Then each entry is kept
            with the tenant of its stream, and `scoped_for_tenant` returns the entries of one
            tenant.
    """

    per_tenant: bool = False

    @abstractmethod
    def park(self, key: ParkedKey, failure: ParkedFailure) -> None:
        """Park a stream from a failed event on. Does nothing if the stream is parked already."""

    @abstractmethod
    def pass_over(self, key: ParkedKey, first: Place, last: Place) -> bool:
        """Record that the consumer passes over events of a parked stream.

        Args:
            key: the consumer and the stream.
            first: place of the first event to pass over. If it is before `ParkedStream.first`, the
                consumer was set back: the entry then begins there, and a worker that retries the
                stream loses its lease.
            last: place of the last event to pass over.

        Returns:
            Whether the stream is parked. If not, nothing changed: apply the events.
        """

    @abstractmethod
    def streams(self, name: str) -> list[ParkedStream]:
        """Return the streams that a consumer has parked, sorted by their keys."""

    @abstractmethod
    def all(self) -> list[ParkedStream]:
        """Return the parked streams of all consumers, sorted by the consumers' names."""

    @abstractmethod
    def take(self, key: ParkedKey, worker: str, now_ms: int, until_ms: int) -> ParkedStream | None:
        """Take the lease of an entry, to retry its events; None if the stream is not parked.

        Raises:
            CursorBusyError: another worker retries the stream.
        """

    @abstractmethod
    def advance(self, key: ParkedKey, worker: str, first: Place, until_ms: int) -> bool:
        """Move `ParkedStream.first` and renew the lease; return False if the lease is lost."""

    @abstractmethod
    def fail(self, key: ParkedKey, worker: str, failure: ParkedFailure) -> bool:
        """Store that an event failed again, and give the lease back; return False if it is lost.

        If the entry's first event is the one that failed, the attempts of the failure are added to
        the entry's. Otherwise they replace them.
        """

    @abstractmethod
    def release(self, key: ParkedKey, worker: str, first: Place) -> bool:
        """Move `ParkedStream.first` and give the lease back; return False if the lease is lost."""

    @abstractmethod
    def unpark(self, key: ParkedKey, worker: str, seen: Place) -> bool:
        """Take a stream off the list, unless the consumer has passed over an event after ``seen``.

        Args:
            key: the consumer and the stream.
            worker: the worker that holds the lease.
            seen: `ParkedStream.seen` of the entry; all events up to there are applied.

        Returns:
            Whether the stream is off the list. If not, nothing changed: there are later events to
            apply, or the lease is lost.
        """

    @abstractmethod
    def drop(self, key: ParkedKey) -> bool:
        """Take a stream off the list without applying its events; False if it is not parked."""

    @abstractmethod
    def skip(self, key: ParkedKey, failure: ParkedFailure) -> None:
        """Add an event to the list of those that the consumer left out."""

    @abstractmethod
    def skipped(self, name: str | None = None) -> list[SkippedEvent]:
        """Return the events that a consumer, or with None every consumer, left out, in order."""

    @abstractmethod
    def forget_skipped(self, key: ParkedKey, place: Place) -> bool:
        """Take an event off the list of those left out; return False if it is not on the list."""

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return an object for one tenant's parked streams; this one does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
