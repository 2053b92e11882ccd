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
        """Return the cost of `insert_events` with these arguments, without a request.

        In memory, nothing is charged: the result has the number of events, and 0 units.

        Raises:
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            InvalidVersioningError: ``versioning`` is not one of the three ways to append.
            InvalidEventError: an event cannot be stored.
            CommitTooLargeError: the events are more than one append can carry; see `insert_events`.
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
            version: version in the stream, 1-based; in streams without versions, the place of the
                event, 1-based.
            generation: generation of the stream, from `head`. A stream that was deleted since has
                no versions of that generation.

        Raises the errors of `head`.

        Cost on DynamoDB: 1 request, 1 read unit per 4 KB of the commit; 1 or 2 requests more where
        deletions have left fences.
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
        return await self._bridge.run(
            self._sync.fetch_events, stream_id, start, stop, consistent=consistent
        )

    async def fetch_matching(
        self,
        stream_id: StreamId,
        query: Query,
        after: int | None = None,
    ) -> Matching:
        """Return the events of a stream that match a query, and the version of the stream.

        Args:
            stream_id: the stream; it has versions, or does not exist.
            query: selects the events. Its types are names, not classes.
            after: leave out the events up to this version. None: begin with the first event.

        Raises:
            BoundaryConflictError: the stream has not reached ``after``, or is in another
                generation: it was deleted since, or ``after`` comes from another stream.
            ExpectedVersionUsedOnVersionlessStream: the stream has no versions.
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            StoredItemError: this release cannot read an item of the stream.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 read of the events that this process has not seen; 1 request per MB.
        """
        return await self._bridge.run(self._sync.fetch_matching, stream_id, query, after)

    async def fetch_parts(
        self,
        stream_id: StreamId,
        parts: Sequence[Part],
    ) -> Matching:
        """Return the events that belong to any of several parts, and the version of the stream.

        It does what `fetch_matching` does, but in one read for all parts. So their events and the
        head are from the same moment.

        Args:
            stream_id: the stream; it has versions, or does not exist.
            parts: one part or more.

        Returns:
            Each event once, in the order of the versions.

        Raises:
            BoundaryConflictError: the stream has not reached the ``after`` of a part, or is in
                another generation: it was deleted since.
            InputError: ``parts`` is not a list of one part or more, or a part has a wrong query or
                version.

        Other errors are those of `fetch_matching`.

        Cost on DynamoDB: that of `fetch_matching` for the lowest ``after``. With the tag index, a
        part whose alternatives all have tags costs only the reads of its own events.
        """
        return await self._bridge.run(self._sync.fetch_parts, stream_id, parts)

    async def fetch_states(
        self,
        stream_id: StreamId,
        keys: Sequence[str],
    ) -> list[RawEvent | None]:
        """Return the newest state that was saved under each key, if the backend still has it.

        A state may be old, or from an earlier generation of the boundary. So pass its version and
        generation to `fetch_parts`, to read the events after it: that call refuses a state of a
        boundary that was deleted since.

        Args:
            stream_id: the stream of a boundary.
            keys: the keys, texts of one character or more.

        Returns:
            For each key the state with its version and generation, or None.

        Raises:
            InvalidStreamIdError: it is not the stream of a boundary, or a key is too long.
            InputError: ``keys`` is not a list of texts.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request for the keys that this process has not read before, and half a
        read unit per 4 KB of each; nothing after that.
        """
        return await self._bridge.run(self._sync.fetch_states, stream_id, keys)

    async def head(
        self,
        stream_id: StreamId,
    ) -> StreamHead | None:
        """Return the length and the generation of a stream; None if the stream does not exist.

        Raises:
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            StoredItemError: this release cannot read an item of the stream.
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
        """Add events of a boundary to its tag index; return how many were added.

        The index makes the first read of a process cheap, however long the boundary is. Events that
        are not yet in the index are read from the stream. Call this method until it returns 0. Any
        number of processes may do so.

        Args:
            stream_id: the stream of the boundary.
            most: about how many events to index, 1 or more. The last commit is indexed whole, so
                there may be some more.

        Returns:
            0 if the index has all events, the boundary has none, or the backend needs no index.

        Raises:
            InputError: ``most`` is not an integer of 1 or more.
            InvalidStreamIdError: it is not a stream id.
            StoredItemError: this release cannot read an item.
            ServiceError: AWS refused a request or did not answer. Call it again.

        Cost on DynamoDB: 3 to 4 requests for each call. For each different tag, 1 request and 1
        read unit to read its newest page, and 1 request and 1 write unit per KB to write it.
        """
        return await self._bridge.run(self._sync.index_tags, stream_id, most)

    async def insert_all(
        self,
        appends: Sequence[StreamAppend],
        *,
        unchanged: Sequence[StreamCheck] = (),
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> list[StoredVersion]:
        """Append events to several streams: to all or to none.

        The streams in ``unchanged`` are only checked, in the same transaction. So a decision that
        you based on the state of all these streams is stored only if none has changed.

        Args:
            appends: one for each stream, each with ``ExplicitVersioning`` and one event or more.
                The rules of `StorageStrategy.insert_events` apply to each.
            unchanged: streams that must be at a given version; none of them may be in ``appends``.
            transact_with: writes to your own tables, carried out in the same transaction.

        Streams, checks and writes together are at most 100. Without appends, no request is sent,
        and ``unchanged`` and ``transact_with`` must be empty too.

        You can repeat the call: if all the events are already stored at exactly these versions, it
        succeeds and writes nothing, even if the streams in ``unchanged`` have changed since. That
        is why every append needs a version: `ANY_VERSION` would store the events twice.

        Returns:
            The new version of each stream, in the order given.

        Raises:
            AppendAllConflictError: one or more streams are at another version, or in another
                generation. The error has the conflict of at least one of them, with the events of
                the faster writer. Nothing was written. One append without checks raises
                `ConcurrentStreamWriteError` instead, as `StorageStrategy.insert_events` does.
            ExpectedVersionUsedOnVersionlessStream: a stream has no versions.
            InvalidVersioningError: an append or a check has no explicit version.
            InvalidEventError: an event cannot be stored, or a stream is in ``appends`` twice.
            InputError: a stream is in ``unchanged`` twice, or in ``appends`` too, or there are
                checks or writes but no appends.
            CommitTooLargeError: the events take more than 4 MB or 100 items in all, after
                compression.
            AppendOutcomeUnknownError: the answer was lost; the events are stored in all
                streams or in none.
            EventStoreError: other errors of `StorageStrategy.insert_events`.

        Cost on DynamoDB: 1 request; twice the write units of the items, and 2 write units for each
        stream in ``unchanged``. 1 request and 1 read unit more for each stream whose version this
        process does not know. One append alone costs what `StorageStrategy.insert_events` does. A
        refusal costs a read for each stream whose state is not in DynamoDB's reply.
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
        return await self._bridge.run(
            self._sync.insert_events, stream_id, versioning, events, transact_with=transact_with
        )

    async def insert_many(
        self,
        appends: Sequence[StreamAppend],
    ) -> list[StoredVersion | None]:
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
        return await self._bridge.run(self._sync.insert_many, appends)

    async def insert_unless(
        self,
        stream_id: StreamId,
        appends: Sequence[ConditionalAppend],
    ) -> list[BoundaryResult]:
        """Carry out appends to the end of a stream, each unless its query matches an unseen event.

        Each append is accepted or refused on its own, in the order given. The query of an append is
        also matched with the events of accepted appends before it. All accepted appends become one
        commit, in one conditional put. If another writer is faster, the put is tried again at the
        next version, after the queries have been matched with the new events.

        You can repeat an append with the same events (same UUIDs): if they are stored above
        ``after`` already, the call succeeds and writes nothing, whatever has been stored since.

        Args:
            stream_id: the stream; it has versions, or does not exist yet.
            appends: the appends, each with one event or more. No appends: no request.

        Returns:
            For each append the version of its last event, with the generation and whether it was
            stored already; or its error: `BoundaryConflictError` with the events that match,
            `AppendOutcomeUnknownError`, `CommitTooLargeError`, `InvalidEventError` if only some of
            its events are stored already, `ExpectedVersionUsedOnVersionlessStream`,
            `StoredItemError`, or a `ServiceError`; or the error that the outbox filter raised. An
            append with an error has stored nothing, unless its outcome is unknown.

        Raises:
            InvalidStreamIdError: it is not a stream id, or its key is longer than DynamoDB takes.
            InvalidEventError: an event cannot be stored.
            InputError: another argument is wrong; nothing was written.

        Cost on DynamoDB: 1 request and 1 write unit per KB of the item, if this process knows the
        head and has seen the events after ``after``; else 1 read more. 1 read more, too, if the
        append is refused because of events that this process has seen, or was stored already. Each
        faster writer costs a refused put. The second refused put and every third one after it also
        cost a read.
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
        for the end of the stream, and 1 if ``start`` is above 1. While you work on a page, a task
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
        await self._bridge.run(self._sync.save_snapshot, snapshot)

    async def save_state(
        self,
        key: str,
        state: RawEvent,
    ) -> None:
        """Save a state under a key, with its version and generation.

        An older state never replaces a newer one. The deletion of the boundary deletes its states.

        Args:
            key: text of one character or more.
            state: the state; its stream is that of the boundary.

        Raises:
            InvalidStreamIdError: it is not the stream of a boundary, or a key is too long.
            InvalidEventError: the state has no version or no generation, or its payload is not
                JSON.
            InputError: the key is not text, or is empty.
            CommitTooLargeError: the state takes more than 400 KB, after compression.
            ServiceError: AWS refused the request or did not answer.

        Cost on DynamoDB: 1 request, and 1 write unit per KB of the state.
        """
        await self._bridge.run(self._sync.save_state, key, state)

    def scoped_for_tenant(
        self,
        tenant_id: TenantId,
    ) -> Self:
        """Return a storage for the streams of one tenant; this one does not change.

        Args:
            tenant_id: any text.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        return self._like(self._sync.scoped_for_tenant(tenant_id))
