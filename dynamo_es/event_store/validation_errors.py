"""What may be said of an error of pydantic: where it is and what was expected, never the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic_core import PydanticKnownError
from pydantic_core.core_schema import ErrorType

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_HIDDEN: Final = "…"
_UNEXPECTED: Final = "extra_forbidden"
_UNKNOWN_TYPE: Final = re.compile(r"Unable to serialize unknown type: <class '([\w.<>]+)'>")
_BOUNDS: Final = {
    "greater_than": ("gt",),
    "greater_than_equal": ("ge",),
    "less_than": ("lt",),
    "less_than_equal": ("le",),
    "multiple_of": ("multiple_of",),
    "string_too_short": ("min_length",),
    "string_too_long": ("max_length",),
    "string_pattern_mismatch": ("pattern",),
}
"""Kinds of errors whose texts quote the class and not the value, and what they quote."""


def describe_validation_error(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the fields that an error is about, and of which kind it is for each.

    pydantic's own texts quote values, and so may those of an application's validators. A key of a
    dict is a value, too: in a field's path it is shown as ``…``.

    Args:
        error: of the model's validator.
        model: the class.
    """
    names = _names_in(model)
    told = []
    for found in error.errors(include_url=False, include_input=False):
        path = [
            str(step) if _may_show(step, index, found["type"], names) else _HIDDEN
            for index, step in enumerate(found["loc"])
        ]
        told.append(f"{'.'.join(path) or 'the event'}: {_reason(found)}")
    return "; ".join(told)


def describe_serialization_error(error: Exception) -> str:
    """Return why pydantic cannot write a value as JSON: the type, if it says one."""
    found = _UNKNOWN_TYPE.fullmatch(str(error))
    if found is None:
        return (
            "a value in it cannot be written as JSON: a serializer failed, or its type is unknown"
        )
    return f"it holds a value of type {found[1]}, which pydantic cannot write as JSON"


def _may_show(step: int | str, index: int, kind: str, names: frozenset[str]) -> bool:
    # A key that the class does not know is the name of a field of another release.
    return isinstance(step, int) or step in names or (index == 0 and kind == _UNEXPECTED)


def _reason(found: Mapping[str, Any]) -> str:
    kind = found["type"]
    if kind not in get_args(ErrorType):  # an application may make it of the value
        return "its validator refuses the value"
    bounds = {name: found["ctx"][name] for name in _BOUNDS.get(kind, ())}
    try:
        return f"{PydanticKnownError(kind, bounds or None).message()} ({kind})"
    except TypeError:  # the text would quote more than the class
        return f"it is refused ({kind})"


def _names_in(model: type[BaseModel]) -> frozenset[str]:
    """Return every text in a class's schema: names of fields, of branches and of types."""
    names: set[str] = set()
    waiting: list[Any] = [model.__pydantic_core_schema__]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            names.add(part)
        elif isinstance(part, Mapping):
            waiting += part.keys()
            waiting += part.values()
        elif isinstance(part, list | tuple):
            waiting += part
    return frozenset(names)
