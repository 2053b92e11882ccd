"""Finds the tags of typed events: values of fields marked ``Annotated[str, Tag("course")]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import Tag as OfPydantic

from dynamo_es.exceptions import EventDefinitionError, InputError
from dynamo_es.values.tags import TAG_MARK, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

_MARK: Final = re.compile(r"\bTag\(")
_SEVERAL = (list, tuple, set, frozenset)


class TaggedField(NamedTuple):
    """A marked field of an event class.

    Attributes:
        field: name of the field.
        name: name of the tags that its values make.
    """

    field: str
    name: str


def tagged_fields(event: type[BaseModel]) -> tuple[TaggedField, ...]:
    """Return the marked fields of a class, in order.

    Raises:
        EventDefinitionError: a mark has a value, is on an encrypted field, is inside a field's
            type, or is on an attribute that is no field; or the class declares a marked field of
            its base class again without the mark.
    """
    found: list[tuple[str, Any]] = [
        (field, mark)
        for field, info in event.model_fields.items()
        for mark in info.metadata
        if isinstance(mark, Tag) or mark is Tag
    ]
    for field, mark in found:
        _check(event, field, mark)
    _refuse_marks_of_pydantic(event)
    _refuse_lost_marks(event, found)
    _refuse_marks_beside_fields(event)
    if event.__pydantic_complete__ and _marks_in(event.__pydantic_core_schema__) > len(found):
        raise EventDefinitionError(
            f"{event.__qualname__}: a Tag is inside of a field's type, where it marks nothing: put "
            'it around the whole type, such as Annotated[list[str], Tag("course")] or '
            'Annotated[str | None, Tag("course")].'
        )
    return tuple(TaggedField(field, mark.name) for field, mark in found)


def tags_of_event(event: BaseModel, fields: tuple[TaggedField, ...]) -> list[str]:
    """Return the tags of an event in their stored form, sorted.

    None makes no tag; a list, tuple or set makes one for each of its values.

    Raises:
        InputError: a tag cannot have the value of a field; the message names the field, but no
            value.
    """
    tags: set[str] = set()
    for field, name in fields:
        value = getattr(event, field)
        for one in value if isinstance(value, _SEVERAL) else (value,):
            if one is not None:
                try:
                    tags.add(Tag(name, one).text)
                except InputError as error:
                    raise InputError(f"the field {field}: {error}") from None
    return sorted(tags)


def _check(event: type[BaseModel], field: str, mark: Any) -> None:
    where = f"{event.__qualname__}: the field {field}"
    if mark is Tag:
        raise EventDefinitionError(
            f'{where} is marked Tag: give it a name, such as Tag("{field}").'
        )
    if mark.value is not None:
        raise EventDefinitionError(
            f"{where} is marked with a tag that has a value: the field has the values, so write "
            f"Tag({mark.name!r})."
        )
    if _is_encrypted(event, field):
        raise EventDefinitionError(
            f"{where} is marked Encrypted and Tag, but tags are stored in plain text: remove one "
            "of the marks, or tag a field with an id that says nothing about the person."
        )


def _refuse_marks_of_pydantic(event: type[BaseModel]) -> None:
    for field, info in event.model_fields.items():
        if any(isinstance(mark, OfPydantic) for mark in info.metadata):
            raise EventDefinitionError(
                f"{event.__qualname__}: the field {field} is marked with pydantic's Tag, which "
                "names an alternative of a union, and gives the event no tag: import Tag from "
                "dynamo_es. If you mean pydantic's, use it inside of the union only."
            )


def _refuse_lost_marks(event: type[BaseModel], found: Sequence[tuple[str, Any]]) -> None:
    """Raise if queries for the base class and one of its tags would miss events of this class."""
    for base in event.__mro__[1:]:
        for field, info in getattr(base, "model_fields", {}).items():
            for mark in info.metadata:
                if isinstance(mark, Tag) and (field, mark) not in found:
                    raise EventDefinitionError(
                        f"{event.__qualname__}: the field {field} is declared again without "
                        f"{base.__qualname__}'s mark Tag({mark.name!r}), so queries by that tag "
                        "would miss events of this class: repeat the mark, or derive this class "
                        "from another one."
                    )


def _refuse_marks_beside_fields(event: type[BaseModel]) -> None:
    beside = event.__class_vars__ | set(event.__private_attributes__)
    for base in event.__mro__:
        try:
            annotations = get_annotations(base)
        except NameError:  # an annotation has a name that only type checkers import
            continue
        for name, annotation in annotations.items():
            # Searched as text: it may contain names that only type checkers import.
            if name in beside and _MARK.search(str(annotation)):
                raise EventDefinitionError(
                    f"{event.__qualname__}: {name} is marked Tag, but is a class variable or a "
                    "private attribute, of which nothing is stored: declare a field."
                )


def _is_encrypted(event: type[BaseModel], field: str) -> bool:
    # Imported late, because only classes with tags need it.
    from dynamo_es.event_store.encryption.annotations import Holds, search
    from dynamo_es.event_store.encryption.marks import Encrypted

    info = event.model_fields[field]
    if any(isinstance(one, Encrypted) or one is Encrypted for one in info.metadata):
        return True
    return event.__pydantic_complete__ and Holds.MARKS in search(info.annotation)


def _marks_in(schema: Any) -> int:
    """Return the number of marks in a pydantic schema, at any depth."""
    count = 0
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            metadata = part.get("metadata")
            if isinstance(metadata, Mapping):
                count += metadata.get(TAG_MARK, 0)
            waiting += part.values()
        elif isinstance(part, list | tuple):
            waiting += part
    return count
