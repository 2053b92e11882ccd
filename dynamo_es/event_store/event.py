"""`Event` and `Snapshot`, the base classes of an application's events."""

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
        __event_name__: the name that events are stored under. The default is the module and the
            qualified name of the class, which change when you move the class: set a name.
        __event_aliases__: earlier names of the class, which stored events still have.
        __schema_version__: number of the current schema, from 1. Raise it when the fields change,
            and add an `upcaster` from the version before.
    """

    __event_name__: ClassVar[str]
    __event_aliases__: ClassVar[tuple[str, ...]] = ()
    __schema_version__: ClassVar[int] = 1

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        tagged_fields(cls)  # refuses wrong marks where the class is defined
        Definitions.number += 1


class Definitions:
    """Counts the event classes of this process, so that the registry notices a new one.

    Attributes:
        number: number of classes defined so far.
    """

    number: ClassVar[int] = 0


class Snapshot(Event):
    """Base class of snapshots: the state of a stream at a version.

    A stored snapshot with another schema version than its class is ignored, never upcast: the
    events can make it again.
    """


def event_name(event: type[Event]) -> str:
    """Return the name that a class's events are stored under."""
    return getattr(event, "__event_name__", "") or f"{event.__module__}.{event.__qualname__}"
