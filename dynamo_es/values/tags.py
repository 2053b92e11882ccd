"""Tags: the things that events are about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Final, Self, TypeAlias
from uuid import UUID

from dynamo_es.exceptions import InputError
from dynamo_es.wording import shown

TAG_MARK: Final = "dynamo_es_tag"
"""Key in the metadata of pydantic's schema of a marked type; its value is the number of marks."""

COMMAND_TAG: Final = "$command"
"""Name of the tag that the events of a command carry."""

_OWN: Final = "$"
"""Names that begin with it are the library's: a command's tag must match only its own events."""

TagValue: TypeAlias = str | int | UUID | date | Enum
"""Values of tags: text, an integer, a UUID, a date, or an enum member with one of these.

A tag stores its value as text: an integer in decimal, a UUID with hyphens, a date as
``2026-01-31``. An enum member stands for its value. ``bool``, ``float`` and ``datetime`` are
refused, because one value of these can be written in several ways.
"""


@dataclass(frozen=True, slots=True)
class Tag:
    """A thing that an event is about: ``Tag("course", "c1")``.

    A tag without a value marks a field of an event class, and the field gives the value:
    ``course: Annotated[str, Tag("course")]``.

    Attributes:
        name: kind of the thing, text of one character or more, without ``$`` at the beginning.
        value: id of the thing; give any `TagValue`, which becomes text. None: the tag marks a
            field.

    Raises:
        InputError: the name is not text, is empty, or begins with ``$``; or the value is not a
            `TagValue`.
    """

    name: str
    value: str | None = None

    def __init__(self, name: str, value: TagValue | None = None) -> None:
        if not isinstance(name, str) or not name:
            raise InputError(
                f"The name of a tag must be text of one character or more, not {shown(name, str)}."
            )
        _check_unicode("name", name)
        if name.startswith(_OWN):
            raise InputError(
                f"The name of a tag must not begin with {_OWN}, as {shown(name, str)} does: such "
                "names are for the library. Choose another name."
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "value", None if value is None else _text_of(name, value))

    def __get_pydantic_core_schema__(self, *arguments: Any) -> Any:
        """Mark pydantic's schema, so that a mark is found anywhere within a type."""
        # pydantic passes source and handler; only the handler if the mark is the class `Tag`
        # itself.
        source = arguments[0] if len(arguments) > 1 else self
        schema = dict(arguments[-1](source))
        metadata = dict(schema.get("metadata") or {})
        metadata[TAG_MARK] = metadata.get(TAG_MARK, 0) + 1
        schema["metadata"] = metadata
        return schema

    @property
    def text(self) -> str:
        """The tag as it is stored, such as ``course:c1``; ``%`` and ``:`` in the name are escaped.

        Raises:
            InputError: the tag has no value.
        """
        if self.value is None:
            raise InputError(
                f"Tag({self.name!r}) has no value, so it only marks a field. Give a value, such as "
                f'Tag({self.name!r}, "1").'
            )
        name = self.name.replace("%", "%25").replace(":", "%3A")
        return f"{name}:{self.value}"

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return the tag that is stored as this text.

        Raises:
            InputError: the text has no ``:``, or begins with ``:`` or ``$``.
        """
        return cls(*_parts_of(text))

    @classmethod
    def _of_command(cls, value: str) -> Self:
        """Return the library's own tag for the events of a command."""
        tag = object.__new__(cls)
        object.__setattr__(tag, "name", COMMAND_TAG)
        object.__setattr__(tag, "value", value)
        return tag


def command_tag(value: object) -> Tag:
    """Return the tag for the events of a command. No other tag can have its name."""
    return Tag._of_command(str(value))  # noqa: SLF001 - of this module


def readable_tag(name: str, value: str) -> Tag:
    """Return the tag with a name and a value; unlike `Tag`, also one of a command, for tools.

    Raises:
        InputError: the name is empty, or begins with ``$`` and is not that of a command's tag.
    """
    return command_tag(value) if name == COMMAND_TAG else Tag(name, value)


def stored_tag(text: str) -> Tag:
    """Return the tag that is stored as this text; see `readable_tag`."""
    return readable_tag(*_parts_of(text))


def _parts_of(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not separator:
        found = "text without a colon" if isinstance(text, str) else shown(text)
        raise InputError(f"A stored tag is text such as 'course:c1', not {found}.")
    return name.replace("%3A", ":").replace("%25", "%"), value


def _text_of(name: str, value: object) -> str:
    if isinstance(value, Enum):
        return _text_of(name, value.value)
    if isinstance(value, str):
        _check_unicode("value", value)
        return str.__str__(value)  # a subclass may override __str__
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
    except ValueError:  # more digits than Python converts
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
