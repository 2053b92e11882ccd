"""Describes pydantic's errors: the field and what it expects, but never the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic_core import PydanticKnownError
from pydantic_core.core_schema import ErrorType

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_HIDDEN: Final = "…"
_UNEXPECTED: Final = "extra_forbidden"
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
"""Error types whose texts quote only constraints of the class, with those constraints' names."""


def describe_validation_error(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the fields that failed validation, with the reason for each.

    pydantic's own texts quote values, and those of your validators may. A key of a dict is a value
    too, so a path shows it as ``…``.

    Args:
        error: the error of the model's validator.
        model: the class.
    """
    names = _names_in(model)
    found_in = []
    for found in error.errors(include_url=False, include_input=False):
        path = [
            str(step) if _may_show(step, index, found["type"], names) else _HIDDEN
            for index, step in enumerate(found["loc"])
        ]
        found_in.append(f"{'.'.join(path) or 'the event'}: {_reason(found)}")
    return "; ".join(found_in)


def _may_show(step: int | str, index: int, kind: str, names: frozenset[str]) -> bool:
    # An unknown key at the top is probably the name of a field in another release.
    return isinstance(step, int) or step in names or (index == 0 and kind == _UNEXPECTED)


def _reason(found: Mapping[str, Any]) -> str:
    kind = found["type"]
    if kind not in get_args(ErrorType):  # a validator's own error type may quote the value
        return "its validator refuses the value"
    bounds = {name: found["ctx"][name] for name in _BOUNDS.get(kind, ())}
    try:
        return f"{PydanticKnownError(kind, bounds or None).message()} ({kind})"
    except TypeError:  # the text would quote the value
        return f"it is refused ({kind})"


def _names_in(model: type[BaseModel]) -> frozenset[str]:
    """Return every text in a class's schema: names of fields, branches and types."""
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
