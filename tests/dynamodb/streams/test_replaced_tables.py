"""Heads that a process remembers do no harm after a table is restored under its name."""

from __future__ import annotations

import pytest

from dynamo_es import DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.dynamodb.streams.remembered.heads import TRUSTED_SECONDS
from dynamo_es.dynamodb.streams.snapshot import save_snapshot
from dynamo_es.dynamodb.tables.create import create_tables, delete_tables
from dynamo_es.exceptions import (
    ConcurrentStreamWriteError,
    SnapshotAheadOfStreamError,
    TableNotFoundError,
)
from dynamo_es.testing.conformance.language import a_snapshot, events
from tests.dynamodb.machine import (
    DONE,
    LAST_GENERATION,
    NEW,
    OTHERS,
    STREAM,
    a_commit,
    a_snapshot_item,
    a_stream,
    append,
    at,
    head_of,
    play,
    put,
    put_snapshot_of,
    reading_head,
)

LONG_AGO = TRUSTED_SECONDS
"""How long ago the table replied last if it may be another one now."""


def test_a_head_seen_a_while_ago_is_read_again_before_the_put():
    stream = a_stream(at(4), seen_ago=LONG_AGO)

    version = play(
        append(stream, 4),
        *reading_head(a_commit(OTHERS, 3)),
        (put(a_commit(NEW, 5)), DONE),
    )

    assert version == 6
    assert head_of(stream) == at(6)


def test_a_head_seen_lately_costs_no_read():
    stream = a_stream(at(4), seen_ago=LONG_AGO - 1)

    assert play(append(stream, 4), (put(a_commit(NEW, 5)), DONE)) == 6


def test_a_stream_that_was_restored_as_it_was_before_refuses_what_was_known_of_it():
    stream = a_stream(at(10), seen_ago=LONG_AGO)

    with pytest.raises(ConcurrentStreamWriteError) as refused:
        play(append(stream, 10), *reading_head(a_commit(OTHERS, 6)))

    assert (refused.value.expected, refused.value.actual) == (10, 7)
    # And is appended to at its own version, in one request.
    assert play(append(stream, 7), (put(a_commit(NEW, 8)), DONE)) == 9


def test_a_stream_that_is_not_in_the_restored_table_refuses_it_too():
    stream = a_stream(at(10), seen_ago=LONG_AGO)

    with pytest.raises(ConcurrentStreamWriteError) as refused:
        play(append(stream, 10), *reading_head())

    assert refused.value.actual == 0


def test_a_generation_seen_a_while_ago_is_told_from_the_next_one_of_the_same_length():
    stream = a_stream(at(4, LAST_GENERATION), seen_ago=LONG_AGO)

    with pytest.raises(ConcurrentStreamWriteError, match="earlier generation"):
        play(append(stream, 4), *reading_head(a_commit(OTHERS, 3)))


def test_a_snapshot_of_a_version_seen_a_while_ago_is_saved_after_a_read():
    snapshot = a_snapshot(STREAM, 4)
    stream = a_stream(at(4), seen_ago=LONG_AGO)
    play(
        save_snapshot(stream, snapshot, 4),
        *reading_head(a_commit(OTHERS, 3)),
        (put_snapshot_of(a_snapshot_item(snapshot)), DONE),
    )

    with pytest.raises(SnapshotAheadOfStreamError):
        play(
            save_snapshot(a_stream(at(4), seen_ago=LONG_AGO), snapshot, 4),
            *reading_head(a_commit(OTHERS, 2)),
        )


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def process(clock):
    """A process that remembers a stream of 3 events, of which a backup has 1."""
    with DynamoBackend.local(sequencing="stream") as emulator:
        yield DynamoBackend(emulator.config, emulator.client, clock=clock)


@pytest.fixture
def stream(process):
    stream = StreamId(category="order")
    for version in range(3):
        process.storage.insert_events(stream, ExplicitVersioning(version), events(stream, 1))
    return stream


def restore(process, *, first: int) -> None:
    """Replace the events table by one that has its first items only."""
    table = process.config.events_table
    backup = process.client.scan(TableName=table)["Items"]
    delete_tables(process.client, process.config)
    create_tables(process.client, process.config)
    for item in sorted(backup, key=lambda item: int(item["version"]["N"]))[:first]:
        process.client.put_item(TableName=table, Item=item)


def refuses(process, stream, *, expected, actual):
    with pytest.raises(ConcurrentStreamWriteError) as refused:
        process.storage.insert_events(stream, ExplicitVersioning(expected), events(stream, 1))
    assert refused.value.actual == actual
    assert len(process.storage.fetch_events(stream)) == actual


def test_no_table_is_restored_as_fast_as_a_head_is_forgotten(process, stream, clock):
    restore(process, first=1)
    clock.now += TRUSTED_SECONDS

    refuses(process, stream, expected=3, actual=1)


def test_a_process_that_the_table_goes_on_replying_to_pays_no_read(process, stream, clock):
    sent = []
    process.client.meta.events.register(
        "before-call.dynamodb", lambda model, **_: sent.append(model.name)
    )
    for _ in range(3):
        clock.now += TRUSTED_SECONDS - 1
        other = StreamId(category="order")
        process.storage.insert_events(other, ExplicitVersioning(0), events(other, 1))
    process.storage.insert_events(stream, ExplicitVersioning(3), events(stream, 1))

    assert sent == ["PutItem"] * 4


def test_a_process_that_met_no_table_remembers_nothing_of_the_next(process, stream):
    config, client = process.config, process.client
    backup = client.scan(TableName=config.events_table)["Items"]
    delete_tables(client, config)
    with pytest.raises(TableNotFoundError):
        process.storage.fetch_events(StreamId())
    create_tables(client, config)
    client.put_item(TableName=config.events_table, Item=backup[0])

    refuses(process, stream, expected=3, actual=1)


def test_a_process_that_makes_its_tables_remembers_nothing_of_earlier_ones(process, stream):
    delete_tables(process.client, process.config)
    process.create_tables()

    refuses(process, stream, expected=3, actual=0)
