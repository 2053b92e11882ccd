"""`Event` and `Snapshot`, the base classes for the events of your application."""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

from pydantic import BaseModel

from dynamo_es.event_store.tags import tagged_fields

Json: TypeAlias = dict[str, Any]
"""The stored data of an event."""


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
        __event_name__: the stored name of the events. The default is the module and the qualified
            name of the class. That changes when you move the class, so set a name.
        __event_aliases__: earlier names of the class. Events stored under them load into the class.
        __schema_version__: number of the current schema, from 1. Raise it when the fields change,
            and add an `upcaster` from the version before.
    """

    __event_name__: ClassVar[str]
    __event_aliases__: ClassVar[tuple[str, ...]] = ()
    __schema_version__: ClassVar[int] = 1

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        tagged_fields(cls)  # raises for wrong marks where the class is defined
        Definitions.number += 1


class Definitions:
    """Counts the event classes of this process, so that the registry notices new classes.

    Attributes:
        number: number of classes defined so far.
    """

    number: ClassVar[int] = 0


class Snapshot(Event):
    """Base class of snapshots: the state of a stream at a version.

    A stored snapshot whose schema version is not that of its class is ignored and never upcast,
    because the state can be made from the events again.
    """


def event_name(event: type[Event]) -> str:
    """Return the stored name of a class's events."""
    return getattr(event, "__event_name__", "") or f"{event.__module__}.{event.__qualname__}"
