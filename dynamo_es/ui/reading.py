"""`Reading`: reads streams for the pages, in bounded parts, from any backend."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from dynamo_es.dynamodb.log.listing import ListedStream
from dynamo_es.dynamodb.log.markers import MarkedGeneration
from dynamo_es.dynamodb.maintenance.inspection import FoundPosition, Inspector
from dynamo_es.dynamodb.maintenance.stored_items import StoredItem
from dynamo_es.ui.paging import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.dynamodb.backend import DynamoBackend
    from dynamo_es.facade.backend import Backend
    from dynamo_es.values import Position, StreamId, TenantId

STREAMS_A_PAGE: Final = 50
ITEMS_A_PAGE: Final = 50
_LOOKED_AT: Final = 1_000
"""How many streams a search by the beginning of a name reads for one page."""
_PIECE: Final = 100
# Eight hexadecimal digits are more likely an id than the beginning of a name.
_ID_PREFIX: Final = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")


class Reading(Protocol):
    """Reads streams for the pages.

    Attributes:
        knows_items: whether the backend stores items, with sizes, write units and fences.
    """

    knows_items: bool

    def categories(self, after: str | None) -> Page[tuple[TenantId, str | None]]:
        """Return pairs of a tenant and one of its categories."""

    def streams(
        self, tenant_id: TenantId, category: str | None, prefix: str, after: str | None
    ) -> Page[ListedStream]:
        """Return the streams of a category whose name or id begins with a text."""

    def existing(
        self, streams: Iterable[tuple[TenantId, StreamId]]
    ) -> list[tuple[TenantId, StreamId]]:
        """Return the streams that exist, out of some tenants' streams."""

    def items(
        self, tenant_id: TenantId, stream_id: StreamId, *, below: int | None, limit: int
    ) -> list[StoredItem]:
        """Return items of a stream, newest first, after its snapshot.

        Args:
            tenant_id: tenant of the stream.
            stream_id: the stream.
            below: only items below this version (exclusive); None: begin with the newest.
            limit: the most items.
        """

    def generations(self, tenant_id: TenantId, stream_id: StreamId) -> list[MarkedGeneration]:
        """Return the generations of a stream that the log has, newest first."""

    def find_position(
        self,
        tenant_id: TenantId,
        stream_id: StreamId,
        *,
        generation: int,
        version: int,
        before: Position | None,
    ) -> FoundPosition:
        """Search for the position of an event, backward from a position or the end of the log."""


def reading_of(backend: Backend) -> Reading:
    """Return the reading for a backend."""
    from dynamo_es.dynamodb.backend import DynamoBackend

    return DynamoReading(backend) if isinstance(backend, DynamoBackend) else PlainReading(backend)


class DynamoReading:
    """Reads the tables of a backend on DynamoDB."""

    knows_items = True

    def __init__(self, backend: DynamoBackend) -> None:
        self._inspector = Inspector(backend.config, lambda: backend.client, backend.observer)
        self.existing = self._inspector.existing
        self.items = self._inspector.items
        self.generations = self._inspector.generations
        self.find_position = self._inspector.find_position

    def categories(self, after: str | None) -> Page[tuple[TenantId, str | None]]:
        """Return tenants with their categories, in at most 20 requests."""
        piece = self._inspector.categories(after)
        return Page(piece.items, piece.next)

    def streams(
        self, tenant_id: TenantId, category: str | None, prefix: str, after: str | None
    ) -> Page[ListedStream]:
        """Return streams, in at most 17 requests, or 40 with the beginning of a name."""
        if not prefix or _ID_PREFIX.fullmatch(prefix):
            piece = self._inspector.streams(
                category, tenant_id, after=after, id_prefix=prefix, limit=STREAMS_A_PAGE
            )
            return Page(piece.items, piece.next)
        return self._beginning_with(tenant_id, category, prefix, after)

    def _beginning_with(
        self, tenant_id: TenantId, category: str | None, prefix: str, after: str | None
    ) -> Page[ListedStream]:
        found: list[ListedStream] = []
        looked_at = 0
        while looked_at < _LOOKED_AT:
            piece = self._inspector.streams(category, tenant_id, after=after, limit=_PIECE)
            looked_at += len(piece.items)
            found += [one for one in piece.items if _begins_with(one.stream_id, prefix)]
            after = piece.next
            if after is None or len(found) >= STREAMS_A_PAGE:
                break
        return Page(found, after, f"Looked at {looked_at:,} streams")


class PlainReading:
    """Reads any backend through its public interface, such as the one in memory."""

    knows_items = False

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def categories(self, after: str | None) -> Page[tuple[TenantId, str | None]]:
        """See `Reading.categories`."""
        del after
        log = self._backend.log
        return Page([(tenant, one) for tenant in log.tenants() for one in log.categories(tenant)])

    def streams(
        self, tenant_id: TenantId, category: str | None, prefix: str, after: str | None
    ) -> Page[ListedStream]:
        """See `Reading.streams`."""
        found = sorted(
            (
                ListedStream(one.stream_id, one.version, 0, exists=True)
                for one in self._backend.log.streams(category, tenant_id)
                if _begins_with(one.stream_id, prefix)
            ),
            key=lambda one: str(one.stream_id),
        )
        left = [one for one in found if after is None or str(one.stream_id) > after]
        more = len(left) > STREAMS_A_PAGE
        shown = left[:STREAMS_A_PAGE]
        return Page(shown, str(shown[-1].stream_id) if more else None)

    def existing(
        self, streams: Iterable[tuple[TenantId, StreamId]]
    ) -> list[tuple[TenantId, StreamId]]:
        """See `Reading.existing`."""
        storage = self._backend.storage
        return [
            (tenant, one)
            for tenant, one in streams
            if storage.scoped_for_tenant(tenant).head(one) is not None
        ]

    def items(
        self, tenant_id: TenantId, stream_id: StreamId, *, below: int | None, limit: int
    ) -> list[StoredItem]:
        """Return each event as an item, because such a backend does not keep commits."""
        storage = self._backend.in_tenant(tenant_id).storage
        head = storage.head(stream_id)
        if head is None:
            return []
        stop = head.length + 1 if below is None else min(below, head.length + 1)
        start = max(stop - limit, 1)
        events = storage.fetch_events(stream_id, start, stop)
        return [
            StoredItem(
                kind="commit",
                place=number,
                first=number,
                last=number,
                generation=head.generation,
                versioned=head.versioned,
                size=0,
                write_units=0,
                events=(event,),
            )
            for number, event in reversed(list(enumerate(events, start)))
        ]

    def generations(self, tenant_id: TenantId, stream_id: StreamId) -> list[MarkedGeneration]:
        """Return the generation that exists. Deleted ones are not kept."""
        head = self._backend.in_tenant(tenant_id).storage.head(stream_id)
        if head is None:
            return []
        return [MarkedGeneration(str(stream_id), head.generation, head.length)]

    def find_position(
        self,
        tenant_id: TenantId,
        stream_id: StreamId,
        *,
        generation: int,
        version: int,
        before: Position | None,
    ) -> FoundPosition:
        """See `Reading.find_position`."""
        del before
        reader = self._backend.in_tenant(tenant_id).log.reader(0)
        number = 0
        while records := reader.read():
            for record in records:
                if record.entry.stream_id == stream_id and record.generation == generation:
                    number += 1
                    if number == version:
                        return FoundPosition(record.position, 1)
        return FoundPosition(None, 1)


def _begins_with(stream_id: StreamId, prefix: str) -> bool:
    return str(stream_id).startswith(prefix) or (stream_id.name or "").startswith(prefix)
