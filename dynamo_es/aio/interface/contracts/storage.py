"""`AsyncStorage`: scripts/async-interface writes it, from `StorageStrategy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over
from dynamo_es.contracts.storage import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence
    from typing import Any, Self

    from dynamo_es.contracts.all_or_none import EnlistedWrite
    from dynamo_es.contracts.appends import AppendCost, StreamAppend, StreamCheck
    from dynamo_es.contracts.boundaries.states import Part
    from dynamo_es.contracts.boundaries.strategy import BoundaryResult, ConditionalAppend, Matching
    from dynamo_es.contracts.storage import StorageStrategy
    from dynamo_es.contracts.streams import StreamCommit, StreamHead
    from dynamo_es.values import (
        Position,
        Query,
        RawEvent,
        StoredVersion,
        StreamId,
        TenantId,
        Versioning,
    )


class AsyncStorage(Over):
    """Stores and loads the raw events of one tenant; see `StorageStrategy`."""

    _sync: StorageStrategy

    def append_cost(
        self,
        stream_id: StreamId,
        versioning: Versioning,
        events: Sequence[RawEvent],
    ) -> AppendCost:
        """Return the price of `insert_events` with these arguments, without a request.

        In memory nothing is charged: the result counts the events, and its units are 0.

        Raises:
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            InvalidVersioningError: not one of the three ways to append.
            InvalidEventError: an event that cannot be stored.
            CommitTooLargeError: more than one append can carry; see `insert_events`.
        """
        return self._sync.append_cost(stream_id, versioning, events)

    async def commit_at(
        self,
        stream_id: StreamId,
        version: int,
        generation: int,
    ) -> StreamCommit | None:
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
        return await self._bridge.run(self._sync.commit_at, stream_id, version, generation)

    @property
    def current_position(self) -> Coroutine[Any, Any, Position | None]:
        """The last position in the log of all tenants; None while the log is empty.

        Raises:
            ServiceError: AWS refused the request or did not answer.
        """
        return self._bridge.run(lambda: self._sync.current_position)

    async def delete_stream(
        self,
        stream_id: StreamId,
    ) -> None:
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
        await self._bridge.run(self._sync.delete_stream, stream_id)

    async def fetch_events(
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
        return await self._bridge.run(
            self._sync.fetch_events, stream_id, start, stop, consistent=consistent
        )

    async def fetch_matching(
        self,
        stream_id: StreamId,
        query: Query,
        after: int | None = None,
    ) -> Matching:
        """Return the events of a stream that match a query, and the version up to which it looked.

        Args:
            stream_id: the stream; it has versions, or does not exist.
            query: which events; it names types by text.
            after: leave out the events up to this version. None: begin with the first event.

        Raises:
            BoundaryConflictError: the stream has not reached ``after``, or is in another
                generation: it was deleted since, or ``after`` is of another stream.
            ExpectedVersionUsedOnVersionlessStream: the stream has no versions.
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            StoredItemError: an item of the stream that this release cannot read.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 read of the events that this process has not seen; 1 request per MB.
        """
        return await self._bridge.run(self._sync.fetch_matching, stream_id, query, after)

    async def fetch_parts(
        self,
        stream_id: StreamId,
        parts: Sequence[Part],
    ) -> Matching:
        """Return the events that any of several parts wants, and the version up to which it looked.

        It does what `fetch_matching` does, in one read for all parts: their events and the head
        are of one moment.

        Args:
            stream_id: the stream; it has versions, or does not exist.
            parts: one part or more.

        Returns:
            Each event once, in the order of the versions.

        Raises:
            BoundaryConflictError: the stream has not reached the ``after`` of a part, or is in
                another generation: it was deleted since.
            InputError: not a list of one part or more, or a part with a wrong query or version.

        Other errors are those of `fetch_matching`.

        Cost on DynamoDB: that of `fetch_matching` for the lowest ``after``. With the tag index, a
        part whose alternatives all have tags does not count: only its events are read.
        """
        return await self._bridge.run(self._sync.fetch_parts, stream_id, parts)

    async def fetch_states(
        self,
        stream_id: StreamId,
        keys: Sequence[str],
    ) -> list[RawEvent | None]:
        """Return the state that was saved last under each key, if the backend still has it.

        A state may be old, and of an earlier generation of the boundary. So read what comes after
        with `fetch_parts` and the state's version and generation: it refuses a state of a
        boundary that was deleted since.

        Args:
            stream_id: the stream of a boundary.
            keys: the keys, texts of one character or more.

        Returns:
            For each key the state with its version and generation, or None.

        Raises:
            InvalidStreamIdError: not the stream of a boundary, or a key longer than DynamoDB takes.
            InputError: ``keys`` is not a list of texts.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request for the keys that this process has not asked for, and half a
        read unit per 4 KB of each; none after that.
        """
        return await self._bridge.run(self._sync.fetch_states, stream_id, keys)

    async def head(
        self,
        stream_id: StreamId,
    ) -> StreamHead | None:
        """Return where a stream ends, without its events; None if the stream does not exist.

        Raises:
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            StoredItemError: an item of the stream that this release cannot read.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 1 request; 1 read unit per 4 KB of the newest commit. After a
        deletion, 1 request more.
        """
        return await self._bridge.run(self._sync.head, stream_id)

    async def index_tags(
        self,
        stream_id: StreamId,
        most: int = 1000,
    ) -> int:
        """Bring the index of a boundary's tags forward; return by how many events.

        The index makes the first read of a process cheap, whatever the length of the boundary. What
        it lacks so far is read from the stream. Call it again until it returns 0. Any number of
        processes may do so.

        Args:
            stream_id: the stream of the boundary.
            most: how many events to index, about: 1 or more. The last commit is indexed whole.

        Returns:
            0 if the index has all events, if there are none, or if the backend needs no index.

        Raises:
            InputError: ``most`` is not an integer of 1 or more.
            InvalidStreamIdError: not a stream id.
            StoredItemError: an item that this release cannot read.
            ServiceError: AWS refused a request or did not answer. Call it again.

        Cost on DynamoDB: for each call 3 to 4 requests; for each different tag 1 request and 1 unit
        to read its newest page, and 1 request and 1 write unit per KB to write it.
        """
        return await self._bridge.run(self._sync.index_tags, stream_id, most)

    async def insert_all(
        self,
        appends: Sequence[StreamAppend],
        *,
        unchanged: Sequence[StreamCheck] = (),
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> list[StoredVersion]:
        """Append events to several streams: to all of them or to none.

        The streams in ``unchanged`` are checked at the moment of the write, and not written. So
        what you decided from the state of all these streams is stored only if none has changed.

        Args:
            appends: one for each stream, each with ``ExplicitVersioning`` and one event or more.
                The rules of `StorageStrategy.insert_events` apply to each.
            unchanged: streams that must be at a version and are not in ``appends``.
            transact_with: writes to your own tables, carried out in the same transaction.

        Streams, checks and writes are at most 100 together. No appends: no request; then
        ``unchanged`` and ``transact_with`` must be empty too.

        You can repeat the call: if all the events are already stored at exactly these versions, it
        succeeds and writes nothing, even if the streams in ``unchanged`` have changed since. That
        is why every append needs a version: `ANY_VERSION` would store the events twice.

        Returns:
            The new version of each stream, in the order given.

        Raises:
            AppendAllConflictError: streams are at another version, or in another generation. The
                error has a conflict for one of them or more, with the events that were faster.
                Nothing was written. One append without checks raises
                `ConcurrentStreamWriteError` itself, as `StorageStrategy.insert_events` does.
            ExpectedVersionUsedOnVersionlessStream: a stream has no versions.
            InvalidVersioningError: a stream without an explicit version.
            InvalidEventError: an event that cannot be stored, or a stream given twice.
            InputError: a stream that is in ``appends`` and in ``unchanged``, or checks alone.
            CommitTooLargeError: more than 4 MB or 100 items in all, after compression.
            AppendOutcomeUnknownError: the answer was lost; the events are stored in all
                streams or in none.
            EventStoreError: other errors of `StorageStrategy.insert_events`.

        Cost on DynamoDB: 1 request; twice the write units of the items, and 2 for each stream in
        ``unchanged``. 1 request and 1 read unit more for each stream whose version this process
        does not know. One append alone costs what `StorageStrategy.insert_events` does. A refusal
        costs a read for each stream whose state it does not show.
        """
        return await self._bridge.run(
            self._sync.insert_all, appends, unchanged=unchanged, transact_with=transact_with
        )

    async def insert_events(
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
        return await self._bridge.run(
            self._sync.insert_events, stream_id, versioning, events, transact_with=transact_with
        )

    async def insert_many(
        self,
        appends: Sequence[StreamAppend],
    ) -> list[StoredVersion | None]:
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
        return await self._bridge.run(self._sync.insert_many, appends)

    async def insert_unless(
        self,
        stream_id: StreamId,
        appends: Sequence[ConditionalAppend],
    ) -> list[BoundaryResult]:
        """Append to the end of a stream, each append unless an unseen event matches its query.

        Each append is accepted or refused on its own, in the order given: the query of an append is
        also matched with the events of accepted appends before it. All accepted appends become one
        commit, in one conditional put. A put that is refused because another writer was faster
        goes to the next version, once everything up to there has been matched.

        You can repeat an append with the same events (same UUIDs): if they are stored above
        ``after`` already, the call succeeds and writes nothing, whatever has been stored since.

        Args:
            stream_id: the stream; it has versions, or does not exist yet.
            appends: the appends, each with one event or more. No appends: no request.

        Returns:
            For each append the version of its last event, with the generation and whether it was
            stored already; or the error that it would have raised alone:
            `BoundaryConflictError` with the events that match, `AppendOutcomeUnknownError`,
            `CommitTooLargeError`, `InvalidEventError` if only some of its events are stored
            already, `ExpectedVersionUsedOnVersionlessStream`, `StoredItemError`, or a
            `ServiceError`; or what the outbox filter raised. An append with an error has stored
            nothing, except if its outcome is unknown.

        Raises:
            InvalidStreamIdError: not a stream id, or a key longer than DynamoDB takes.
            InvalidEventError: an event that cannot be stored.
            InputError: another wrong argument; nothing was written.

        Cost on DynamoDB: 1 request and 1 write unit per KB of the item, if this process knows the
        head and has seen the events after ``after``. Otherwise 1 read more. 1 read more, too, if
        events that it has seen refuse the append, or are its own. Each time that another writer
        was faster costs a refused put; the second time and every third one after it also cost a
        read.
        """
        return await self._bridge.run(self._sync.insert_unless, stream_id, appends)

    def iter_events(
        self,
        stream_id: StreamId,
        start: int | None = 1,
        stop: int | None = None,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        consistent: bool = True,
    ) -> AsyncGenerator[RawEvent]:
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
        return self._bridge.iterate(
            self._sync.iter_events(
                stream_id,
                start,
                stop,
                newest_first=newest_first,
                page_size=page_size,
                consistent=consistent,
            )
        )

    async def save_snapshot(
        self,
        snapshot: RawEvent,
    ) -> None:
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
        await self._bridge.run(self._sync.save_snapshot, snapshot)

    async def save_state(
        self,
        key: str,
        state: RawEvent,
    ) -> None:
        """Save a state under a key, with the version and generation that it was read at.

        An older state never replaces a newer one. The deletion of the boundary deletes its states.

        Args:
            key: text of one character or more.
            state: the state; its stream is that of the boundary.

        Raises:
            InvalidStreamIdError: not the stream of a boundary, or a key longer than DynamoDB takes.
            InvalidEventError: a state without version or generation, or whose payload is not JSON.
            InputError: the key is not text, or is empty.
            CommitTooLargeError: more than 400 KB, after compression.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request, and 1 write unit per KB of the state.
        """
        await self._bridge.run(self._sync.save_state, key, state)

    def scoped_for_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Return a storage for the streams of that tenant; this one does not change.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        return self._like(self._sync.scoped_for_tenant(tenant_id))
