"""`StorageStrategy`: the contract of every backend for streams of raw events."""

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
"""Default number of commits in a page of a long read; a page has at most 1 MB."""


class StorageStrategy(AllOrNone, StateStrategy):
    """Stores and loads the raw events of one tenant's streams.

    Source: the interface of python-event-sourcery's backends, with the same names. This contract
    adds rules where that interface leaves them open.
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
            stop: version to stop before, exclusive. None: read to the end.
            consistent: whether the result includes every append that succeeded before the call.
                False: the read costs half, but other processes' appends of the last second may be
                missing. Appends of this process are included if it remembers the stream.

        Returns:
            The events without gaps, each with its generation; ``[]`` for an empty range, or if the
            stream does not exist. In streams without versions, ``start`` and ``stop`` count the
            events from 1, and each event has the version None.

        Raises:
            InvalidRangeError: ``start`` or ``stop`` is below 1 (also a ``ValueError``).
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            StreamGapError: an event in the middle was missing in two reads.
            ReplicaLagError: an event has not arrived in this replica region yet.
            StoredItemError: this release cannot read an item of the stream.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request for a snapshot and the events after it, or for up to 127
        commits; 1 or 2 more for a stream that this process has not seen, for a range in the middle,
        and for each MB. 1 read unit for each 4 KB; half as much with ``consistent=False``.
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
        """Yield the events that `fetch_events` returns, one by one, from a stream of any length.

        The first request is sent when you ask for the first event. Appends after that request are
        left out. You can close or drop the iterator at any time.

        Args:
            stream_id: the stream.
            start: first version, inclusive, 1-based. None: begin with the newest snapshot.
            stop: version to stop before, exclusive. None: read to the end.
            newest_first: begin with the last event of the range; it needs a ``start``.
            page_size: commits to read at a time, 1 or more; a page has at most 1 MB.
            consistent: as for `fetch_events`.

        Raises:
            InvalidRangeError: the range is wrong, or ``newest_first`` comes with ``start=None``.
                Raised by the call itself.
            InputError: the page size is not an integer of 1 or more. Raised by the call itself.
            StreamGapError: the stream was deleted while you were reading it. You got its events up
                to there, and none of a later generation.

        Other errors are those of `fetch_events`. They are raised after you got the events of all
        earlier pages.

        Cost on DynamoDB: 1 request for a stream of up to 8 commits; else 1 request for each page, 1
        for the end of the stream, and 1 if ``start`` is above 1. While you work on a page, a thread
        reads the next one.
        """

    @abstractmethod
    def head(self, stream_id: StreamId) -> StreamHead | None:
        """Return the length and the generation of a stream; None if the stream does not exist.

        Raises:
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            StoredItemError: this release cannot read an item of the stream.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request; 1 read unit per 4 KB of the newest commit. After a
        deletion, 1 request more.
        """

    def commit_at(self, stream_id: StreamId, version: int, generation: int) -> StreamCommit | None:
        """Return the commit that holds a version; None if the stream has no such version.

        Args:
            stream_id: the stream.
            version: version in the stream, 1-based; in streams without versions, the place of the
                event, 1-based.
            generation: generation of the stream, from `head`. A stream that was deleted since has
                no versions of that generation.

        Raises the errors of `head`.

        Cost on DynamoDB: 1 request, 1 read unit per 4 KB of the commit; 1 or 2 requests more where
        deletions have left fences.
        """
        raise NotImplementedError

    @abstractmethod
    def append_cost(
        self, stream_id: StreamId, versioning: Versioning, events: Sequence[RawEvent]
    ) -> AppendCost:
        """Return the cost of `insert_events` with these arguments, without a request.

        In memory, nothing is charged: the result has the number of events, and 0 units.

        Raises:
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            InvalidVersioningError: ``versioning`` is not one of the three ways to append.
            InvalidEventError: an event cannot be stored.
            CommitTooLargeError: the events are more than one append can carry; see `insert_events`.
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
        """Append events to a stream: all or none.

        Args:
            stream_id: the stream; each event must have the same ``stream_id``.
            versioning: ``ExplicitVersioning(n)``: the stream must be at version n; 0: it must not
                exist. With a generation, the stream must be in that generation too.
                ``ANY_VERSION``: append after the last event. ``NO_VERSIONING``: the events get no
                versions.
            events: the events, in order. With an explicit version n, their versions must be n+1,
                n+2, … or None; otherwise they must be None. Without events, no request is sent.
            transact_with: up to 99 writes to your own tables, in the same transaction as the
                events: all of them are written, or nothing is.

        You can repeat an append: if the same events (same UUIDs) are already stored at exactly
        these versions, the call succeeds and writes nothing. The writes in ``transact_with`` were
        made by the first call.

        Returns:
            The version of the last event, with its generation and whether the events were stored
            already; None in a stream without versions, or without events.

        Raises:
            ConcurrentStreamWriteError: the stream is not at version n, or in another generation.
                Nothing was written.
            ExpectedVersionUsedOnVersionlessStream: you gave a version, but the stream has none.
            NoExpectedVersionGivenOnVersionedStream: you gave ``NO_VERSIONING``, but the stream has
                versions.
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            InvalidVersioningError: ``versioning`` is not one of the three ways to append.
            InvalidEventError: an event cannot be stored; see the message.
            CommitTooLargeError: the events take more than 4 MB or 100 items after compression, or
                more than `DynamoConfig.max_uncompressed_bytes` before.
            InvalidEnlistedWriteError: an append cannot carry one of the writes, or there are more
                than 99.
            EnlistedWriteRefusedError: the condition of an enlisted write was not met. Nothing
                was written.
            AppendOutcomeUnknownError: the answer was lost, so the events may be stored or not.
            StoredItemError: this release cannot read an item of the stream.
            ServiceError: AWS refused the request or did not answer; nothing was written.

        Cost on DynamoDB: 1 request, and 1 write unit per KB of the item. 1 request and 1 read
        unit more if this process does not know the stream's version, or has had no reply from
        the table for ten seconds. With ``transact_with``, twice the units.
        """

    def insert_many(self, appends: Sequence[StreamAppend]) -> list[StoredVersion | None]:
        """Append events to many streams, each on its own: some may fail while others succeed.

        The result is that of `insert_events` for each append, with fewer requests. Appends to the
        same stream keep their order. Different streams are written in any order.

        Args:
            appends: the appends. The rules of `insert_events` hold for each. A wrong argument
                raises an error before anything is written.

        Returns:
            The result of `insert_events` for each append, in the order given.

        Raises:
            AppendsFailedError: an append failed. The error has the result of each append. After a
                `ServiceError`, later appends may not have been tried; these have the same error.
            InputError: `insert_events` would refuse one of the appends without a request.

        Cost on DynamoDB: 1 request for up to 25 appends, and 1 write unit per KB of each item. An
        append whose version is taken costs a refused write (its write units once more) and the
        requests of `insert_events`. 1 request and 1 read unit more for each existing stream whose
        version this process does not know.
        """
        check_many(appends)
        results = one_by_one(
            appends, lambda a: self.insert_events(a.stream_id, a.versioning, a.events)
        )
        return versions_of(appends, results)

    @abstractmethod
    def save_snapshot(self, snapshot: RawEvent) -> None:
        """Save a snapshot of a stream at ``snapshot.version``. A stream keeps the newest snapshot.

        A snapshot that is older than the stored one is dropped without an error. So is a snapshot
        of another ``generation`` than the stream's, unless its ``generation`` is None.

        Raises:
            SnapshotAheadOfStreamError: the stream has not reached that version.
            ExpectedVersionUsedOnVersionlessStream: the stream has no versions.
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            InvalidEventError: the snapshot has no version, or its payload is not JSON.
            CommitTooLargeError: the snapshot takes more than 400 KB, after compression.
            StoredItemError: this release cannot read an item of the stream.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request, and 1 write unit per KB of the item. 1 request and 1 read
        unit more if this process does not know that the stream has reached the version, or has
        had no reply from the table for ten seconds.
        """

    @abstractmethod
    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete the events and the snapshot of a stream.

        You can safely repeat the call; after a crash, repeat it to finish the deletion. You can
        create the stream again at once, from version 1. A late append or snapshot of the deleted
        generation never gets into the new one.

        Raises:
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            StoredItemError: this release cannot read an item of the stream.
            ServiceError: AWS refused the request or did not answer; call again to finish.

        Cost on DynamoDB: 1 read of the stream, 4 requests, and 1 more per 25 commits; the write
        units of every commit. For a boundary, 1 request more, and those that delete its tag index
        if it has one.
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
        """Return a storage for the streams of one tenant; this one does not change.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
