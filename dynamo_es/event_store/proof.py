"""Makes JSON of events and contexts, and proves that it loads as what was given."""

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
"""Says what the validation of a class has found."""


class Proved(NamedTuple):
    """What has become of an event or a context.

    No error, so that none that quotes a value is chained to the one that is raised.

    Attributes:
        data: its JSON, if it can be made.
        problem: why that would not load as what was given: names the field, and no value.
    """

    data: Json
    problem: str | None


def prove_event(kind: EventKind, event: Event, describe: Describe) -> Proved:
    """Return the JSON of an event. Its secrets stand in it where they are to be encrypted.

    Args:
        kind: the class of the event.
        event: the event; may have been changed, or built without validation.
        describe: says what the validation of a class has found.
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
    """Return the JSON of a context, without the ids that it does not have.

    Args:
        context: the context.
        load: makes a context of its JSON.
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
        return Proved(stored, f"{', '.join(fields)} would not load again: give what Context takes.")
    return Proved(stored, None if found is None else str(found))


def _problem(kind: EventKind, event: Event, text: bytes, describe: Describe) -> str | None:
    try:
        loaded = kind.validator.validate_json(text)
        found = find_difference(event, loaded)
    except ValidationError as error:
        return f"{describe(error, kind.event_class)}."
    except Exception as error:  # noqa: BLE001 - of validators, any
        return f"could not be loaded again: a validator fails with {type(error).__name__}."
    return None if found is None else str(found)


def _dump(serializer: Any, model: BaseModel) -> tuple[bytes, Json, str | None]:
    """Return the JSON of a model as text and as data, or what is wrong with it."""
    try:
        text = serializer.to_json(model, by_alias=True, round_trip=True, warnings=False)
        return text, from_json(text), None
    except Exception as error:  # noqa: BLE001 - of serializers, any
        what = type(error).__name__
    culprit = _culprit(serializer, model)
    problem = f"{culprit} cannot be made JSON ({what}): convert what JSON does not have."
    return b"", {}, problem


def _culprit(serializer: Any, model: BaseModel) -> str:
    """Return the name of the first field that cannot be made JSON."""
    members = {**model.__dict__, **(model.__pydantic_extra__ or {})}
    for name, value in members.items():
        try:
            from_json(serializer.to_json(model, include={name}, round_trip=True, warnings=False))
        except Exception:  # noqa: BLE001 - that is what is looked for
            return f"{name} (of type {type(value).__name__})"
    return "the event"
