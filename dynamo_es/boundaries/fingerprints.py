"""Keys of saved states: a state is only for models that begin alike and follow the same query."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_json

from dynamo_es.boundaries.decision import IN_USE
from dynamo_es.exceptions import DecisionDefinitionError

if TYPE_CHECKING:
    from dynamo_es.boundaries.decision import DecisionModel
    from dynamo_es.values import Query

_TEXTS = (str, int, float, bytes, UUID, date, datetime, time, timedelta, Decimal)


def fingerprint(model: DecisionModel, query: Query) -> str:
    """Return the key of the states of a model that has no events so far.

    It depends on the model's class, on the query, and on all attributes of the model. So a model
    never gets the state of one that was made with other arguments.

    Args:
        model: a new one.
        query: its query, with the names of the event types.

    Raises:
        DecisionDefinitionError: the model has an attribute that cannot be compared.
    """
    kind = type(model)
    alternatives = sorted(
        [sorted(map(str, item.types)), sorted(item.tag_texts)] for item in query.items
    )
    attributes = [
        [name, _plain(value, f"{kind.__qualname__}.{name}")]
        for name, value in sorted(vars(model).items())
        if name not in {"query", IN_USE}
    ]
    text = to_json([_name_of(kind), alternatives, attributes])
    return sha256(text).hexdigest()


def _plain(value: Any, label: str) -> Any:
    """Return a value as JSON that is the same in each process, and differs for other values."""
    kind = _name_of(type(value))
    if value is None or isinstance(value, type):
        return [kind, None if value is None else _name_of(value)]
    if isinstance(value, Enum):
        return [kind, value.name]
    if isinstance(value, _TEXTS):
        return [kind, str(value)]
    return [kind, _members(value, label)]


def _members(value: Any, label: str) -> list[Any]:
    if isinstance(value, BaseModel):
        value = dict(value)
    elif is_dataclass(value):
        value = {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(each, label) for each in value]
    if isinstance(value, dict):
        found = [[_plain(key, label), _plain(each, label)] for key, each in value.items()]
    elif isinstance(value, set | frozenset):
        found = [_plain(each, label) for each in value]
    else:
        raise DecisionDefinitionError(
            f"{label} is of type {type(value).__qualname__}, so two models may differ in a way "
            "that their saved states do not show. Keep it out of the model, or remove "
            "__snapshot__() from the model."
        )
    return sorted(found, key=to_json)


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
