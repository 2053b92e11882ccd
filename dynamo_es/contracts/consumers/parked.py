"""The contract of parked streams: those that a consumer set aside after an event failed.

A parked stream is listed with the first event that was not applied and the last one that the
consumer passed over. Its events stay in the event store, so an entry stays small. A retry applies
the events between the two, in order, and takes the stream off the list. That is refused if
the consumer has passed over a later event meanwhile, so no event is forgotten.
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
"""What a consumer follows: ``"log"`` with a checkpoint, or each ``"stream"`` with a cursor."""


class ParkedKey(NamedTuple):
    """A consumer and a stream that it may have parked.

    Attributes:
        name: name of the consumer.
        order: whether the consumer follows the log or single streams.
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
    """The place of an event among those of its stream that a consumer gets. Places are ordered.

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
        attempts: how often that first event failed.
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
    """An event that a consumer left out for good after it failed.

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


class SetAside(NamedTuple):
    """A failure to store, of an event that is set aside.

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
    name that cannot be part of a key, and `ServiceError` if AWS refused or did not answer. Then the
    change may be stored or not; repeating it is safe.

    Attributes:
        per_tenant: whether this object stands for the logs of all tenants. An entry is then kept
            with its stream's tenant; `scoped_for_tenant` returns those of one.
    """

    per_tenant: bool = False

    @abstractmethod
    def park(self, key: ParkedKey, failure: SetAside) -> None:
        """Set a stream aside from a failed event on. A stream that is parked stays as it is."""

    @abstractmethod
    def pass_over(self, key: ParkedKey, first: Place, last: Place) -> bool:
        """Note that the consumer passes over events of a parked stream.

        Args:
            key: the consumer and the stream.
            first: place of the first event to pass over. A place before the entry's own becomes the
                entry's, and a worker that retries the stream loses its lease: the consumer was set
                back.
            last: place of the last event to pass over.

        Returns:
            Whether the stream is parked. If not, nothing changed: apply the events.
        """

    @abstractmethod
    def streams(self, name: str) -> list[ParkedStream]:
        """Return the streams that a consumer has parked, in the order of their keys."""

    @abstractmethod
    def all(self) -> list[ParkedStream]:
        """Return the parked streams of all consumers, by the names of the consumers."""

    @abstractmethod
    def take(self, key: ParkedKey, worker: str, now_ms: int, until_ms: int) -> ParkedStream | None:
        """Take the lease on an entry, to retry its events; None: the stream is not parked.

        Raises:
            CursorBusyError: another worker retries the stream.
        """

    @abstractmethod
    def advance(self, key: ParkedKey, worker: str, first: Place, until_ms: int) -> bool:
        """Move an entry's first event and renew the lease; False: the lease is lost."""

    @abstractmethod
    def fail(self, key: ParkedKey, worker: str, failure: SetAside) -> bool:
        """Give the lease back: an event failed again. False: the lease is lost.

        The entry's attempts grow by those of the failure if its first event is the one that failed;
        otherwise they are those of the failure.
        """

    @abstractmethod
    def release(self, key: ParkedKey, worker: str, first: Place) -> bool:
        """Move an entry's first event and give the lease back; False: the lease is lost."""

    @abstractmethod
    def unpark(self, key: ParkedKey, worker: str, seen: Place) -> bool:
        """Take a stream off the list, if the consumer has passed over no event after a place.

        Args:
            key: the consumer and the stream.
            worker: the worker that holds the lease.
            seen: `ParkedStream.seen` of the entry whose events are all applied.

        Returns:
            Whether the stream is off the list. If not, nothing changed: later events wait, or the
            lease is lost.
        """

    @abstractmethod
    def drop(self, key: ParkedKey) -> bool:
        """Take a stream off the list, though its events are not applied; False: it is not on it."""

    @abstractmethod
    def skip(self, key: ParkedKey, failure: SetAside) -> None:
        """List an event that the consumer leaves out."""

    @abstractmethod
    def skipped(self, name: str | None = None) -> list[SkippedEvent]:
        """Return the events that a consumer left out, in order; None: those of all consumers."""

    @abstractmethod
    def forget_skipped(self, key: ParkedKey, place: Place) -> bool:
        """Take an event off the list of those left out; False: it is not on it."""

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return what one tenant's consumers have parked; this object does not change.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
