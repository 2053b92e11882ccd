"""Queries over the types and tags of events, as dynamic consistency boundaries use them.

Source: the specification of dcb.events. An item matches an event if the event's type is among the
item's types (no types: any type) and the event has all of the item's tags. A query matches if any
of its items does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias
from urllib.parse import quote
from uuid import UUID

from dynamo_es.exceptions import InputError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from dynamo_es.values.records import RawEvent

TAGS_KEY: Final = "$tags"
"""Key of `RawEvent.context` that holds an event's tags, as a list of texts."""

_FEW: Final = 8
"""Most tags of an event that are searched one by one."""

TAG_MARK: Final = "dynamo_es_tag"
"""Key in the metadata of pydantic's schema of a marked type; its value is the number of marks."""

TagValue: TypeAlias = str | int | UUID | date | Enum
"""What a tag can be about: text, an integer, a UUID, a date, or an enum member with one of these.

A tag keeps it as text: an integer in decimal, a UUID with hyphens, a date as ``2026-01-31``. An
enum member stands for its value. ``bool``, ``float`` and ``datetime`` are refused, because the same
value can have several texts.
"""


@dataclass(frozen=True, slots=True)
class Tag:
    """A thing that an event is about: ``Tag("course", "c1")``.

    Without a value, it marks a field of an event class, and the field has the value:
    ``course: Annotated[str, Tag("course")]``.

    Attributes:
        name: kind of the thing, text of one character or more.
        value: id of the thing; give any `TagValue`, which becomes text. None: the tag marks a
            field.

    Raises:
        InputError: a name that is not text or is empty, or a value that is not a `TagValue`.
    """

    name: str
    value: str | None = None

    def __init__(self, name: str, value: TagValue | None = None) -> None:
        if not isinstance(name, str) or not name:
            raise InputError(
                f"The name of a tag must be text of one character or more, not {shown(name)}."
            )
        _check_unicode("name", name)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "value", None if value is None else _text_of(name, value))

    def __get_pydantic_core_schema__(self, *arguments: Any) -> Any:
        """Mark pydantic's schema too, so that a mark shows anywhere in a type."""
        # Source and handler; only the handler if the class itself is used as the mark.
        source = arguments[0] if len(arguments) > 1 else self
        schema = dict(arguments[-1](source))
        metadata = dict(schema.get("metadata") or {})
        metadata[TAG_MARK] = metadata.get(TAG_MARK, 0) + 1
        schema["metadata"] = metadata
        return schema

    @property
    def text(self) -> str:
        """The tag as it is stored, ``course:c1``; in the name, ``%`` and ``:`` are escaped.

        Raises:
            InputError: a tag without a value.
        """
        if self.value is None:
            raise InputError(
                f"Tag({self.name!r}) has no value, so it stands for no thing: give one, such as "
                f'Tag({self.name!r}, "1").'
            )
        name = self.name.replace("%", "%25").replace(":", "%3A")
        return f"{name}:{self.value}"

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return the tag that is stored as this text.

        Raises:
            InputError: the text has no ``:``.
        """
        name, separator, value = text.partition(":") if isinstance(text, str) else ("", "", "")
        if not separator:
            raise InputError(f"A stored tag is text such as 'course:c1', not {shown(text)}.")
        return cls(name.replace("%3A", ":").replace("%25", "%"), value)


@dataclass(frozen=True, slots=True)
class QueryItem:
    """One alternative of a query: events of any of the types that have all of the tags.

    Attributes:
        types: event classes, or names of event types; empty: any type.
        tags: the tags; empty: any.
        tag_texts: the tags as they are stored.

    Raises:
        InputError: types or tags of another kind, or a tag without a value.
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
    """The events that a decision depends on: ``Query(types=[…], tags=[…]) | Query(…)``.

    Args:
        types: event classes, or names of event types; an event must be of one of them. Empty: any.
            A class stands for its name, its aliases, and those of its subclasses that this process
            has imported; `Event` stands for any type. In a `Boundary`, a name stands for the
            aliases of its class, too.
        tags: tags with values; an event must have all of them.

    Attributes:
        items: the alternatives; the query matches an event if one of them does.

    Raises:
        InputError: neither types nor tags, or an argument of another kind.
    """

    items: tuple[QueryItem, ...]

    @property
    def text(self) -> str:
        """The query as one line, ``CourseDefined course:c1 | StudentEnrolled course:c1``.

        Names of types come without ``:``, tags with it. What would read as something else is
        percent-encoded. ``query_of_text`` reads the line.
        """
        return " | ".join(item.text for item in self.items)

    def __init__(self, types: Iterable[str | type] = (), tags: Iterable[Tag] = ()) -> None:
        item = QueryItem(frozenset(_types(types)), frozenset(_tags(tags)))
        if not item.types and not item.tags:
            raise InputError("A query needs types or tags: for all events, say Query.everything().")
        object.__setattr__(self, "items", (item,))

    @classmethod
    def everything(cls) -> Self:
        """Return the query that matches every event."""
        return cls.of_items((QueryItem(),))

    @classmethod
    def of_items(cls, items: Iterable[QueryItem]) -> Self:
        """Return the query with these alternatives, each once.

        Raises:
            InputError: no alternatives, or one that is not a `QueryItem`.
        """
        alternatives = tuple(items) if isinstance(items, Iterable) else ()
        if not alternatives or not all(isinstance(item, QueryItem) for item in alternatives):
            raise InputError("A query needs one QueryItem or more.")
        query = object.__new__(cls)
        object.__setattr__(query, "items", tuple(dict.fromkeys(alternatives)))
        return query

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
        (not item.types or name in item.types) and item.tag_texts <= tags for item in query.items
    )


def tags_of(event: RawEvent) -> frozenset[str]:
    """Return the tags of an event as they are stored; empty if it has none."""
    stored = event.context.get(TAGS_KEY)
    if not isinstance(stored, list):
        return frozenset()
    return frozenset(text for text in stored if isinstance(text, str))


def matches_event(query: Query, event: RawEvent) -> bool:
    """Return whether a query matches a raw event."""
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
    """Return an event's tags: a few as they are, since a set takes longer to build than to search.

    An append is matched with many events, and each event with many appends.
    """
    stored = event.context.get(TAGS_KEY)
    return stored if isinstance(stored, list) and len(stored) <= _FEW else tags_of(event)


_PLAIN: Final = "$.-_~/@+,;=()[]{}!?&'#"
"""Characters that stay as they are in the line of a query, besides letters and digits."""


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
                f"A type of a query must be an event class or a name, not {shown(each)}."
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


def _text_of(name: str, value: object) -> str:
    if isinstance(value, Enum):
        return _text_of(name, value.value)
    if isinstance(value, str):
        _check_unicode("value", value)
        return str.__str__(value)  # a subclass may show itself as another text
    if isinstance(value, UUID):
        return str(UUID(int=value.int))
    if isinstance(value, int) and not isinstance(value, bool):
        return _decimal(name, value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise InputError(
        f"The value of the tag {name!r} must be text, an integer, a UUID, a date, or an enum "
        f"member with one of these, not {type(value).__name__}."
    )


def _decimal(name: str, value: int) -> str:
    try:
        return str(int(value))
    except ValueError:  # Python's limit of digits
        raise InputError(
            f"The value of the tag {name!r} is an integer with too many digits: give it as text."
        ) from None


def _check_unicode(part: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"The {part} of a tag holds a lone surrogate, which is not Unicode: replace it."
        ) from None
