"""Makes event classes with one field, and finds the differences of two values."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from itertools import count
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr, create_model

from dynamo_es import Event

_numbers = count()


def event_class(kind: Any, **config: Any) -> type[Event]:
    """Return an event class with a field ``x`` of a type, and a configuration."""
    name = f"Shape{next(_numbers)}"
    base = type("Base", (Event,), {"model_config": config}) if config else Event
    made: Any = create_model(name, __base__=base, __module__=__name__, x=(kind, ...))
    return made


def event_of(kind: Any, value: Any, **config: Any) -> Event:
    """Return an event with such a field, validated as applications do it."""
    return event_class(kind, **config).model_validate({"x": value})


def account_of(value: Any) -> Any:  # noqa: PLR0911 - one rule a line
    """Return all there is to a value, types included, as nested tuples of text.

    Equal accounts are equal values; written without a look at how the store compares.
    """
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, BaseModel):
        members = {name: value.__dict__[name] for name in type(value).model_fields}
        parts = (members, value.__pydantic_extra__ or {}, value.__pydantic_private__ or {})
        return (kind, *map(account_of, parts))
    if isinstance(value, SecretStr | SecretBytes):
        return (kind, account_of(value.get_secret_value()))
    if isinstance(value, datetime | time):
        fold = value.fold if value.tzinfo is None else 0
        return (kind, value.replace(tzinfo=None, fold=0).isoformat(), str(value.utcoffset()), fold)
    if isinstance(value, Mapping):
        pairs = [(account_of(key), account_of(one)) for key, one in value.items()]
        return (kind, sorted(pairs, key=repr))
    if isinstance(value, AbstractSet):
        return (kind, sorted(map(account_of, value), key=repr))
    if isinstance(value, Sequence | deque) and not isinstance(value, str | bytes):
        return (kind, getattr(value, "maxlen", None), [account_of(one) for one in value])
    if is_dataclass(value):
        return (kind, [account_of(getattr(value, one.name)) for one in fields(value)])
    return (kind, repr(value))
