"""Turns queries that name event classes into queries with stored names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.event_store.event import Event
from dynamo_es.exceptions import EventDefinitionError
from dynamo_es.values import Query, QueryItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynamo_es.event_store.registry import EventRegistry


def resolved(query: Query, registry: EventRegistry) -> Query:
    """Return a query that has stored names in place of event classes.

    A class stands for its name, its aliases and those of its subclasses. `Event` stands for every
    type, even types that have no class in this process. The name or an alias of a class stands for
    all its names. Any other name stands for itself.

    Raises:
        EventDefinitionError: a class is not an event class, or can have no events.
        DuplicatedEvent: several classes have the name.
    """
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
            kind = registry.kind_named(each)
            if kind is not None:
                yield from (kind.name, *kind.event_class.__event_aliases__)
            yield each
            continue
        names = registry.names_of(each)
        if not names:
            raise EventDefinitionError(
                f"{each.__qualname__} and its subclasses have no events: leave it out of the query."
            )
        yield from names
