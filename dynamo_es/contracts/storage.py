"""The contract that every backend keeps: `StorageStrategy`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import (
        Position,
        RawEvent,
        StoredVersion,
        StreamId,
        TenantId,
        Versioning,
    )


EnlistedWrite: TypeAlias = dict[str, Any]
"""A write to a table of the caller's own: an entry of ``TransactItems`` as boto3's client takes it.

``{"Put": {"TableName": …, "Item": …}}``, or ``Update``, ``Delete``, ``ConditionCheck``.
"""


@dataclass(frozen=True, slots=True)
class StreamAppend:
    """What one stream gets in `StorageStrategy.insert_events_of_several`.

    Attributes:
        stream_id: the stream.
        versioning: the version that the stream must be at.
        events: one or more, in order.
    """

    stream_id: StreamId
    versioning: Versioning
    events: Sequence[RawEvent]


ANOTHER_GENERATION: Final = (
    "The stream was deleted (and maybe created again) since the caller last saw it: "
    "what the caller knows is of an earlier generation. "
    "Load the stream again, decide again, append again."
)
"""What the refusal of an append says that comes from a deleted generation."""


class StorageStrategy(ABC):
    """Streams of raw events for one tenant.

    Source: the interface of python-event-sourcery's backends, name for name; where that
    one is silent or its backends disagree, the rules stand here.
    """

    @abstractmethod
    def fetch_events(
        self, stream_id: StreamId, start: int | None = None, stop: int | None = None
    ) -> list[RawEvent]:
        """Return the events of a stream, in the order of their versions.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based. None: the newest snapshot (if its
                version is below ``stop``) and the events after it; without one, from the
                first event. An explicit start returns events only, never a snapshot:
                ``start=1`` replays the full history.
            stop: version to stop before, exclusive. None: to the end.

        Returns:
            The events, contiguous, each with the generation that it is of; ``[]`` for a
            stream that does not exist or an empty range. In streams without versions,
            ``start`` and ``stop`` count the events from 1, and each comes back with version None.

        Raises:
            InvalidRangeError: ``start`` or ``stop`` below 1 (a ``ValueError`` too).
            StreamGapError: an event is missing in the middle, on two reads.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request up to 32 commits, then 1 per MB; 1 read unit per 4 KB.
        """

    @abstractmethod
    def insert_events(
        self,
        stream_id: StreamId,
        versioning: Versioning,
        events: Sequence[RawEvent],
        *,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> StoredVersion | None:
        """Append events to a stream: all of them or none.

        Args:
            stream_id: the stream; each event's ``stream_id`` must be the same.
            versioning: ``ExplicitVersioning(n)``: the stream's version must be exactly n,
                0 for a stream that must not exist; with a generation, it must be the live
                one. ``ANY_VERSION``: append at the head, whatever it is. ``NO_VERSIONING``:
                the stream has no versions.
            events: in order. Their versions, where set, must be n+1, n+2, …; without an
                explicit version they must not be set. No events: no request.
            transact_with: up to 99 writes to the caller's own tables, carried out in the same
                transaction as the events: all of it or nothing.

        Appending again events that are already stored at exactly these versions (same
        UUIDs) is a success that writes nothing; what went along with them did so the first time.

        Returns:
            The version of the last one of these events, which knows its generation and whether
            the events were stored already; None in a stream without versions, and if there were
            no events.

        Raises:
            ConcurrentStreamWriteError: the version is not n, or not of that generation.
                Nothing was written.
            ExpectedVersionUsedOnVersionlessStream: versions on a stream without them.
            NoExpectedVersionGivenOnVersionedStream: the reverse.
            InvalidEventError: events that cannot be stored as they are.
            CommitTooLargeError: past 4 MB or 100 items, after compression.
            InvalidEnlistedWriteError: a write that cannot go along, or more than 99.
            EnlistedWriteRefusedError: one of their conditions was not met. Nothing was written.
            AppendOutcomeUnknownError: stored or not: the answer was lost.
            ServiceError: AWS refused or did not answer; nothing was written.

        Cost on DynamoDB: 1 request and the item's KB in write units; 1 request and read
        unit more when this process does not know the stream's version, or had no reply of the
        table for ten seconds. With other writes, all of it costs twice the units.
        """

    @abstractmethod
    def insert_events_of_several(
        self,
        appends: Sequence[StreamAppend],
        *,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> list[StoredVersion]:
        """Append events to several streams: to all of them or to none.

        Args:
            appends: one for each stream, each with ``ExplicitVersioning`` and one event or more.
                The rules of `insert_events` hold for each. No appends: no request.
            transact_with: up to 99 writes to the caller's own tables, carried out in the same
                transaction; each takes the place of one stream.

        Appending again events that are stored, all of them, at exactly these versions is a
        success that writes nothing.

        Returns:
            The new version of each stream, in the order given.

        Raises:
            ConcurrentStreamWriteError: a stream is at another version; the error names it.
                Nothing was written.
            InvalidVersioningError: one without an explicit version.
            InvalidEventError: events that cannot be stored, or a stream given twice.
            CommitTooLargeError: past 4 MB or 100 items together, after compression.
            AppendOutcomeUnknownError: stored or not, all of them: the answer was lost.
            Otherwise what `insert_events` raises.

        Cost on DynamoDB: 1 request and twice the write units of the items; 1 request and read
        unit more for each stream that this process does not remember.
        """

    @abstractmethod
    def save_snapshot(self, snapshot: RawEvent) -> None:
        """Save the snapshot of a stream at ``snapshot.version``; one is kept per stream.

        An older snapshot never replaces a newer one: it is silently dropped. So is a snapshot
        of an earlier generation, if it says so: ``snapshot.generation``, where that is set.

        Raises:
            SnapshotAheadOfStreamError: the stream has not reached that version.
            ExpectedVersionUsedOnVersionlessStream: the stream has no versions.
            InvalidEventError: no version, or a payload that is not JSON.
            CommitTooLargeError: past 400 KB, after compression.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request and the item's KB in write units; 1 request and read
        unit more when this process does not know that the stream is that long, or had no reply
        of the table for ten seconds.
        """

    @abstractmethod
    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete the events and the snapshot of this tenant's stream.

        Idempotent, and resumable after a crash: call it again. The stream may be created
        again at once, from version 1; no late writer or snapshot of the earlier life gets
        into the new one.

        Raises:
            ServiceError: AWS refused or did not answer; call again to finish.

        Cost on DynamoDB: 1 read of the stream, 3 requests, and 1 more per commit.
        """

    @property
    @abstractmethod
    def current_position(self) -> Position | None:
        """The last position assigned in the log of all tenants; None when none was."""

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage of that tenant; this one stays as it is.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: not text.
        """
