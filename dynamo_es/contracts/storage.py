"""`StorageStrategy`: the contract that every backend keeps for streams of raw events."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.contracts.all_or_none import AllOrNone
from dynamo_es.contracts.appends import one_by_one, versions_of
from dynamo_es.contracts.boundaries.states import StateStrategy
from dynamo_es.contracts.checks.events import check_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynamo_es.contracts.all_or_none import EnlistedWrite
    from dynamo_es.contracts.appends import AppendCost, StreamAppend
    from dynamo_es.contracts.streams import StreamCommit, StreamHead
    from dynamo_es.values import (
        Position,
        RawEvent,
        StoredVersion,
        StreamId,
        TenantId,
        Versioning,
    )

PAGE_SIZE: Final = 500
"""Commits of a page of a long read, unless the caller says otherwise; a page has at most 1 MB."""


class StorageStrategy(AllOrNone, StateStrategy):
    """Stores and loads the raw events of one tenant's streams.

    Source: the interface of python-event-sourcery's backends, with the same names. This contract
    adds the rules that it leaves open.
    """

    @abstractmethod
    def fetch_events(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        consistent: bool = True,
    ) -> list[RawEvent]:
        """Return the events of a stream, in the order of their versions.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based: ``start=1`` returns the full history. With
                a start, you get events only, never a snapshot. None: the newest snapshot (if its
                version is below ``stop``) and the events after it, or all events if there is no
                snapshot.
            stop: version to stop before, exclusive. None: to the end.
            consistent: whether the result has every append that was answered before the call.
                False: other processes' appends of the last second may be missing, at half the
                read units. What this process appended is there if it remembers the stream.

        Returns:
            The events without gaps, each with its generation; ``[]`` for a stream that does not
            exist or an empty range. In streams without versions, ``start`` and ``stop`` count the
            events from 1, and each event has version None.

        Raises:
            InvalidRangeError: ``start`` or ``stop`` below 1 (also a ``ValueError``).
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            StreamGapError: an event is missing in the middle, on two reads.
            ReplicaLagError: an event has not arrived in this region, which holds replicas.
            StoredItemError: an item of the stream that this release cannot read.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request for a snapshot and what follows, or for up to 127 commits;
        1 or 2 more for a stream that this process has not seen, for a range in the middle, and for
        each MB. 1 read unit for each 4 KB; half of it if the read need not be consistent.
        """

    @abstractmethod
    def iter_events(
        self,
        stream_id: StreamId,
        start: int | None = 1,
        stop: int | None = None,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        consistent: bool = True,
    ) -> Iterator[RawEvent]:
        """Yield the events that `fetch_events` returns, one by one, however long the stream is.

        You get the stream as the first request finds it; it is sent when you ask for the first
        event. Later appends are left out. Close or drop the iterator at any time.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based. None: begin with the newest snapshot.
            stop: version to stop before, exclusive. None: to the end.
            newest_first: begin with the last event of the range; it needs a ``start``.
            page_size: commits to read at a time, 1 or more; a page has at most 1 MB.
            consistent: as for `fetch_events`.

        Raises:
            InvalidRangeError: a wrong range, or ``newest_first`` with ``start=None``; at the call.
            InputError: a page size that is not an integer of 1 or more; at the call.
            StreamGapError: the stream was deleted while you were reading it. You have got its
                events up to there, and never those of a later generation.

        Other errors are those of `fetch_events`, after the events of all earlier pages.

        Cost on DynamoDB: 1 request for a stream of up to 8 commits; else 1 request a page, 1 for
        the end of the stream, and 1 if ``start`` is above 1. While you work on a page, a thread
        reads the next one.
        """

    @abstractmethod
    def head(self, stream_id: StreamId) -> StreamHead | None:
        """Return where a stream ends, without its events; None if the stream does not exist.

        Raises:
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            StoredItemError: an item of the stream that this release cannot read.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request; 1 read unit per 4 KB of the newest commit. After a
        deletion, 1 request more.
        """

    def commit_at(self, stream_id: StreamId, version: int, generation: int) -> StreamCommit | None:
        """Return the commit that holds a version; None if the stream has no such version.

        Args:
            stream_id: the stream.
            version: 1-based; in streams without versions, the place of the event.
            generation: generation of the stream, as `head` returns it. After a deletion the
                stream has no version of it.

        Raises the errors of `head`.

        Cost on DynamoDB: 1 request, 1 read unit per 4 KB of the commit. 1 or 2 more where deletions
        have left fences.
        """
        raise NotImplementedError

    @abstractmethod
    def append_cost(
        self, stream_id: StreamId, versioning: Versioning, events: Sequence[RawEvent]
    ) -> AppendCost:
        """Return the price of `insert_events` with these arguments, without a request.

        In memory nothing is charged: the result counts the events, and its units are 0.

        Raises:
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            InvalidVersioningError: not one of the three ways to append.
            InvalidEventError: an event that cannot be stored.
            CommitTooLargeError: more than one append can carry; see `insert_events`.
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
            stream_id: the stream; each event must have the same ``stream_id``.
            versioning: ``ExplicitVersioning(n)``: the stream must be at version n, or not exist
                if n is 0; with a generation, the stream must be in that generation too.
                ``ANY_VERSION``: append after the last event. ``NO_VERSIONING``: the events get no
                versions.
            events: the events, in order. With an explicit version n, their versions must be
                n+1, n+2, … or None; otherwise None. No events: no request.
            transact_with: up to 99 writes to your own tables, in the same transaction as the
                events: all of them are written, or nothing is.

        You can repeat an append: if the same events (same UUIDs) are already stored at exactly
        these versions, the call succeeds and writes nothing. The first call has carried out the
        writes in ``transact_with``.

        Returns:
            The version of the last event, with its generation and whether the events were stored
            already; None in a stream without versions, or without events.

        Raises:
            ConcurrentStreamWriteError: the stream is not at version n, or in another generation.
                Nothing was written.
            ExpectedVersionUsedOnVersionlessStream: a version, on a stream without versions.
            NoExpectedVersionGivenOnVersionedStream: ``NO_VERSIONING``, on a stream with versions.
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            InvalidVersioningError: not one of the three ways to append.
            InvalidEventError: an event that cannot be stored.
            CommitTooLargeError: more than 4 MB or 100 items after compression, or more than
                `DynamoConfig.max_uncompressed_bytes` before.
            InvalidEnlistedWriteError: a write that an append cannot carry, or more than 99.
            EnlistedWriteRefusedError: the condition of an enlisted write was not met. Nothing
                was written.
            AppendOutcomeUnknownError: the answer was lost, so the events may be stored or not.
            StoredItemError: an item of the stream that this release cannot read.
            ServiceError: AWS refused the request or did not answer; nothing was written.

        Cost on DynamoDB: 1 request, and 1 write unit per KB of the item. 1 request and 1 read
        unit more if this process does not know the stream's version, or has had no reply from
        the table for ten seconds. With ``transact_with``, twice the units.
        """

    def insert_many(self, appends: Sequence[StreamAppend]) -> list[StoredVersion | None]:
        """Append events to many streams, each on its own: some may fail while others succeed.

        It does what `insert_events` does for one append after the other, in fewer requests. Appends
        to the same stream keep their order. Different streams are appended to in any order.

        Args:
            appends: the appends. The rules of `insert_events` hold for each. A wrong
                argument raises an error before anything is written.

        Returns:
            The result of `insert_events` for each append, in the order given.

        Raises:
            AppendsFailedError: an append failed. The error has the result of each; an append after
                a `ServiceError` may not have been tried, and then has the same error.
            InputError: an append that `insert_events` would refuse without a request.

        Cost on DynamoDB: 1 request for up to 25 appends, and 1 write unit per KB of each item. An
        append that finds an item in its place costs a refused write (its write units once more) and
        the requests of `insert_events`. 1 request and 1 read unit more for each existing stream
        whose version this process does not know.
        """
        check_many(appends)
        results = one_by_one(
            appends, lambda a: self.insert_events(a.stream_id, a.versioning, a.events)
        )
        return versions_of(appends, results)

    @abstractmethod
    def save_snapshot(self, snapshot: RawEvent) -> None:
        """Save the snapshot of a stream at ``snapshot.version``; a stream keeps the newest one.

        A snapshot older than the stored one is dropped without an error. So is a snapshot whose
        ``generation`` is set and is not the stream's.

        Raises:
            SnapshotAheadOfStreamError: the stream has not reached that version.
            ExpectedVersionUsedOnVersionlessStream: the stream has no versions.
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            InvalidEventError: a snapshot without a version, or whose payload is not JSON.
            CommitTooLargeError: more than 400 KB, after compression.
            StoredItemError: an item of the stream that this release cannot read.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request, and 1 write unit per KB of the item. 1 request and 1 read
        unit more if this process does not know that the stream has reached the version, or has
        had no reply from the table for ten seconds.
        """

    @abstractmethod
    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete the events and the snapshot of a stream.

        You can safely repeat the call; after a crash, do so to finish the deletion. You can create
        the stream again at once, from version 1. No late append or snapshot of the deleted
        generation gets into the new one.

        Raises:
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            StoredItemError: an item of the stream that this release cannot read.
            ServiceError: AWS refused the request or did not answer; call again to finish.

        Cost on DynamoDB: 1 read of the stream, 4 requests, and 1 more per 25 commits; the write
        units of every commit. For a boundary, 1 request more, or the deletion of its tag index.
        """

    @property
    @abstractmethod
    def current_position(self) -> Position | None:
        """The last position in the log of all tenants; None while the log is empty.

        Raises:
            ServiceError: AWS refused the request or did not answer.
        """

    @abstractmethod
    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage for the streams of that tenant; this one does not change.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
