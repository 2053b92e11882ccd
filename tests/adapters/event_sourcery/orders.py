"""Events of an application that uses python-event-sourcery alone."""

from __future__ import annotations

from typing import Annotated, Any

from event_sourcery.encryption import DataSubject, Encrypted
from event_sourcery.event import Event, Recorded, WrappedEvent


class OrderPlaced(Event):
    __event_name__ = "adapter.OrderPlaced"

    number: int = 0


class OrderShipped(Event):
    __event_name__ = "adapter.OrderShipped"

    parcels: list[str] = []


class OrderSummary(Event):
    __event_name__ = "adapter.OrderSummary"

    events: int


class CustomerMoved(Event):
    __event_name__ = "adapter.CustomerMoved"

    customer: Annotated[str, DataSubject]
    street: Annotated[str, Encrypted(mask_value="(erased)")]


class NoteTaken(Event):
    __event_name__ = "adapter.NoteTaken"

    text: Annotated[str, Encrypted(mask_value="(erased)")]


def placed(*versions: int | None) -> list[WrappedEvent[Any]]:
    """Return events with these versions, each unlike every other."""
    return [
        WrappedEvent.wrap(OrderPlaced(number=number), version)
        for number, version in enumerate(versions)
    ]


def summary(version: int) -> WrappedEvent[Any]:
    """Return a snapshot."""
    return WrappedEvent.wrap(OrderSummary(events=version), version)


class Publisher:
    """Notes what it is given; fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.seen: list[Recorded] = []

    def __call__(self, record: Recorded) -> None:
        self.seen.append(record)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no broker")

    @property
    def positions(self) -> list[int]:
        return [record.position for record in self.seen]


class Heard:
    """A listener that notes what it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[tuple[Any, ...]] = []

    def __call__(
        self, wrapped_event: WrappedEvent[Any], stream_id: Any, tenant_id: str, position: int
    ) -> None:
        self.calls.append((wrapped_event, stream_id, tenant_id, position))
        if self.error is not None:
            raise self.error

    @property
    def positions(self) -> list[int]:
        return [position for *_, position in self.calls]
