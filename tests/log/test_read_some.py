"""Browsing the log: a limited read returns events, their commits and the cost of these."""

from __future__ import annotations

import pytest

from dynamo_es import StreamId
from dynamo_es.contracts import CommitInLog, Selection
from tests.engine import Capability, needs

pytestmark = pytest.mark.inline


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def start(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return backend.log.last_position


def seen(piece):
    return [record.position for record in piece.records]


def places(piece):
    return [(commit.position, commit.event_count) for commit in piece.commits]


def test_a_look_returns_so_many_commits_and_the_next_goes_on(given, backend, start):
    given.stream(StreamId()).with_commits_of(2, 1, 3)
    reader = backend.log.reader(start)

    piece = reader.read_some(2)
    assert seen(piece) == [start + 1, start + 2, start + 3]
    assert places(piece) == [(start + 1, 2), (start + 3, 1)]
    assert piece.ended is False
    assert reader.position == start + 3

    piece = reader.read_some(2)
    assert seen(piece) == [start + 4, start + 5, start + 6]
    assert places(piece) == [(start + 4, 3)]
    assert piece.ended is True
    assert reader.position == start + 6
    assert reader.read_some() == ([], [], True)


def test_from_the_middle_of_a_commit_its_other_events_come(given, backend, start):
    given.stream(StreamId()).with_commits_of(3)

    piece = backend.log.reader(start + 1).read_some(1)

    assert seen(piece) == [start + 2, start + 3]
    assert places(piece) == [(start + 1, 3)]


def test_a_look_that_selects_nothing_moves_on_and_says_how_far(given, backend, start):
    given.stream(StreamId(category="other")).with_commits_of(1, 1)
    reader = backend.log.reader(start, Selection(category="none of these"))

    piece = reader.read_some()

    assert piece == ([], [], True)
    assert reader.position == start + 2


def test_events_of_deleted_streams_are_left_out(given, backend, start):
    stream = StreamId()
    given.stream(stream).with_commits_of(2)
    given.stream(StreamId()).with_commits_of(1)
    backend.storage.delete_stream(stream)

    piece = backend.log.reader(start).read_some()

    assert seen(piece) == [start + 3]
    assert places(piece) == [(start + 3, 1)]


def test_a_tenants_log_looks_at_its_own(given, backend, start):
    backend.in_tenant("acme")
    given.stream(StreamId()).with_commits_of(2)

    reader = backend.in_tenant("nobody of that name").log.reader(start)

    assert reader.read_some() == ([], [], True)


@needs(Capability.REQUESTS)
def test_a_commits_units_are_those_of_its_append(given, backend, start, when):
    stream = StreamId(name="ü" * 450, category="Units")
    given.stream(stream).with_commits_of(1, 100)

    piece = backend.log.reader(start).read_some()

    events = [record.entry for record in piece.records]
    for commit, chosen in zip(piece.commits, (events[:1], events[1:]), strict=True):
        first = chosen[0].version
        item = backend.client.get_item(
            TableName=backend.config.events_table,
            Key={"stream_key": {"S": f"#Units#{stream}"}, "version": {"N": str(first)}},
        )["Item"]
        from dynamo_es.dynamodb.wire.sizes import item_size, write_units

        expected = write_units(item_size(item))
        assert commit == CommitInLog(commit.position, len(chosen), expected)
    assert piece.commits[0].write_units == 2, "the name alone is 900 bytes"
