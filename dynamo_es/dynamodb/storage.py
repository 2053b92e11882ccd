"""`DynamoStorage`: streams on DynamoDB. It checks arguments and runs each operation's algorithm.

The first call that needs a rare algorithm, such as a deletion, imports it. So a process starts
faster and takes less memory.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from dynamo_es.contracts import StorageStrategy, StreamAppend, StreamHead
from dynamo_es.contracts.appends import versions_of
from dynamo_es.contracts.checks.arguments import (
    check_iteration,
    check_range,
    check_stream,
    check_tenant,
)
from dynamo_es.contracts.checks.events import check_all, check_append, check_many, check_snapshot
from dynamo_es.contracts.hooks import AppendedCommit
from dynamo_es.contracts.storage import PAGE_SIZE
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.after_append import Announcer
from dynamo_es.dynamodb.storage_of_boundaries import BoundaryAppends
from dynamo_es.dynamodb.streams.appending.append import Append
from dynamo_es.dynamodb.streams.appending.append_part import Check, PartAppend
from dynamo_es.dynamodb.streams.loading.load import load, newest_commit
from dynamo_es.dynamodb.streams.loading.past import commit_at
from dynamo_es.dynamodb.streams.snapshot import save_snapshot
from dynamo_es.dynamodb.streams.stream import Stream
from dynamo_es.exceptions import AppendsFailedError, InvalidEnlistedWriteError, TableNotFoundError
from dynamo_es.values import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dynamo_es.contracts import (
        AppendCost,
        AppendHooks,
        EnlistedWrite,
        StreamCheck,
        StreamCommit,
    )
    from dynamo_es.contracts.appends import AppendResult
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.streams.loading.pages import Part
    from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Steps, T
    from dynamo_es.values import Position, RawEvent, StoredVersion, StreamId, TenantId, Versioning


class DynamoStorage(BoundaryAppends, StorageStrategy):
    """Streams of one tenant on DynamoDB. `DynamoBackend` makes it. Safe to share between threads.

    Args:
        config: names of the tables.
        gateway: sends the requests.
        heads: the heads that this process remembers, for all tenants.
        clock: returns seconds since the epoch.
        tenant_id: tenant of the streams.
        announcer: announces appends; None: a new one for the configuration.
    """

    def __init__(
        self,
        config: DynamoConfig,
        gateway: Gateway,
        heads: RememberedHeads,
        clock: Callable[[], float],
        tenant_id: TenantId = DEFAULT_TENANT,
        *,
        announcer: Announcer | None = None,
    ) -> None:
        check_tenant(tenant_id)
        self._config, self._gateway = config, gateway
        self._heads, self._clock = heads, clock
        self._tenant_id = tenant_id
        self._prefix = tenant_prefix(tenant_id)
        self._announcer = Announcer.of(config, gateway, clock) if announcer is None else announcer

    @property
    def hooks(self) -> AppendHooks:
        """The outbox filter and the listener of appends. The storages of all tenants share them."""
        return self._announcer.hooks

    def forget(self) -> None:
        """Drop what this process remembers of all tenants, because the tables are empty now."""
        self._heads.clear()
        self._announcer.forget()

    def fetch_events(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        consistent: bool = True,
    ) -> list[RawEvent]:
        """Return events; see `StorageStrategy.fetch_events`."""
        check_range(start, stop)
        steps = load(self._stream(stream_id), start, stop, consistent=consistent)
        return self._run("load", stream_id, steps)

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
        """Yield events; see `StorageStrategy.iter_events`."""
        from dynamo_es.dynamodb.streams.loading.pages import Pages
        from dynamo_es.dynamodb.wire.parallel.ahead import reading_ahead

        check_iteration(start, stop, page_size, newest_first=newest_first)
        pages = Pages(
            self._stream(stream_id),
            start,
            stop,
            newest_first=newest_first,
            size=page_size,
            consistent=consistent,
        )

        def read() -> list[Part]:
            return self._run("load", stream_id, pages.next_page())

        parts = reading_ahead(read, lambda: pages.is_complete)
        return (event for part in parts for event in pages.events_of(part))

    def head(self, stream_id: StreamId) -> StreamHead | None:
        """Return a stream's generation and newest version; see `StorageStrategy.head`."""
        newest = self._run("head", stream_id, newest_commit(self._stream(stream_id)))
        if newest is None:
            return None
        return StreamHead(newest.last, newest.generation, versioned=not newest.versionless)

    def commit_at(self, stream_id: StreamId, version: int, generation: int) -> StreamCommit | None:
        """Return the commit that holds a version; see `StorageStrategy.commit_at`."""
        stream = self._stream(stream_id)
        return self._run("commit_at", stream_id, commit_at(stream, version, generation))

    def append_cost(
        self, stream_id: StreamId, versioning: Versioning, events: Sequence[RawEvent]
    ) -> AppendCost:
        """Return the price of an append; see `StorageStrategy.append_cost`."""
        from dynamo_es.dynamodb.streams.appending.cost import append_cost

        return append_cost(
            stream_id,
            events,
            versioning=versioning,
            tenant_id=self._tenant_id,
            compression=self._config.compression,
        )

    def insert_events(
        self,
        stream_id: StreamId,
        versioning: Versioning,
        events: Sequence[RawEvent],
        *,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> StoredVersion | None:
        """Append events; see `StorageStrategy.insert_events`."""
        check_append(stream_id, versioning, events)
        self._check_enlisted(transact_with)
        if not events:
            self._stream(stream_id)
            _refuse_alone(transact_with)
            return None
        return self.append([StreamAppend(stream_id, versioning, events)], transact_with)[0]

    def insert_all(
        self,
        appends: Sequence[StreamAppend],
        *,
        unchanged: Sequence[StreamCheck] = (),
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> list[StoredVersion]:
        """Append to several streams; see `StorageStrategy.insert_all`."""
        check_all(appends, unchanged)
        self._check_enlisted(transact_with)
        if not appends:
            _refuse_alone(transact_with)
            return []
        stored = self.append(appends, transact_with, unchanged)
        return [version for version in stored if version is not None]

    def insert_many(self, appends: Sequence[StreamAppend]) -> list[StoredVersion | None]:
        """Append to many streams, each on its own; see `StorageStrategy.insert_many`."""
        check_many(appends)
        self._config.refuse_in_replica("append")
        parts = [Append.of(self._stream(a.stream_id), a.versioning, a.events) for a in appends]
        wanted = [part for part in parts if part.events]
        if not wanted:
            return [None] * len(parts)
        found: Sequence[AppendResult]
        try:
            steps = _append_to_each([append for append in appends if append.events], wanted)
            found = self._gateway.run("append_many", self._tenant_id, None, steps)
        except AppendsFailedError as failed:
            found = failed.results
        if any(isinstance(result, TableNotFoundError) for result in found):
            self._heads.clear()
        stored = [p for p, r in zip(wanted, found, strict=True) if not isinstance(r, Exception)]
        self._announce(stored)
        following = iter(found)
        results = [next(following) if part.events else None for part in parts]
        return versions_of(appends, results)

    def append(
        self,
        appends: Sequence[StreamAppend],
        writes: Sequence[EnlistedWrite],
        unchanged: Sequence[StreamCheck] = (),
    ) -> list[StoredVersion | None]:
        """Append without checks to one stream or several. Writes may go to the store's tables.

        Adapters of this package use it, because they keep their own records in the log table.
        """
        self._config.refuse_in_replica("append")
        parts = [PartAppend.of(self._stream(a.stream_id), a.versioning, a.events) for a in appends]
        checks = [Check.that(self._stream(c.stream_id), c.versioning) for c in unchanged]
        first = parts[0]
        steps = _append_together(parts, checks, writes)
        if writes:
            from dynamo_es.dynamodb.streams.appending.enlisted_writes import naming_missing_table

            steps = naming_missing_table(steps, first.stream, writes)
        versions = self._run("append", first.stream.id, steps)
        self._announce(parts)
        return versions

    def _check_enlisted(self, writes: Sequence[EnlistedWrite]) -> None:
        if not isinstance(writes, tuple) or writes:
            from dynamo_es.dynamodb.streams.appending.enlisted_writes import check_enlisted

            check_enlisted(writes, self._config.tables)

    def _announce(self, stored: Sequence[Append]) -> None:
        """Announce appends whose events are stored."""
        for part in stored:
            if part.commits:
                last = part.commits[-1]
                self.hooks.last_commit = AppendedCommit(
                    part.stream.key, last.generation, last.version
                )
        if stored and self._announcer:
            self._announcer.announce(self._tenant_id, stored)

    def save_snapshot(self, snapshot: RawEvent) -> None:
        """Save a snapshot; see `StorageStrategy.save_snapshot`."""
        version = check_snapshot(snapshot)
        self._config.refuse_in_replica("save_snapshot")
        steps = save_snapshot(self._stream(snapshot.stream_id), snapshot, version)
        self._run("save_snapshot", snapshot.stream_id, steps)

    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete a stream; see `StorageStrategy.delete_stream`."""
        from dynamo_es.dynamodb.streams.delete import delete_stream

        self._config.refuse_in_replica("delete_stream")
        stream = self._stream(stream_id)
        self._run("delete", stream_id, delete_stream(stream))
        self._heads.doubt(stream.key)
        self._remove_index(stream)

    @property
    def current_position(self) -> Position | None:
        """Return the last assigned position; see `StorageStrategy.current_position`."""
        from dynamo_es.dynamodb.log.logs import Logs
        from dynamo_es.dynamodb.log.sequencer import last_position

        keys = Logs.of(self._config).of_tenant(self._tenant_id).keys
        return self._gateway.run("position", self._tenant_id, None, last_position(keys))

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a storage of that tenant; see `StorageStrategy.scoped_for_tenant`."""
        return type(self)(
            self._config,
            self._gateway,
            self._heads,
            self._clock,
            tenant_id,
            announcer=self._announcer,
        )

    def with_hooks(self, hooks: AppendHooks) -> Self:
        """Return a storage with other hooks, which shares everything else with this one."""
        return type(self)(
            self._config,
            self._gateway,
            self._heads,
            self._clock,
            self._tenant_id,
            announcer=replace(self._announcer, hooks=hooks),
        )

    def _run(self, operation: str, stream_id: StreamId, steps: Steps[T]) -> T:
        try:
            return self._gateway.run(operation, self._tenant_id, stream_id, steps)
        except TableNotFoundError:
            self._heads.clear()  # The next table with this name is another one.
            raise

    def _stream(self, stream_id: StreamId) -> Stream:
        check_stream(stream_id)
        return Stream(
            table=self._config.events_table,
            key=stream_key(self._prefix, stream_id),
            id=stream_id,
            heads=self._heads,
            clock=self._clock,
            outbox=self._announcer.hooks.outbox_filter,
            most_bytes=self._config.max_uncompressed_bytes,
            compression=self._config.compression,
            is_replica=self._config.replication == "replica",
        )


def _append_together(
    parts: Sequence[PartAppend], checks: Sequence[Check], writes: Sequence[EnlistedWrite]
) -> Steps[list[StoredVersion | None]]:
    if len(parts) == 1 and not checks:
        parts[0].enlisted = writes
        return [(yield from parts[0].run())]
    from dynamo_es.dynamodb.streams.appending.append_all import append_to_all

    return [*(yield from append_to_all(parts, checks, writes))]


def _append_to_each(
    appends: Sequence[StreamAppend], parts: Sequence[Append]
) -> Steps[list[StoredVersion | None]]:
    from dynamo_es.dynamodb.streams.appending.append_many import append_to_many

    return versions_of(appends, (yield from append_to_many(parts)))


def _refuse_alone(writes: Sequence[EnlistedWrite]) -> None:
    if writes:
        raise InvalidEnlistedWriteError(
            "transact_with needs events to append: without events, send the writes yourself."
        )
