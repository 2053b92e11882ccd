"""Queries that name event classes, as the storage needs them: with names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.event_store.event import Event
from dynamo_es.exceptions import EventDefinitionError
from dynamo_es.values import Query, QueryItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynamo_es.event_store.registry import EventRegistry


def resolved(query: Query, registry: EventRegistry) -> Query:
    """Return a query with the names that its classes stand for: name, aliases and subclasses.

    `Event` itself stands for every type, also for those whose classes this process does not have.

    Raises:
        EventDefinitionError: a class that is not an event class, or has no events.
    """
    if not any(isinstance(each, type) for item in query.items for each in item.types):
        return query
    return Query.of_items(
        QueryItem(
            frozenset() if Event in item.types else frozenset(_names_of(item.types, registry)),
            item.tags,
        )
        for item in query.items
    )


def _names_of(types: Iterable[str | type], registry: EventRegistry) -> Iterator[str]:
    for each in types:
        if isinstance(each, str):
            yield each
            continue
        names = registry.names_of(each)
        if not names:
            raise EventDefinitionError(
                f"{each.__qualname__} and its subclasses have no events: leave it out of the query."
            )
        yield from names
