"""Finds event classes by name, and checks their names and upcasters."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dynamo_es.event_store.definition import check_definition, own_names
from dynamo_es.event_store.event import Definitions, Event, Snapshot, event_name
from dynamo_es.event_store.tags import tagged_fields
from dynamo_es.event_store.upcasting import checked_upcasters
from dynamo_es.exceptions import DuplicatedEvent, EventDefinitionError, InvalidSubscriptionError
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dynamo_es.event_store.tags import TaggedField
    from dynamo_es.event_store.upcasting import Upcaster

_MOST_UNKNOWN: Final = 1_000
"""Most names without a class that a registry remembers, to save the search of all classes."""

_T = TypeVar("_T", bound=Event)


@dataclass(frozen=True, slots=True)
class EventKind:
    """An event class, with the data about it that the store needs.

    Attributes:
        event_class: the class.
        name: stored name of its events.
        schema_version: schema version of the class.
        upcasters: the upcaster from each lower schema version, by that version.
        validator: pydantic's validator of the class.
        serializer: pydantic's serializer of the class.
        tags: the fields that are marked `Tag`.
    """

    event_class: type[Event]
    name: str
    schema_version: int
    upcasters: Mapping[int, Upcaster]
    validator: Any
    serializer: Any
    tags: tuple[TaggedField, ...] = ()

    @property
    def is_snapshot(self) -> bool:
        """Whether the class is a `Snapshot` class."""
        return issubclass(self.event_class, Snapshot)

    @classmethod
    def of(cls, event: type[Event]) -> EventKind:
        """Return the kind of an event class.

        Raises:
            EventDefinitionError: events of the class could not be stored or loaded.
            DuplicatedEvent: the class inherits the name or the aliases of its base class.
        """
        if not isinstance(event, type) or not issubclass(event, Event):
            raise EventDefinitionError(
                f"{shown(event)} is not an event class: derive one from dynamo_es.Event."
            )
        version = event.__schema_version__
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise EventDefinitionError(
                f"{event.__qualname__}: __schema_version__ must be an integer of 1 or more, not "
                f"{shown(version)}."
            )
        steps = {} if issubclass(event, Snapshot) else checked_upcasters(event, version)
        check_definition(event)
        return cls(
            event,
            event_name(event),
            version,
            steps,
            event.__pydantic_validator__,
            event.__pydantic_serializer__,
            tagged_fields(event),
        )


class EventRegistry:
    """Finds event classes by name. You need not add classes: it finds every subclass of `Event`.

    A class that is defined again with the same module and name (in a notebook, by a reload)
    replaces the earlier one.
    """

    def __init__(self) -> None:
        self._by_type: dict[type[Event], EventKind] = {}
        self._by_name: dict[str, EventKind] = {}
        self._checked_at: dict[type[Event], int] = {}
        self._unknown: dict[str, int] = {}  # `Definitions.number` at the time of the search

    def add(self, event: type[_T]) -> type[_T]:
        """Add a class now, to check its definition early. Works as a decorator.

        Raises:
            DuplicatedEvent: the class was added before, or another class has its name or alias.
            EventDefinitionError: the class's events cannot be stored or loaded.
        """
        if isinstance(event, type) and event in self._by_type:
            raise DuplicatedEvent(f"{_place(event)} is in the registry already: add it once.")
        self._register(event)
        return event

    def type_for_name(self, name: str) -> type[Event]:
        """Return the class of the events with this name.

        Raises:
            KeyError: no class has this name.
        """
        kind = self.kind_named(name)
        if kind is None:
            raise KeyError(name if isinstance(name, str) else shown(name))
        return kind.event_class

    def name_for_type(self, event: type[Event]) -> str:
        """Return the stored name of a class's events.

        Raises:
            DuplicatedEvent: another class has the same name.
            EventDefinitionError: the class's events cannot be stored or loaded.
        """
        return self.kind_of(event).name

    def names_of(self, event: type[Event]) -> frozenset[str]:
        """Return the names and aliases of a class and of its subclasses.

        Subclasses that are defined later are not included.

        Args:
            event: the class. `Event` and generic classes contribute no name of their own.

        Raises:
            DuplicatedEvent: another class has the name of this one.
            EventDefinitionError: it is not an event class, or its events could not be stored.
        """
        if not (isinstance(event, type) and issubclass(event, Event)):
            raise EventDefinitionError(
                f"{shown(event)} is not an event class: give a class derived from dynamo_es.Event."
            )
        own: list[type[Event]] = []
        if event not in {Event, Snapshot} and not _parameters(event):
            self.kind_of(event)
            own = [event]
        return frozenset(
            name
            for one in (*own, *_defined(event))
            for name in (event_name(one), *one.__event_aliases__)
        )

    def names_of_all(self, events: Iterable[type[Event]]) -> frozenset[str]:
        """Return the names and aliases of several classes and of their subclasses."""
        return frozenset(name for event in classes_in(events) for name in self.names_of(event))

    def kind_of(self, event: type[Event]) -> EventKind:
        """Return the kind of a class. Errors are those of `name_for_type`."""
        kind = self._by_type.get(event) if isinstance(event, type) else None
        if kind is None:
            return self._register(event)
        if self._checked_at.get(event) != Definitions.number:
            self._refuse_rivals(event)
        return kind

    def kind_named(self, name: str) -> EventKind | None:
        """Return the kind of the class with this name or alias; None if no class has it.

        Raises:
            DuplicatedEvent: several classes have the name.
            EventDefinitionError: the class's events cannot be stored or loaded.
        """
        if isinstance(name, str) and (known := self._by_name.get(name)):
            return known
        number = Definitions.number
        if isinstance(name, str) and self._unknown.get(name) == number:
            return None
        named = _classes_named(name)
        if len(named) > 1:
            # A class that a function defined stays after the call, until it is collected.
            named = []
            gc.collect()
            named = _classes_named(name)
        if not named:
            if len(self._unknown) >= _MOST_UNKNOWN:
                self._unknown.clear()
            if isinstance(name, str):
                self._unknown[name] = number
            return None
        if len(named) > 1:
            raise DuplicatedEvent(
                f"{name!r} is the name of several event classes: "
                f"{', '.join(map(_place, named))}. Give each its own __event_name__."
            )
        return self._by_type.get(named[0]) or self._register(named[0])

    def _register(self, event: type[Event]) -> EventKind:
        kind = EventKind.of(event)
        self._refuse_rivals(event)
        self._by_type[event] = kind
        self._by_name |= dict.fromkeys(own_names(event), kind)
        return kind

    def _refuse_rivals(self, event: type[Event]) -> None:
        """Raise `DuplicatedEvent` if another class, used or not, has a name of this one."""
        number = Definitions.number
        if _rivals(event):
            # A class that a function defined stays after the call, until it is collected.
            gc.collect()
            for other, name in _rivals(event):
                raise DuplicatedEvent(
                    f"{name!r} is the name of {_place(other)} and of {_place(event)}: "
                    "give each its own __event_name__."
                )
        self._checked_at[event] = number


def _rivals(event: type[Event]) -> list[tuple[type[Event], str]]:
    names, place = set(own_names(event)), _place(event)
    return [
        (other, name)
        for other in _defined(Event)
        for name in own_names(other)
        if name in names and _place(other) != place
    ]


def classes_in(events: Iterable[type[Event]]) -> tuple[type[Event], ...]:
    """Return the event classes that a caller selects, as a tuple.

    Raises:
        InvalidSubscriptionError: it is not a list of classes, or the list is empty.
    """
    if isinstance(events, type | str) or not isinstance(events, Iterable):
        raise InvalidSubscriptionError(
            f"events must be a list of event classes, such as [Deposited], not {shown(events)}."
        )
    chosen = tuple(events)
    if not chosen:
        raise InvalidSubscriptionError(
            "events is empty and would select nothing: name a class, or leave events out."
        )
    return chosen


def _classes_named(name: str) -> list[type[Event]]:
    """Return the classes with a name or alias. A class that was defined again counts once."""
    found: dict[str, type[Event]] = {}
    for event in _defined(Event):
        if name in own_names(event):
            found[_place(event)] = event
    return list(found.values())


def defined_classes() -> list[type[Event]]:
    """Return all event classes of this process. A class that was defined again counts once."""
    return list({_place(event): event for event in _defined(Event)}.values())


def _defined(base: type[Event]) -> Iterator[type[Event]]:
    for event in base.__subclasses__():
        generic = event.__pydantic_generic_metadata__
        if not generic["parameters"] and generic["origin"] is None:
            yield event
        yield from _defined(event)


def _parameters(event: type[Event]) -> tuple[Any, ...]:
    """Return the type variables of a generic class."""
    parameters: tuple[Any, ...] = event.__pydantic_generic_metadata__["parameters"]
    return parameters


def _place(event: type[Event]) -> str:
    return re.sub(r"^__main__\.", "", f"{event.__module__}.{event.__qualname__}")
