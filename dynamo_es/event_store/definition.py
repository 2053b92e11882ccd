"""Checks the definition of an event class before the first of its events is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import PydanticUndefinedAnnotation, PydanticUserError

from dynamo_es.event_store.event import Event, event_name
from dynamo_es.exceptions import DuplicatedEvent, EventDefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATHS: Final = "PathType.validate_"
_COLLECTIONS: Final = (tuple, list, set, frozenset)
_UNWALKED: Final = frozenset(
    {"default", "metadata", "serialization", "expected", "computed_fields"}
)
_FUTURE: Final = (
    "takes future dates only, but stored events are loaded when their dates have passed: check the "
    "date where you make the event, and declare date or datetime."
)
_ONE_SHOT: Final = (
    "can be iterated only once, and is empty when the append is tried again: declare a list or a "
    "tuple."
)
_FILES: Final = (
    "checks whether a file exists, which may differ where the event is loaded: declare Path."
)


def check_definition(event: type[Event]) -> None:
    """Raise if another process could not load the events of a class.

    Raises:
        DuplicatedEvent: the class inherits the name or the aliases of its base class.
        EventDefinitionError: there is another problem; the message says what to do.
    """
    try:
        event.model_rebuild()
    except (PydanticUndefinedAnnotation, PydanticUserError) as error:
        raise EventDefinitionError(
            f"{event.__qualname__}: a type in it cannot be resolved ({error.message}). Define it "
            "at the top of a module, or call model_rebuild() of the class when the type is defined."
        ) from error
    _check_generic(event)
    _check_name(event)
    _check_aliases(event)
    for field, reason in _unfit_fields(event.__pydantic_core_schema__, None):
        raise EventDefinitionError(f"{event.__qualname__}: the field {field} {reason}")


def own_names(event: type[Event]) -> tuple[str, ...]:
    """Return the name and the aliases that a class itself defines, even invalid ones.

    An inherited name belongs to the base class.
    """
    names: list[Any] = []
    if _base_with(event, "__event_name__") is None:
        names.append(event_name(event))
    if _base_with(event, "__event_aliases__") is None:
        aliases: Any = event.__event_aliases__
        names += aliases if isinstance(aliases, _COLLECTIONS) else [aliases]
    return tuple(name for name in names if isinstance(name, str))


def _base_with(event: type[Event], attribute: str) -> type[Event] | None:
    """Return the event class that a class inherits an attribute from; None for its own."""
    for base in event.__mro__:
        if attribute in vars(base):
            from_base = base not in (event, Event) and issubclass(base, Event)
            return base if from_base else None
    return None


def _check_generic(event: type[Event]) -> None:
    generic = event.__pydantic_generic_metadata__
    if generic["parameters"] or generic["origin"] is not None:
        name = (generic["origin"] or event).__name__
        raise EventDefinitionError(
            f"{event.__qualname__} is a generic class, and another process could not find it by "
            f"name: derive a class with a name of its own, such as "
            f"class {name}OfInt({name}[int])."
        )


def _check_name(event: type[Event]) -> None:
    base = _base_with(event, "__event_name__")
    if base is not None:
        raise DuplicatedEvent(
            f"{event_name(event)!r} is the name of {base.__qualname__}, and {event.__qualname__} "
            "inherits it: give each class its own __event_name__."
        )
    name = getattr(event, "__event_name__", event.__qualname__)
    if not isinstance(name, str) or not name:
        raise EventDefinitionError(
            f"{event.__qualname__}: __event_name__ must be text and not empty, not {name!r}."
        )


def _check_aliases(event: type[Event]) -> None:
    aliases: Any = event.__event_aliases__
    if isinstance(aliases, str):
        raise EventDefinitionError(
            f"{event.__qualname__}: __event_aliases__ is the text {aliases!r}: write a tuple, "
            f"({aliases!r},)."
        )
    if not isinstance(aliases, _COLLECTIONS) or not all(
        isinstance(alias, str) and alias for alias in aliases
    ):
        raise EventDefinitionError(
            f"{event.__qualname__}: __event_aliases__ must be a tuple of texts that are not empty, "
            f"not {aliases!r}."
        )
    base = _base_with(event, "__event_aliases__")
    if base is not None and aliases:
        raise DuplicatedEvent(
            f"{event.__qualname__} inherits the aliases of {base.__qualname__}, which has them "
            "too: set __event_aliases__ in the class, () for none."
        )


def _unfit_fields(schema: Any, field: str | None) -> Iterator[tuple[str, str]]:
    """Yield each field whose stored value could not be loaded, at any depth, and the reason."""
    if isinstance(schema, Mapping):
        reason = _unfit(schema)
        if reason is not None:
            yield field or "?", reason
        named = schema.get("type") in ("model-fields", "typed-dict")
        for key, part in schema.items():
            if named and key == "fields":
                for name, member in part.items():
                    yield from _unfit_fields(member, field or name)
            elif key not in _UNWALKED:
                yield from _unfit_fields(part, field)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from _unfit_fields(part, field)


def _unfit(schema: Mapping[str, Any]) -> str | None:
    if schema.get("type") == "generator":
        return _ONE_SHOT
    if schema.get("now_op") == "future":
        return _FUTURE
    function = schema.get("function")
    if isinstance(function, Mapping):
        name = getattr(function.get("function"), "__qualname__", "")
        return _FILES if name.startswith(_PATHS) else None
    return None
