"""Turns events and contexts into JSON, and proves that the JSON loads as the same object."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from dynamo_es.event_store.comparison import find_difference
from dynamo_es.event_store.secret_text import reveal_secrets

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dynamo_es.event_store.event import Event, Json
    from dynamo_es.event_store.registry import EventKind
    from dynamo_es.event_store.wrapped import Context

Describe: TypeAlias = Callable[[ValidationError, "type[Event]"], str]
"""Describes a validation error of a class, without values."""


class Proved(NamedTuple):
    """The JSON of an event or a context, or the problem with it.

    It is a value, not an exception, so that no exception that quotes values is chained to the one
        that is raised.

    Attributes:
        data: the JSON; empty if it cannot be made.
        problem: reason why the JSON would not load as the same object; it names the field, but no
            value. None: no problem.
    """

    data: Json
    problem: str | None


def prove_event(kind: EventKind, event: Event, describe: Describe) -> Proved:
    """Return the JSON of an event. Fields that will be encrypted hold their secrets in clear.

    Args:
        kind: the kind of the event.
        event: the event; it may have been changed, or built without validation.
        describe: describes a validation error.
    """
    text, data, problem = _dump(kind.serializer, event)
    if problem is not None:
        return Proved(data, problem)
    problem = _problem(kind, event, text, describe)
    if problem is None:
        return Proved(data, None)
    revealed = reveal_secrets(event, data)
    if revealed is None:
        return Proved(data, problem)
    return Proved(revealed, _problem(kind, event, to_json(revealed), describe))


def prove_context(context: Context, load: Callable[[Json], Context]) -> Proved:
    """Return the JSON of a context, without the ids that are None.

    Args:
        context: the context.
        load: turns JSON into a context.
    """
    _, stored, problem = _dump(context.__pydantic_serializer__, context)
    if problem is not None:
        return Proved(stored, problem)
    for name in type(context).model_fields:
        if stored[name] is None:
            del stored[name]
    try:
        found = find_difference(context, load(stored))
    except ValidationError as error:
        fields = sorted({str(one["loc"][0]) for one in error.errors()})
        return Proved(
            stored, f"{', '.join(fields)} would not load again: give values that Context accepts."
        )
    return Proved(stored, None if found is None else str(found))


def _problem(kind: EventKind, event: Event, text: bytes, describe: Describe) -> str | None:
    try:
        loaded = kind.validator.validate_json(text)
        found = find_difference(event, loaded)
    except ValidationError as error:
        return f"{describe(error, kind.event_class)}."
    except Exception as error:  # noqa: BLE001 - a validator may raise anything
        return f"could not be loaded again: a validator fails with {type(error).__name__}."
    return None if found is None else str(found)


def _dump(serializer: Any, model: BaseModel) -> tuple[bytes, Json, str | None]:
    """Return the JSON of a model as text and as data, and the problem with it or None."""
    try:
        text = serializer.to_json(model, by_alias=True, round_trip=True, warnings=False)
        return text, from_json(text), None
    except Exception as error:  # noqa: BLE001 - a serializer may raise anything
        what = type(error).__name__
    culprit = _culprit(serializer, model)
    problem = f"{culprit} cannot be written as JSON ({what}): convert it to a type that JSON has."
    return b"", {}, problem


def _culprit(serializer: Any, model: BaseModel) -> str:
    """Return the name of the first field that cannot be written as JSON."""
    members = {**model.__dict__, **(model.__pydantic_extra__ or {})}
    for name, value in members.items():
        try:
            from_json(serializer.to_json(model, include={name}, round_trip=True, warnings=False))
        except Exception:  # noqa: BLE001 - the failure is the result
            return f"{name} (of type {type(value).__name__})"
    return "the event"
