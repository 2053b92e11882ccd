"""Calculates the cost of an append of typed events, without a request."""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Annotated

import pytest

from dynamo_es import DataSubject, DynamoBackend, Encrypted, Event, MemoryBackend, StreamId
from dynamo_es.exceptions import CommitTooLargeError, InvalidEventError
from tests.event_store.accounts import Deposited, Opened

ANN = StreamId(name="ann", category="account")


class Registered(Event):
    __event_name__ = "cost.registered"

    customer: Annotated[str, DataSubject]
    email: Annotated[str, Encrypted(mask_value="(gone)")]


@pytest.fixture
def reports():
    return []


@pytest.fixture
def store(reports):
    with DynamoBackend.local(reports.append, sequencing="stream") as backend:
        yield backend.in_tenant("acme").event_store


@pytest.mark.parametrize(
    "events",
    [
        [Opened(owner="Ann")],
        [Opened(owner="A" * 5000), Deposited(amount=5)],
        [Registered(customer="ann", email="ann@example.com" * 200)],
    ],
)
def test_it_is_what_the_append_is_charged(store, reports, events):
    cost = store.append_cost(*events, stream_id=ANN)

    assert reports == []
    store.append(*events, stream_id=ANN)
    assert cost.events == len(events)
    assert reports[-1].operation == "append"
    # An event's id and time compress to a few bytes more or less.
    assert abs(reports[-1].bytes_written - cost.size) < 20


def test_it_makes_no_key(store, reports):
    store.append_cost(Registered(customer="ann", email="a@b.c"), stream_id=ANN)

    assert reports == []
    store.append(Registered(customer="ann", email="a@b.c"), stream_id=ANN)
    assert "create_key" in {one.operation for one in reports}


def test_no_events_cost_nothing(store):
    assert store.append_cost(stream_id=ANN).write_units == 0


def test_it_refuses_what_the_append_refuses(store):
    with pytest.raises(InvalidEventError):
        store.append_cost("opened", stream_id=ANN)
    with pytest.raises(CommitTooLargeError):
        store.append_cost(*[Opened(owner=token_urlsafe(6_000_000))], stream_id=ANN)


def test_in_memory_nothing_is_charged():
    cost = MemoryBackend().event_store.append_cost(Opened(owner="Ann"), stream_id=ANN)

    assert (cost.events, cost.items, cost.write_units) == (1, 0, 0)
