"""Searches types for `Encrypted` marks, at any depth."""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import (
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
)
from collections.abc import Sequence as AbstractSequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, Flag, auto
from fractions import Fraction
from inspect import get_annotations
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from re import Pattern
from types import NoneType
from typing import Annotated, Any, Final, ForwardRef, Literal, TypeVar, get_args, get_origin
from typing import get_type_hints as type_hints
from uuid import UUID

from pydantic import (
    BaseModel,
    EmailStr,
    JsonValue,
    PydanticUndefinedAnnotation,
    PydanticUserError,
    SecretBytes,
    SecretStr,
    SerializeAsAny,
    TypeAdapter,
)

from dynamo_es.event_store.encryption.marks import SCHEMA_MARK, Encrypted
from dynamo_es.exceptions import EncryptedFieldError

LISTS: Final = frozenset(
    {
        list,
        set,
        frozenset,
        deque,
        AbstractSequence,
        AbstractSet,
        Collection,
        MutableSequence,
        MutableSet,
    }
)
"""Types whose values become JSON lists, in the order of their iteration."""

DICTS: Final = frozenset({dict, OrderedDict, defaultdict, Mapping, MutableMapping})
"""Types whose values become JSON objects, in the order of their keys."""

PLAIN: Final = (
    str,
    int,
    float,
    complex,
    bytes,
    bytearray,
    NoneType,
    date,
    time,
    timedelta,
    tzinfo,
    Decimal,
    Fraction,
    UUID,
    PurePath,
    Pattern,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    SecretStr,
    SecretBytes,
    EmailStr,
)
"""Types whose values hold no other values. A value of any other type may hold encrypted fields."""

_QUALIFIERS: Final = (".Required", ".NotRequired", ".ReadOnly", ".ClassVar", ".Final")


class Holds(Flag):
    """The result of searching a type, at any depth."""

    NOTHING = 0
    MARKS = auto()
    """A part of the type is marked `Encrypted`."""
    ANYTHING = auto()
    """A part of the type may be a value of any type, which may have marks."""


def search(kind: Any, seen: set[Any] | None = None) -> Holds:
    """Return whether a type has marks, at any depth, in models, dataclasses and typed dicts too.

    A type that this library does not know counts as one that may hold anything.

    Args:
        kind: the type.
        seen: classes and aliases that were searched already; the search adds to it.

    Raises:
        EncryptedFieldError: a type within it cannot be resolved.
    """
    seen = set() if seen is None else seen
    kind, metadata = peel(kind, seen)
    holds = Holds.NOTHING
    if any(isinstance(one, Encrypted) or one is Encrypted for one in metadata):
        holds |= Holds.MARKS
    if says(metadata, SerializeAsAny):
        holds |= Holds.ANYTHING
    if isinstance(kind, str | ForwardRef):
        name = str(getattr(kind, "__forward_arg__", kind))
        raise _unresolved(name, "it is not defined yet")
    origin = get_origin(kind)
    if origin is Literal or kind is None or kind is Ellipsis:
        return holds
    if kind is JsonValue:
        return holds | Holds.ANYTHING
    if isinstance(kind, TypeVar):
        bounds = (kind.__bound__, *kind.__constraints__, getattr(kind, "__default__", None))
        return holds | Holds.ANYTHING | _search_all(bounds, seen)
    inside = kind if isinstance(kind, list | tuple) else get_args(kind)
    classes = [one for one in (kind, origin) if isinstance(one, type)]
    if not inside and not any(map(is_described, classes)):
        holds |= Holds.ANYTHING
    holds |= _search_all(inside, seen)
    for one in classes:
        if one not in seen:
            seen.add(one)
            holds |= _search_class(one, kind, seen)
    return holds


def _search_all(kinds: Iterable[Any], seen: set[Any]) -> Holds:
    holds = Holds.NOTHING
    for kind in kinds:
        holds |= search(kind, seen)
    return holds


def is_described(kind: type) -> bool:
    """Return whether the type of each field is known, or values of the class have no fields."""
    if kind is BaseModel:
        return False
    if issubclass(kind, Enum):
        return all(isinstance(one.value, PLAIN) for one in kind)
    return issubclass(kind, (BaseModel, *PLAIN)) or _has_fields(kind)


def classes_of(found: set[Any]) -> tuple[type, ...]:
    """Return the classes with fields among those that `search` has seen."""
    return tuple(
        one
        for one in found
        if isinstance(one, type) and (issubclass(one, BaseModel) or _has_fields(one))
    )


def _has_fields(kind: type) -> bool:
    # A typed dict has `__total__`, a named tuple `_fields`.
    return is_dataclass(kind) or hasattr(kind, "__total__") or hasattr(kind, "_fields")


