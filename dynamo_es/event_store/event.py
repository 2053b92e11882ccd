"""Event classes: what an application derives its events from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias

from pydantic import BaseModel

from dynamo_es.contracts.functions import refuse_asynchronous

Json: TypeAlias = dict[str, Any]
"""The data of an event, as it is stored."""

Upcaster: TypeAlias = Callable[[Json], Json]

_FROM_VERSION: Final = "__upcasts_from__"


class Event(BaseModel, extra="forbid"):
    """Base class of events: a pydantic model, stored as JSON under its name.

    ::

        class Deposited(Event):
            __event_name__ = "account.deposited"
            __schema_version__ = 2

            amount_cents: int

            @upcaster(from_version=1)
            @staticmethod
            def in_cents(data: dict[str, Any]) -> dict[str, Any]:
                return {"amount_cents": data["amount"] * 100}

    Attributes:
        __event_name__: name it is stored under; by default module and qualified name, which
            move with the class: name events that are meant to live.
        __event_aliases__: other names that stored events may have: those from before a move.
        __schema_version__: 1 and up; an `upcaster` for each version below lifts what is stored.
    """

    __event_name__: ClassVar[str]
    __event_aliases__: ClassVar[tuple[str, ...]] = ()
    __schema_version__: ClassVar[int] = 1

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        Definitions.number += 1


class Definitions:
    """Counts the event classes of this process, so that a new one is noticed.

    Attributes:
        number: of classes defined so far.
    """

    number: ClassVar[int] = 0


class Snapshot(Event):
    """Base class of snapshots: the state that the events up to a version have led to.

    A stored snapshot of another schema version than its class is ignored, never lifted: it can
    be made again from the events.
    """


def upcaster(*, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Mark a static method in the body of an event class as the step from one schema version up.

    It takes the stored JSON of that version, and returns that of the next one. What it is given
    is its own to change. Steps are chained up to the class's ``__schema_version__``.

    Args:
        from_version: schema version that it takes.
    """

    def mark(step: Upcaster) -> Upcaster:
        function = step.__func__ if isinstance(step, staticmethod) else step
        refuse_asynchronous(function, "An upcaster")
        setattr(function, _FROM_VERSION, from_version)
        # Static, so that it is no method, and pydantic leaves it alone.
        marked: Any = staticmethod(function)
        return marked  # type: ignore[no-any-return]

    return mark


def upcasters_of(event: type[Event]) -> dict[int, Upcaster]:
    """Return the steps marked in a class and its bases, by the version they take."""
    steps: dict[int, Upcaster] = {}
    for base in reversed(event.__mro__):
        for member in vars(base).values():
            function = member.__func__ if isinstance(member, staticmethod) else None
            version = getattr(function, _FROM_VERSION, None)
            if function is not None and version is not None:
                steps[version] = function
    return steps


def event_name(event: type[Event]) -> str:
    """Return the name that events of a class are stored under."""
    return getattr(event, "__event_name__", "") or f"{event.__module__}.{event.__qualname__}"
