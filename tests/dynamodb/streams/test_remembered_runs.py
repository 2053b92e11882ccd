"""What a process remembers of boundaries: the same however it came in, and bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es import StreamId
from dynamo_es.dynamodb.streams.remembered.runs import RememberedRuns
from dynamo_es.testing.conformance.language import events

BOUNDARY = StreamId(name="remembered")


def numbered(count):
    return [replace(one, version=at) for at, one in enumerate(events(BOUNDARY, count), 1)]


def taken(runs, remembered, step, key="key"):
    for begin in range(0, len(remembered), step):
        runs.take(key, 1, begin, remembered[begin : begin + step], 0)
    return runs.get(key)


@pytest.mark.parametrize("step", [1, 3, 199, 200, 201, 500])
def test_events_above_a_version_are_the_same_whatever_came_at_once(step):
    remembered = numbered(450)

    run = taken(RememberedRuns(), remembered, step)

    for version in (0, 1, 198, 199, 200, 201, 399, 400, 449, 450):
        assert run.above(version) == remembered[version:]


def test_events_that_came_one_by_one_are_in_few_chunks():
    run = taken(RememberedRuns(), numbered(450), 1)

    assert len(run.chunks) == 3
    assert run.size == sum(chunk.size for chunk in run.chunks)


def test_the_oldest_events_of_the_stream_used_least_recently_are_forgotten_first():
    remembered = numbered(400)
    one = taken(RememberedRuns(), remembered, 7).size
    runs = RememberedRuns(one * 2 - 1)
    taken(runs, remembered, 7, "first")
    taken(runs, remembered, 7, "second")

    first, second = runs.get("first"), runs.get("second")

    assert first is not None
    assert second is not None
    assert (first.after, second.after) == (200, 0)
    assert first.above(200) == remembered[200:]


def test_what_is_forgotten_makes_room():
    remembered = numbered(400)
    one = taken(RememberedRuns(), remembered, 7).size
    runs = RememberedRuns(one + one // 2)
    for _ in range(3):
        taken(runs, remembered, 7)
        runs.forget("key")
        taken(runs, remembered, 7)
        runs.clear()

    assert taken(runs, remembered, 7).after == 0
