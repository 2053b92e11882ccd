"""Makes keys of saved states. Models share states only if they begin with equal attributes."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pydantic import BaseModel

from dynamo_es.boundaries.decision import IN_USE
from dynamo_es.exceptions import DecisionDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.boundaries.decision import DecisionModel
    from dynamo_es.values import Query

# `str` would leave out the time zone of a time, and refuse an integer of 5,000 digits.
_TEXTS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: str.__str__,
    int: hex,
    bool: hex,
    float: float.__repr__,
    bytes: bytes.hex,
    UUID: UUID.__str__,
    datetime: datetime.__repr__,
    date: date.__repr__,
    time: time.__repr__,
    timedelta: timedelta.__repr__,
    Decimal: Decimal.__repr__,
}
_WITHOUT_ATTRIBUTES: Final = frozenset({*_TEXTS, list, tuple, dict, set, frozenset})


def fingerprint(model: DecisionModel, query: Query) -> str:
    """Return the key for the states of a model that has no events so far.

    The key depends on the model's class, its query and all its attributes. So a model never gets
    the state of a model that was made with other arguments.

    Args:
        model: a new model.
        query: its query, with stored names as types.

    Raises:
        DecisionDefinitionError: an attribute of the model cannot be part of a key.
    """
    kind = type(model)
    alternatives = sorted(
        [sorted(map(str, item.types)), sorted(item.tag_texts)] for item in query.items
    )
    attributes = [
        [name, _text(value, f"{kind.__qualname__}.{name}")]
        for name, value in sorted(_attributes(model).items())
        if name not in {"query", IN_USE}
    ]
    text = json.dumps([_name_of(kind), alternatives, attributes])
    return sha256(text.encode()).hexdigest()


def _text(value: Any, label: str) -> str:
    try:
        return json.dumps(_plain(value, label))
    except RecursionError:
        raise DecisionDefinitionError(
            f"{label} contains itself or is nested too deep, so it cannot be compared with that of "
            "another model. Keep it out of the model, or remove __snapshot__() from the model."
        ) from None


def _plain(value: Any, label: str) -> Any:
    """Return a value as JSON that is the same in every process and differs for other values."""
    kind = type(value)
    name = _name_of(kind)
    if value is None or isinstance(value, type):
        return [name, None if value is None else _name_of(value)]
    if isinstance(value, Enum):
        # A combination of flags may have no name.
        return [name, value.name or hex(value.value)]
    as_text = _TEXTS.get(kind)
    if as_text is None and kind not in _WITHOUT_ATTRIBUTES:
        as_text = next((text for base, text in _TEXTS.items() if isinstance(value, base)), None)
    content = _members(value, label) if as_text is None else as_text(value)
    if kind in _WITHOUT_ATTRIBUTES:
        return [name, content]
    return [name, content, _members(_attributes(value), label)]


def _members(value: Any, label: str) -> list[Any]:
    """Return the contents of a value that are not attributes, such as the entries of a list."""
    if isinstance(value, list | tuple):
        return [_plain(each, label) for each in value]
    if isinstance(value, dict):
        found = [[_plain(key, label), _plain(each, label)] for key, each in value.items()]
        return found if isinstance(value, OrderedDict) else sorted(found, key=json.dumps)
    if isinstance(value, set | frozenset):
        return sorted((_plain(each, label) for each in value), key=json.dumps)
    if isinstance(value, BaseModel) or is_dataclass(value):
        return []
    raise DecisionDefinitionError(
        f"{label} is of type {type(value).__qualname__}, so two models may differ in a way "
        "that their saved states do not show. Keep it out of the model, or remove "
        "__snapshot__() from the model."
    )


def _attributes(value: Any) -> dict[str, Any]:
    """Return all attributes of an object, including private ones and those in slots."""
    if isinstance(value, BaseModel):
        # A model's slots also say which fields were given, which must not count.
        extra, private = value.__pydantic_extra__, value.__pydantic_private__
        return {**vars(value), **(extra or {}), **(private or {})}
    state: Any = object.__getstate__(value)
    own, slots = state if isinstance(state, tuple) else (state, None)
    return {**(own or {}), **(slots or {})}


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
