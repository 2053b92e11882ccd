"""Reads and appends stored events of one boundary's stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.event_store.queries import resolved
from dynamo_es.event_store.wrapped import wrap_all
from dynamo_es.grouping.appends import append_in_group
from dynamo_es.values import Query, StoredVersion
from dynamo_es.values.queries import TAGS_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.contracts.boundaries.states import Part
    from dynamo_es.contracts.boundaries.strategy import Matching
    from dynamo_es.event_store.event import Event
    from dynamo_es.event_store.serde import Serde
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.grouping.groups import Groups
    from dynamo_es.values import RawEvent, StreamId, Tag, TenantId


@dataclass(frozen=True, slots=True)
class BoundaryStream:
    """The stream of a boundary.

    Attributes:
        storage: storage of the tenant's streams.
        serde: turns events into JSON and back.
        id: the stream.
        tenant_id: the tenant.
        groups: the queues in which appends wait for each other; None: each is sent alone.
    """

    storage: StorageStrategy
    serde: Serde
    id: StreamId
    tenant_id: TenantId
    groups: Groups | None = None

    def resolved(self, query: Query, label: str = "query") -> Query:
        """Return a query with stored names in place of classes; ``label`` names the parameter."""
        check_kind(label, query, Query)
        return resolved(query, self.serde.registry)

    def fetch(self, query: Query, after: int | None = None) -> Matching:
        """Return the stored events that match a resolved query."""
        return self.storage.fetch_matching(self.id, query, after)

    def fetch_parts(self, parts: Sequence[Part]) -> Matching:
        """Return the stored events of several parts, whose queries are resolved."""
        return self.storage.fetch_parts(self.id, parts)

    def read(
        self, raws: Iterable[RawEvent], *, keep_unknown: bool = False
    ) -> list[WrappedEvent[Any]]:
        """Return stored events as objects."""
        return self.serde.deserialize_all(raws, keep_unknown=keep_unknown)

    def stored_form(
        self, events: Iterable[Event | WrappedEvent[Any]], tag: Tag | None = None
    ) -> list[RawEvent]:
        """Return events in their stored form, with ``tag`` added if there is one."""
        raws = self.serde.serialize_all(wrap_all(events), self.id)
        if tag is None:
            return raws
        return [
            replace(
                raw, context={**raw.context, TAGS_KEY: [*raw.context.get(TAGS_KEY, ()), tag.text]}
            )
            for raw in raws
        ]

    def append(
        self, raws: Sequence[RawEvent], fail_if: Query | None, after: int | None
    ) -> StoredVersion:
        """Append stored events on condition of a resolved query; return the version of the last.

        Raises:
            EventStoreError: an error that `BoundaryStrategy.insert_unless` raises or returns.
        """
        append = ConditionalAppend(raws, fail_if, after)
        if self.groups is not None:
            return append_in_group(self.groups, self.storage, self.tenant_id, self.id, append)
        [result] = self.storage.insert_unless(self.id, [append])
        if isinstance(result, StoredVersion):
            return result
        raise result
