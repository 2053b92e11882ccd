"""A stream with the longest possible key works like any other."""

from __future__ import annotations

import pytest

from dynamo_es import DynamoBackend, Event, StreamId
from dynamo_es.contracts import Followed
from dynamo_es.contracts.stream_keys import (
    MAX_KEY_BYTES,
    MAX_SORT_KEY_BYTES,
    stream_key,
    tenant_prefix,
)
from dynamo_es.dynamodb.consumers.cursor_requests import cursor_key
from dynamo_es.dynamodb.maintenance.verify import verify

CATEGORY = "c" * (MAX_KEY_BYTES - len("acme##") - 36)


class Filed(Event):
    __event_name__ = "longest.filed"
    number: int


def a_stream():
    return StreamId(category=CATEGORY)


def key_of(consumer, stream, tenant="acme"):
    key = cursor_key(Followed(consumer, stream, tenant))
    return key["log_key"]["S"], key["place"]["S"]


def test_a_cursors_key_holds_the_streams_key_where_it_fits():
    stream = StreamId(category="order")
    assert key_of("totals", stream) == (f"acme#cursor#totals#order#{stream}", "cursor")


@pytest.mark.parametrize("consumer", ["totals", "x" * 255, "\N{EURO SIGN}" * 85])
def test_a_cursors_key_is_never_too_long_and_each_streams_own(consumer):
    one, other = a_stream(), a_stream()
    keys = {key_of(consumer, one), key_of(consumer, other), key_of("another", one)}
    assert len(keys) == 3
    assert all(len(key.encode()) <= MAX_KEY_BYTES for key, _ in keys)
    assert all(len(place.encode()) <= MAX_SORT_KEY_BYTES for _, place in keys)
    assert key_of(consumer, one) == key_of(consumer, one)


def test_it_is_sequenced_listed_projected_and_published():
    with DynamoBackend.local().with_outbox(lambda _: True) as local:
        backend, stream = local.in_tenant("acme"), a_stream()
        assert len(stream_key(tenant_prefix("acme"), stream)) == MAX_KEY_BYTES
        backend.event_store.append(Filed(number=1), Filed(number=2), stream_id=stream)
        applied, published = [], []
        projector = backend.projector("totals", lambda one, _: applied.append(one.event.number))
        for event in backend.event_store.load_stream(stream):
            projector.project(event, stream, "acme")
        assert applied == [1, 2]
        assert local.outbox.run_once(published.append).handled == 2
        assert [found.version for found in local.log.streams(CATEGORY, "acme")] == [2]
        assert verify(local.config, lambda: local.client).sound
