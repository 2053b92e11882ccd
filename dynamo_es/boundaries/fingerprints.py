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
        if name != "query"
    ]
    text = to_json([_name_of(kind), alternatives, attributes])
    return sha256(text).hexdigest()


def _plain(value: Any, label: str) -> Any:
    """Return a value as JSON that is the same in each process, and differs for other values."""
    kind = type(value)
    if value is None:
        return None
    if isinstance(value, Enum):
        return [_name_of(kind), value.name]
    if isinstance(value, _TEXTS):
        return [_name_of(kind), str(value)]
    if isinstance(value, type):
        return ["type", _name_of(value)]
    if isinstance(value, BaseModel):
        return [_name_of(kind), _plain(dict(value), label)]
    if is_dataclass(kind):
        named = {each.name: getattr(value, each.name) for each in fields(kind)}
        return [_name_of(kind), _plain(named, label)]
    if isinstance(value, dict):
        pairs = [[_plain(key, label), _plain(each, label)] for key, each in value.items()]
        return [_name_of(kind), sorted(pairs, key=to_json)]
    if isinstance(value, set | frozenset):
        return [_name_of(kind), sorted((_plain(each, label) for each in value), key=to_json)]
    if isinstance(value, list | tuple):
        return [_name_of(kind), [_plain(each, label) for each in value]]
    raise DecisionDefinitionError(
        f"{label} is of type {kind.__qualname__}, so two models may differ in a way that their "
        "saved states do not show. Keep it out of the model, or let the model have no "
        "__snapshot__()."
    )


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
