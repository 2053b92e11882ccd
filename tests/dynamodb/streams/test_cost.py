"""The calculated cost of an append equals the real one, and calculating sends no request."""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from dynamo_es import (
    ANY_VERSION,
    DEFAULT_TENANT,
    NO_VERSIONING,
    DynamoBackend,
    ExplicitVersioning,
    StreamId,
)
from dynamo_es.contracts import AppendCost
from dynamo_es.dynamodb.streams.appending import cost as pricing
from dynamo_es.dynamodb.streams.appending.cost import append_cost
from dynamo_es.dynamodb.wire.sizes import item_size
from dynamo_es.exceptions import CommitTooLargeError, InvalidEventError, InvalidStreamIdError
from dynamo_es.testing.conformance.language import an_event, events

NOW = 1_700_000_000.123457


def noise(stream_id, number, size):
    """Return events that hardly shrink, of that many bytes each when compressed."""
    return [an_event(stream_id, data={"x": Random(n).randbytes(size).hex()}) for n in range(number)]


def mixed(stream_id):
    """Return events whose first half fits in a kilobyte, and whose others fill an item each."""
    return events(stream_id, 2) + noise(stream_id, 2, 300_000)


@pytest.fixture(scope="module")
def recorded():
    """A backend, and the items that it has put."""
    with DynamoBackend.local(sequencing="stream") as local:
        items: list[dict[str, Any]] = []

        def keep(params, **_):
            items.extend(put["Put"]["Item"] for put in params.get("TransactItems", ()))
            items.extend([params["Item"]] if "Item" in params else [])

        local.client.meta.events.register("before-parameter-build.dynamodb", keep)
        # At this time the generation takes as many bytes as one can.
        yield items, DynamoBackend(local.config, local.client, clock=lambda: NOW)


@pytest.fixture
def sent(recorded):
    """The items that a backend puts in a test, and the backend."""
    recorded[0].clear()
    return recorded


NAMED = StreamId(name="order 1", category="order")
PLAIN = StreamId()
SOME = events(PLAIN, 2)


WHERE = [(DEFAULT_TENANT, True), ("acme #1", False), ("acme #1", True), (DEFAULT_TENANT, False)]
"""Tenants, and whether the stream has a name."""


@pytest.mark.parametrize(
    "versioning", [ExplicitVersioning(0), ANY_VERSION, NO_VERSIONING], ids=repr
)
@pytest.mark.parametrize(
    ("some", "items", "compressed", "tenant", "named"),
    [
        pytest.param(some, items, compressed, *where, id=f"{name}-{'-'.join(map(str, where))}")
        for name, some, items, compressed, places in [
            ("one", partial(events, number=1), 1, False, WHERE),
            ("three", partial(events, number=3), 1, False, WHERE),
            ("a hundred", partial(events, number=100), 1, True, WHERE),
            ("noise", partial(noise, number=1, size=3000), 1, True, WHERE),
            # Large ones take long, and their keys are no other.
            ("split", partial(noise, number=6, size=100_000), 2, True, WHERE[:2]),
            ("mixed", mixed, 3, True, WHERE[2:]),
        ]
        for where in places
    ],
)
def test_the_cost_of_an_append_is_that_of_what_is_sent(
    sent, tenant, versioning, some, items, compressed, named
):
    put, backend = sent
    stream_id = StreamId(name=f"order {uuid4()}", category="order") if named else StreamId()
    appended = some(stream_id)
    cost = append_cost(stream_id, appended, versioning=versioning, tenant_id=tenant)
    backend.in_tenant(tenant).storage.insert_events(stream_id, versioning, appended)
    sizes = [item_size(item) for item in put]
    units = sum(-(-size // 1024) for size in sizes)
    assert cost == AppendCost(
        events=len(appended),
        items=items,
        size=sum(sizes),
        compressed=compressed,
        write_units=units if items == 1 else 2 * units,
    )
    assert len(put) == items


@pytest.mark.parametrize("number", [1, 3, 100])
def test_the_cost_is_that_of_the_configured_compression(sent, number):
    put, backend = sent
    appended = [an_event(PLAIN, data={"text": "again and again"}) for _ in range(number)]
    costs = {}
    for compression in ("units", "always"):
        config = replace(backend.config, compression=compression)
        stream_id = StreamId()
        own = [replace(event, stream_id=stream_id) for event in appended]
        storage = DynamoBackend(config, backend.client, clock=lambda: NOW).storage
        costs[compression] = storage.append_cost(stream_id, ANY_VERSION, own)
        put.clear()
        storage.insert_events(stream_id, ANY_VERSION, own)
        assert costs[compression] == append_cost(stream_id, own, compression=compression)
        assert costs[compression].size == item_size(put[0])

    assert costs["always"].compressed
    assert costs["always"].size <= costs["units"].size
    assert costs["always"].write_units == costs["units"].write_units


def test_a_higher_version_takes_a_few_bytes_more(sent):
    put, backend = sent
    backend.storage.insert_events(PLAIN, ExplicitVersioning(0), events(PLAIN, 123))
    put.clear()
    (event,) = events(PLAIN, 1)
    costs = [append_cost(PLAIN, [event], versioning=ExplicitVersioning(n)) for n in (0, 123)]
    backend.storage.insert_events(PLAIN, ExplicitVersioning(123), [event])
    assert costs[1].size == item_size(put[0]) == costs[0].size + 1


@pytest.mark.parametrize("now", [1_700_000_000.0, 1_700_000_000.5, NOW])
def test_a_cost_does_not_depend_on_the_time(monkeypatch, now):
    expected = append_cost(PLAIN, SOME)
    monkeypatch.setattr(pricing, "time", SimpleNamespace(time=lambda: now))
    assert append_cost(PLAIN, SOME) == expected


def test_nothing_is_sent(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a connection was opened"))
    assert append_cost(PLAIN, events(PLAIN, 3)).items == 1


def test_no_events_cost_nothing():
    cost = append_cost(PLAIN, [])
    assert cost == AppendCost(events=0, items=0, size=0, compressed=False, write_units=0)
    assert cost.write_units_per_event == 0.0
    assert cost.price(1.25) == 0.0


def test_units_are_shared_by_the_events_and_priced_by_the_million():
    cost = AppendCost(events=4, items=1, size=1500, compressed=False, write_units=2)
    assert cost.write_units_per_event == 0.5
    assert cost.price(1.25) == pytest.approx(0.0000025)


def test_what_would_be_refused_has_no_price():
    with pytest.raises(InvalidEventError):
        append_cost(PLAIN, events(NAMED, 1))
    with pytest.raises(CommitTooLargeError):
        append_cost(PLAIN, noise(PLAIN, 1, 500_000))
    with pytest.raises(InvalidStreamIdError):
        append_cost(PLAIN, events(PLAIN, 1), tenant_id="x" * 2048)
