"""Makes JSON of events and contexts, and proves that it loads as what was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from dynamo_es.event_store.comparison import find_difference
from dynamo_es.event_store.secret_text import reveal_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from dynamo_es.event_store.event import Event, Json
    from dynamo_es.event_store.registry import EventKind
    from dynamo_es.event_store.wrapped import Context

_NO_JSON: Final = "cannot be made JSON ({}): convert what JSON does not have."


class UnfaithfulError(ValueError):
    """What would be loaded is not what was given; the message names the field, and no value."""


def prove_event(kind: EventKind, event: Event, describe: Callable[[ValidationError], str]) -> Json:
    """Return the JSON of an event. Its secrets stand in it where they are to be encrypted.

    Args:
        kind: the class of the event.
        event: the event; may have been changed, or built without validation.
        describe: says what a validation has found.

    Raises:
        UnfaithfulError: it would load as something else, or not at all.
    """
    data = _json(kind.serializer, event)
    problem = _problem(kind, event, data, describe)
    if problem is None:
        return data
    revealed = reveal_secrets(event, data)
    if revealed is not None:
        problem = _problem(kind, event, revealed, describe)
    if revealed is None or problem is not None:
        raise UnfaithfulError(problem)
    return revealed


def prove_context(context: Context, load: Callable[[Json], Context]) -> Json:
    """Return the JSON of a context, without the ids that it does not have.

    Args:
        context: the context.
        load: makes a context of its JSON.

    Raises:
        UnfaithfulError: it would load as something else.
    """
    stored = _json(context.__pydantic_serializer__, context)
    for name in type(context).model_fields:
        if stored[name] is None:
            del stored[name]
    if found := find_difference(context, load(stored)):
        raise UnfaithfulError(str(found))
    return stored


def _problem(
    kind: EventKind, event: Event, data: Json, describe: Callable[[ValidationError], str]
) -> str | None:
    try:
        # As it is loaded: from the JSON of what is stored.
        loaded = kind.validator.validate_json(to_json(data))
        found = find_difference(event, loaded)
    except ValidationError as error:
        return f"{describe(error)}."
    except Exception as error:  # noqa: BLE001 - of validators, any
        return f"could not be loaded again: a validator fails with {type(error).__name__}."
    return None if found is None else str(found)


def _json(serializer: Any, model: BaseModel) -> Json:
    try:
        text = serializer.to_json(model, by_alias=True, round_trip=True, warnings=False)
        data: Json = from_json(text)
    except Exception as error:  # noqa: BLE001 - of serializers, any
        reason = _NO_JSON.format(type(error).__name__)
        raise UnfaithfulError(f"{_culprit(serializer, model)} {reason}") from None
    return data


def _culprit(serializer: Any, model: BaseModel) -> str:
    """Return the name of the first field that cannot be made JSON."""
    for name in (*model.__dict__, *(model.__pydantic_extra__ or {})):
        try:
            from_json(serializer.to_json(model, include={name}, by_alias=True, round_trip=True))
        except Exception:  # noqa: BLE001 - that is what is looked for
            value = model.__dict__.get(name) or (model.__pydantic_extra__ or {}).get(name)
            return f"{name} (of type {type(value).__name__})"
    return "the event"
