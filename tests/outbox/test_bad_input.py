"""Wrong events, publishers and arguments are refused, and nothing is sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dynamo_es import MemoryBackend, StreamId
from dynamo_es.contracts.consumers.outbox import OutboxEntry
from dynamo_es.dynamodb.consumers.outbox_requests import entry_item, read_entry
from dynamo_es.exceptions import (
    InvalidConsumerError,
    InvalidPositionError,
    InvalidSubscriptionError,
    StoredItemError,
)


@pytest.mark.parametrize(
    "terms",
    [
        {"limit": 0},
        {"limit": True},
        {"limit": 1.0},
        {"attempts": 0},
        {"attempts": True},
        {"give_up_after": -1},
        {"give_up_after": "1"},
        {"retry_delay": -0.1},
        {"retry_delay": float("nan")},
        {"retry_delay": "1"},
        {"lease": 0.9},
        {"lease": timedelta(seconds=0.9)},
        {"retry_delay": timedelta(seconds=-1)},
        {"lease": float("inf")},
    ],
    ids=str,
)
def test_terms_out_of_range_are_refused(in_memory, terms):
    in_memory.log.add()
    with pytest.raises(InvalidSubscriptionError, match=next(iter(terms))):
        in_memory.run(**terms)
    assert in_memory.receiver.calls == []


def test_a_publisher_has_to_be_callable(in_memory):
    with pytest.raises(InvalidSubscriptionError, match="publisher must be callable, not None"):
        in_memory.outbox().run_once(None)


def test_nobody_waits_for_an_asynchronous_publisher(in_memory):
    async def publish(recorded):
        in_memory.receiver(recorded)

    in_memory.log.add()
    with pytest.raises(InvalidSubscriptionError, match="asynchronous"):
        in_memory.outbox().run_once(publish)


def test_wrong_names_and_positions_are_refused(world):
    with pytest.raises(InvalidConsumerError):
        world.outbox().named("a#b").run_once(world.receiver)
    for position in (-1, "7", True):
        with pytest.raises(InvalidPositionError):
            world.outbox().retry(position)


def test_what_chooses_events_has_to_be_callable():
    category: Any = "orders"
    with pytest.raises(InvalidSubscriptionError, match="must be callable, not str"):
        MemoryBackend().with_outbox(category)


@pytest.mark.parametrize(
    "damage",
    [
        {"attempts": {"S": "many"}},
        {"due_at": {}},
        {"failing_since": {}},
        {"stream_key": {"S": "no key"}},
        {"place": {"S": "x"}},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_an_entry_that_cannot_be_read_says_so(damage):
    item = entry_item(
        "outbox#mail", OutboxEntry(7, "acme", StreamId(), "Shipped", 1, "", False, 500, 400)
    )
    with pytest.raises(StoredItemError, match="outbox#mail"):
        read_entry(item | damage)
