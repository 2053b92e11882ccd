"""`DynamoLog`: the log of all streams on DynamoDB, as consumers see it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dynamo_es.contracts import EVERYTHING, LogReader, LogStrategy, Selection, StreamInLog
from dynamo_es.contracts.checks.arguments import (
    check_kind,
    check_position,
    check_tenant,
    microseconds_of,
)
from dynamo_es.contracts.log import one_position
from dynamo_es.dynamodb.log.arrivals import Arrivals
from dynamo_es.dynamodb.log.listing import all_categories, all_streams
from dynamo_es.dynamodb.log.minutes import position_at
from dynamo_es.dynamodb.log.reader import DynamoLogReader
from dynamo_es.dynamodb.log.sequencer import last_position
from dynamo_es.dynamodb.log.unsequenced import look
from dynamo_es.dynamodb.wire.encoding.compression import MAX_TEXT_BYTES
from dynamo_es.exceptions import (
    EventStoreError,
    InvalidSubscriptionError,
    ReplicaLagError,
    StoredItemError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from dynamo_es.contracts import AppendHooks
    from dynamo_es.contracts.log import Start
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import T
    from dynamo_es.values import Position, TenantId

_log = logging.getLogger("dynamo_es")


class DynamoLog(LogStrategy):
    """A log on DynamoDB, of all tenants or of one. Safe to share between threads.

    Args:
        tables: the log, and the table of the commits.
        gateway: sends the requests.
        hooks: hooks of the storages, which know what this process appended; None: it appends
            nothing.
        clock: returns seconds since the epoch.
        most_bytes: the most bytes of the events of a commit, uncompressed.
        replica: whether items may arrive later than others, in any order; see
            `DynamoConfig.replication`.
    """

    def __init__(
        self,
        tables: Tables,
        gateway: Gateway,
        hooks: AppendHooks | None = None,
        clock: Callable[[], float] = time.time,
        *,
        most_bytes: int = MAX_TEXT_BYTES,
        replica: bool = False,
    ) -> None:
        self._tables = tables
        self._gateway = gateway
        self._hooks = hooks
        self._clock = clock
        self._most_bytes = most_bytes
        self._arrivals = Arrivals(clock) if replica else None
        self._warned = False

    @property
    def last_position(self) -> Position | None:
        """Return the last assigned position; see `LogStrategy.last_position`."""
        steps = last_position(self._tables.keys)
        return self._gateway.run("position", self._tables.tenant_id, None, steps)

    def reader(self, after: Start, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of the events after a position; see `LogStrategy.reader`.

        Cost: 1 request, or none for position 0.
        """
        check_kind("selection", selection, Selection, InvalidSubscriptionError)
        position = one_position(after)
        check_position(position)
        reader = DynamoLogReader(
            self._tables,
            self._gateway,
            position,
            selection,
            self._most_bytes,
            arrivals=self._arrivals,
        )
        self._gateway.run("read_log", self._tables.tenant_id, None, reader.begin())
        return reader

    def position_at(self, moment: datetime) -> Position:
        """Return the last position that was assigned before a time; see `LogStrategy.position_at`.

        Cost: 3 requests at once, and 1 for each halving of the pages between two minutes: 2 to 10
        in most logs, at most 40.
        """
        steps = position_at(self._tables.keys, microseconds_of("moment", moment))
        try:
            return self._gateway.run("position_at", self._tables.tenant_id, None, steps)
        except StoredItemError as error:
            if self._arrivals is None:
                raise
            raise ReplicaLagError("Query", "A page of the log", str(error)) from error

    def unsequenced(self) -> bool:
        """Return whether stored events have no position yet; see `LogStrategy.unsequenced`.

        Cost: 2 requests; up to 4 if this process has appended.
        """
        own = None if self._hooks is None else self._hooks.last_commit
        if own is not None and not own.stream_key.startswith(self._tables.prefix):
            own = None  # the commit belongs to another log
        steps = look(self._tables, own, self._clock())
        try:
            seen = self._gateway.run("look_further", self._tables.tenant_id, None, steps)
        except EventStoreError:
            _log.debug("Could not look for events after the end of the log", exc_info=True)
            return False
        if seen.missed and not self._warned:
            self._warned = True
            _log.warning(
                "The table %s has events without a position in the log %s, so no consumer gets "
                "them. If this lasts longer than a second or two, no sequencer runs: start "
                "`dynamo-es sequence`, deploy the sequencer's Lambda function, or set "
                "DYNAMO_ES_SEQUENCING=inline in the program that appends. Then run "
                "`dynamo-es log repair` for the events that are already stored.",
                self._tables.events,
                self._tables.log,
            )
        return seen.found

    def tenants(self) -> Iterator[TenantId]:
        """Yield the tenants in the log; see `LogStrategy.tenants`.

        Cost: 1 request for each MB of the log table, sent as the iterator gets there.
        """
        return _unique(tenant_id for tenant_id, _ in self._categories())

    def categories(self, tenant_id: TenantId) -> Iterator[str | None]:
        """Yield a tenant's categories in the log; see `LogStrategy.categories`.

        Cost: the same as `tenants`.
        """
        check_tenant(tenant_id)
        return _unique(category for owner, category in self._categories() if owner == tenant_id)

    def streams(self, category: str | None, tenant_id: TenantId) -> Iterator[StreamInLog]:
        """Yield the existing streams of a category; see `LogStrategy.streams`.

        Cost: 16 requests, for the 16 partitions of a category's markers; 1 more for each MB
        (about 10,000 streams) in them; 1 for every 100 streams; and the requests of `unsequenced`,
        which is called at the end.
        """
        yield from all_streams(self._gateway, self._tables, category, tenant_id)
        self.unsequenced()

    def _categories(self) -> Iterator[tuple[TenantId, str | None]]:
        return all_categories(self._gateway, self._tables.log)


def _unique(items: Iterable[T]) -> Iterator[T]:
    seen: set[T] = set()
    for item in items:
        if item not in seen:
            seen.add(item)
            yield item