def _search_class(kind: type, written: Any, seen: set[Any]) -> Holds:
    """Search a class; ``written`` is the type with its arguments, such as ``Secret[date]``."""
    holds = Holds.NOTHING
    inside: list[Any] = []
    if issubclass(kind, BaseModel) and kind is not BaseModel:
        if not kind.__pydantic_complete__:
            try:
                kind.model_rebuild()
            except PydanticUndefinedAnnotation as error:
                raise _unresolved(kind.__qualname__, error) from error
        config = kind.model_config
        if config.get("extra") == "allow" or config.get("polymorphic_serialization"):
            holds |= Holds.ANYTHING
        inside = [details.return_type for details in kind.model_computed_fields.values()]
        inside.append(type_of_extras(kind))
        inside += _fields_of(kind.model_fields)
    elif "__pydantic_fields__" in vars(kind):
        inside += _fields_of(vars(kind)["__pydantic_fields__"])
    elif _has_fields(kind):
        inside += _hints_of(kind)
    elif _is_annotated(kind):
        # The model around it decides how pydantic stores such an object, so each annotation counts.
        inside += _hints_of(kind)
    if not is_described(kind) and hasattr(kind, "__get_pydantic_core_schema__"):
        holds |= _search_own_schema(written)
    return holds | _search_all(inside, seen)


def _fields_of(fields: Mapping[str, Any]) -> list[Any]:
    return [Annotated[(info.annotation, *info.metadata, None)] for info in fields.values()]


def _hints_of(kind: type) -> list[Any]:
    try:
        return list(type_hints(kind, include_extras=True).values())
    except Exception as error:
        raise _unresolved(kind.__qualname__, error) from error


def _search_own_schema(written: Any) -> Holds:
    try:
        marked = marked_in_schema(TypeAdapter(written).core_schema)
    except (PydanticUserError, TypeError) as error:
        raise _unresolved(str(getattr(written, "__qualname__", written)), error) from error
    return Holds.MARKS if marked else Holds.NOTHING


def marked_in_schema(schema: Any) -> bool:
    """Return whether a pydantic schema has a mark, at any depth."""
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            metadata = part.get("metadata")
            if isinstance(metadata, Mapping) and SCHEMA_MARK in metadata:
                return True
            waiting += part.values()
        elif isinstance(part, list | tuple):
            waiting += part
    return False


def _unresolved(name: str, why: object) -> EncryptedFieldError:
    return EncryptedFieldError(
        name,
        "*",
        f"a type cannot be resolved ({why}), so it cannot be checked for encrypted fields. Define "
        "it at the top of a module, or call model_rebuild() of the class when it is defined.",
    )


def type_of_extras(model: type[BaseModel]) -> Any:
    """Return the type that a model declares for extra fields; None if it declares none."""
    for base in model.__mro__[: model.__mro__.index(BaseModel)]:
        declared = _own_annotations(base).get("__pydantic_extra__")
        if declared is not None:
            hints = type("Hints", (), {"__annotations__": {"extras": declared}})
            hints.__module__ = base.__module__
            try:
                return type_hints(hints, include_extras=True)["extras"]
            except Exception as error:
                raise _unresolved(model.__qualname__, error) from error
    return None


def _is_annotated(kind: type) -> bool:
    return any(
        _own_annotations(base)
        for base in kind.__mro__
        if base.__module__.partition(".")[0] not in sys.stdlib_module_names
    )


def _own_annotations(kind: type) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        from annotationlib import Format
        from annotationlib import get_annotations as lazy_annotations

        # Python evaluates annotations on access, and a type in them may not be defined yet.
        return lazy_annotations(kind, format=Format.FORWARDREF)
    return get_annotations(kind)


def peel(kind: Any, seen: set[Any] | None = None) -> tuple[Any, list[Any]]:
    """Unwrap `Annotated`, aliases and new types; return the type within, and their metadata.

    Args:
        kind: the type.
        seen: aliases that were searched already; their type is returned as None. None: unwrap every
            alias.
    """
    metadata: list[Any] = []
    while True:
        origin = get_origin(kind)
        if origin is Annotated:
            metadata += kind.__metadata__
            kind = kind.__origin__
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        elif kind is not JsonValue and hasattr(alias := origin or kind, "__value__"):
            if seen is not None:
                if kind in seen:
                    return None, metadata
                seen.add(kind)
            kind = _value_of(alias, get_args(kind))
        elif repr(origin).endswith(_QUALIFIERS):
            kind = get_args(kind)[0]
        else:
            return kind, metadata


def _value_of(alias: Any, arguments: tuple[Any, ...]) -> Any:
    try:
        value = alias.__value__
        return value[arguments] if arguments else value
    except NameError as error:
        raise _unresolved(str(alias), error) from error


def says(metadata: list[Any], *kinds: type) -> bool:
    """Return whether metadata contains one of these classes, or an instance of one."""
    return any(isinstance(one, kinds) or one in kinds for one in metadata)
