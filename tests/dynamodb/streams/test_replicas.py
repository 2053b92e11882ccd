"""What a process remembers of boundaries: the same however it came in, and bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es import StreamId
from dynamo_es.dynamodb.streams.remembered.replicas import Replicas
from dynamo_es.testing.conformance.language import events

BOUNDARY = StreamId(name="remembered")


def numbered(count):
    return [replace(one, version=at) for at, one in enumerate(events(BOUNDARY, count), 1)]


def taken(replicas, remembered, step, key="key"):
    for begin in range(0, len(remembered), step):
        replicas.take(key, 1, begin, remembered[begin : begin + step], 0)
    return replicas.get(key)


@pytest.mark.parametrize("step", [1, 3, 199, 200, 201, 500])
def test_events_above_a_version_are_the_same_whatever_came_at_once(step):
    remembered = numbered(450)

    replica = taken(Replicas(), remembered, step)

    for version in (0, 1, 198, 199, 200, 201, 399, 400, 449, 450):
        assert replica.above(version) == remembered[version:]


def test_events_that_came_one_by_one_are_in_few_chunks():
    replica = taken(Replicas(), numbered(450), 1)

    assert len(replica.chunks) == 3
    assert replica.size == sum(chunk.size for chunk in replica.chunks)


def test_the_oldest_events_of_the_stream_used_least_recently_are_forgotten_first():
    remembered = numbered(400)
    one = taken(Replicas(), remembered, 7).size
    replicas = Replicas(one * 2 - 1)
    taken(replicas, remembered, 7, "first")
    taken(replicas, remembered, 7, "second")

    first, second = replicas.get("first"), replicas.get("second")

    assert first is not None
    assert second is not None
    assert (first.after, second.after) == (200, 0)
    assert first.above(200) == remembered[200:]


def test_what_is_forgotten_makes_room():
    remembered = numbered(400)
    one = taken(Replicas(), remembered, 7).size
    replicas = Replicas(one + one // 2)
    for _ in range(3):
        taken(replicas, remembered, 7)
        replicas.forget("key")
        taken(replicas, remembered, 7)
        replicas.clear()

    assert taken(replicas, remembered, 7).after == 0
