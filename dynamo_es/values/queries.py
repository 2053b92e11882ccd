"""Queries over the types and tags of events, for dynamic consistency boundaries.

An item matches an event if it lists the event's type (no types: any type) and the event has all of
the item's tags. A query matches an event if one of its items does. Source: the specification of
dcb.events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from dynamo_es.exceptions import InputError
from dynamo_es.values.tags import Tag
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dynamo_es.values.records import RawEvent

TAGS_KEY: Final = "$tags"
"""Key of `RawEvent.context` that holds an event's tags, as a list of texts."""

_FEW: Final = 8
"""Up to this many tags of an event or alternatives of a query, a plain loop is fastest."""


@dataclass(frozen=True, slots=True)
class QueryItem:
    """One alternative of a query: the events of any of its types that have all of its tags.

    Attributes:
        types: event classes, or names of event types; empty: any type.
        tags: the tags; empty: any.
        tag_texts: the tags as they are stored.

    Raises:
        InputError: a type is neither a class nor a name, or a tag is not a `Tag` or has no value.
    """

    types: frozenset[str | type] = frozenset()
    tags: frozenset[Tag] = frozenset()
    tag_texts: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", frozenset(_types(self.types)))
        object.__setattr__(self, "tags", frozenset(_tags(self.tags)))
        object.__setattr__(self, "tag_texts", frozenset(tag.text for tag in self.tags))

    @property
    def text(self) -> str:
        """The alternative as one line, ``StudentEnrolled course:c1``; ``*`` for any event."""
        types = sorted(
            _escaped(each if isinstance(each, str) else each.__name__) for each in self.types
        )
        tags = sorted(f"{_escaped(tag.name)}:{_escaped(tag.value or '', ':')}" for tag in self.tags)
        return " ".join([*types, *tags]) or "*"


@dataclass(frozen=True, slots=True, init=False)
class Query:
    """The events that a decision depends on, such as ``Query(types=[…], tags=[…]) | Query(…)``.

    Args:
        types: event classes, or names of event types; an event must be of one of them. Empty: any.
            A class stands for its name, its aliases, and those of its subclasses that this process
            has imported; `Event` stands for any type. In a `Boundary`, a name stands for the
            aliases of its class, too.
        tags: tags with values; an event must have all of them.

    Attributes:
        items: the alternatives; the query matches an event if one of them does.

    Raises:
        InputError: there are neither types nor tags, or one is of a wrong kind.
    """

    items: tuple[QueryItem, ...]
    _by_tag: Mapping[str, Sequence[QueryItem]] | None = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """The query as one line, ``CourseDefined course:c1 | StudentEnrolled course:c1``.

        A word with ``:`` is a tag, a word without it the name of a type. Characters that would
        change the meaning are percent-encoded. ``query_of_text`` turns the line into a query again.
        """
        return " | ".join(item.text for item in self.items)

    def __init__(self, types: Iterable[str | type] = (), tags: Iterable[Tag] = ()) -> None:
        item = QueryItem(frozenset(_types(types)), frozenset(_tags(tags)))
        if not item.types and not item.tags:
            raise InputError("A query needs types or tags: for all events, use Query.everything().")
        object.__setattr__(self, "items", (item,))
        object.__setattr__(self, "_by_tag", None)

    @classmethod
    def everything(cls) -> Self:
        """Return the query that matches every event."""
        return cls.of_items((QueryItem(),))

    @classmethod
    def of_items(cls, items: Iterable[QueryItem]) -> Self:
        """Return the query with these alternatives, each once.

        Raises:
            InputError: there are no items, or one is not a `QueryItem`.
        """
        alternatives = tuple(items) if isinstance(items, Iterable) else ()
        if not alternatives or not all(isinstance(item, QueryItem) for item in alternatives):
            raise InputError("A query needs one QueryItem or more.")
        query = object.__new__(cls)
        object.__setattr__(query, "items", tuple(dict.fromkeys(alternatives)))
        object.__setattr__(query, "_by_tag", None)
        return query

    def alternatives_for(self, tags: Iterable[str]) -> Iterable[QueryItem]:
        """Return the alternatives that may match an event with these stored tags.

        A query with many alternatives looks them up by tag, so a query about a thousand things
        takes no longer for each event than a query about a few.
        """
        if len(self.items) <= _FEW:
            return self.items
        if self._by_tag is None:
            by_tag: dict[str, list[QueryItem]] = {}
            for item in self.items:
                by_tag.setdefault(min(item.tag_texts, default=""), []).append(item)
            object.__setattr__(self, "_by_tag", by_tag)
        found = self._by_tag or {}
        return [item for text in ("", *tags) for item in found.get(text, ())]

    def __or__(self, other: Query) -> Query:
        if not isinstance(other, Query):
            return NotImplemented
        return Query.of_items((*self.items, *other.items))


def matches(query: Query, name: str, tags: frozenset[str]) -> bool:
    """Return whether a query matches an event.

    Args:
        query: the query, with names as types.
        name: name of the event's type.
        tags: the event's tags as they are stored; see `tags_of`.
    """
    return any(
        (not item.types or name in item.types) and item.tag_texts <= tags
        for item in query.alternatives_for(tags)
    )


def tags_of(event: RawEvent) -> frozenset[str]:
    """Return the tags of an event as they are stored; empty if it has none."""
    stored = event.context.get(TAGS_KEY)
    if not isinstance(stored, list):
        return frozenset()
    return frozenset(text for text in stored if isinstance(text, str))


def matches_event(query: Query, event: RawEvent) -> bool:
    """Return whether a query matches a raw event."""
    if len(query.items) > _FEW:
        return matches(query, event.name, tags_of(event))
    name = event.name
    tags: Collection[str] | None = None
    for item in query.items:
        if item.types and name not in item.types:
            continue
        if not item.tag_texts:
            return True
        if tags is None:
            tags = _few_or_set(event)
        for text in item.tag_texts:
            if text not in tags:
                break
        else:
            return True
    return False


def _few_or_set(event: RawEvent) -> Collection[str]:
    """Return an event's tags as a list if there are few, else as a set.

    Each append is matched with many events, and to build a small set takes longer than to search
    the list.
    """
    stored = event.context.get(TAGS_KEY)
    return stored if isinstance(stored, list) and len(stored) <= _FEW else tags_of(event)


_PLAIN: Final = "$.-_~/@+,;=()[]{}!?&'#"
"""Characters that are not escaped in the line of a query, besides letters and digits."""


def _escaped(text: str, safe: str = "") -> str:
    return "".join(
        each if each.isalnum() else quote(each, safe=_PLAIN + safe, errors="replace")
        for each in text
    )


def _types(types: Iterable[str | type]) -> Iterable[str | type]:
    if isinstance(types, str | type) or not isinstance(types, Iterable):
        raise InputError(f"types must be a list of event classes or names, not {shown(types)}.")
    for each in types:
        if not isinstance(each, str | type) or not each:
            raise InputError(
                f"A type of a query must be an event class or its name, not {shown(each, str)}."
            )
        yield each


def _tags(tags: Iterable[Tag]) -> Iterable[Tag]:
    if isinstance(tags, Tag | str) or not isinstance(tags, Iterable):
        raise InputError(f"tags must be a list of tags, not {shown(tags)}.")
    for each in tags:
        if not isinstance(each, Tag):
            raise InputError(
                f'A tag of a query must be a Tag, such as Tag("course", "c1"), not {shown(each)}.'
            )
        yield each
