"""Stores with a log of each tenant, and events in them."""

from typing import Any

import pytest

from dynamo_es import DynamoBackend, Event, MemoryBackend, StreamId

TENANTS = ("", "acme", "a#b%c")


class Counted(Event):
    __event_name__ = "scope.Counted"

    number: int


class Other(Event):
    __event_name__ = "scope.Other"


@pytest.fixture(scope="module", params=["memory", "moto"])
def shared(request):
    if request.param == "memory":
        yield MemoryBackend(log_scope="tenant")
        return
    with DynamoBackend.local(log_scope="tenant") as backend:
        yield backend


@pytest.fixture
def backend(shared):
    """A backend of all tenants, without data on DynamoDB; each test has an own one in memory."""
    if isinstance(shared, DynamoBackend):
        shared.clear()
        return shared
    return MemoryBackend(log_scope="tenant")


def fill(backend: Any, *numbers: int, tenants: tuple[str, ...] = TENANTS, category="c") -> None:
    """Append an event for each number, each to a stream of its own, to each tenant in turn."""
    for number in numbers:
        for tenant in tenants:
            scoped = backend.in_tenant(tenant)
            scoped.event_store.append(Counted(number=number), stream_id=StreamId(category=category))


def seen(records: Any) -> dict[str, list[tuple[int, int]]]:
    """Return position and number of typed events, by tenant."""
    found: dict[str, list[tuple[int, int]]] = {}
    for one in records:
        place = (one.position, one.wrapped_event.event.number)
        found.setdefault(one.tenant_id, []).append(place)
    return found
