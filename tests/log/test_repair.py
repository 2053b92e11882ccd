"""Repair gives positions to commits that no hint reported, and changes no other position."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es import StreamId
from dynamo_es.dynamodb.log.requests import scan_events
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.maintenance.repair import Repaired, repair
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import TableNotFoundError
from tests.log.stores import (
    CONFIG,
    engines_at_hand,
    new_commits,
    small_replies,
)
from tests.recording import recording

pytest_generate_tests = engines_at_hand


def repaired(store, **settings):
    return repair(store.config, lambda: store.client, **settings)


def test_everything_gets_into_the_log_and_only_once(store):
    stream = StreamId(category="order")
    store.append(stream, 1, 2)
    store.append(StreamId(), 3)
    store.put_foreign()
    done = repaired(store)
    assert done == Repaired(
        scanned=4, expected=4, commits=3, foreign=1, pages=1, positions=6, complete=True
    )
    assert sorted(store.pointers) == sorted(store.commits)
    again = repaired(store)
    assert again == replace(done, pages=0, positions=0)
    assert len(store.pointers) == 3


def test_what_was_sequenced_keeps_its_positions(store):
    stream = StreamId(category="order")
    store.append(stream, 1, 2, 1)
    store.sequence(store.commits[0])
    first = store.pages
    assert repaired(store).positions == 3
    assert store.pages[:1] == first
    assert store.pointers == store.commits


def test_fences_and_snapshots_get_none(store):
    stream = StreamId(category="order")
    store.append(stream, 1, 1)
    store.storage.delete_stream(stream)
    done = repaired(store)
    assert (done.scanned, done.commits, done.foreign) == (3, 0, 0)
    assert store.pages == []


def fill(store, number):
    for item in new_commits(number):
        store.client.put_item(TableName="events", Item=item)


def test_a_hundred_commits_make_a_page_whatever_a_reply_has(emulator):
    fill(emulator, 230)
    seen = []
    with small_replies(emulator, 40), recording(emulator.client) as record:
        done = repaired(emulator, on_progress=seen.append)
    assert [len(page.pointers) for page in emulator.pages] == [100, 100, 30]
    assert (done.scanned, done.positions, done.pages, done.complete) == (230, 230, 3, True)
    assert [progress.scanned for progress in seen] == [40, 80, 120, 160, 200, 230, 230]
    assert [progress.positions for progress in seen] == [0, 0, 100, 100, 200, 200, 230]
    assert {progress.expected for progress in seen} == {230}
    assert record.operations.count("Scan") == 6
    assert record.operations.count("BatchGetItem") == 3


def test_it_is_stopped_between_two_replies_and_run_again(emulator):
    fill(emulator, 50)
    seen = []
    with small_replies(emulator, 20):
        done = repaired(emulator, on_progress=seen.append, stopped=lambda: len(seen) == 2)
    assert (done.scanned, done.positions, done.complete) == (40, 40, False)
    assert len(emulator.pointers) == 40
    again = repaired(emulator)
    assert (again.scanned, again.positions, again.complete) == (50, 10, True)


def test_the_memory_of_a_process_is_used(emulator):
    fill(emulator, 1)
    memory = SequencerMemory()
    repaired(emulator, memory=memory)
    assert memory.marked_below == 2


def test_capacity_is_asked_for_where_there_is_any(emulator):
    emulator.config = replace(CONFIG, report_capacity=True)
    fill(emulator, 1)
    reports = []
    assert repaired(emulator, observer=reports.append).positions == 1
    operations = ["count", "repair_page", "set_aside", "scan", "sequence"]
    assert [report.operation for report in reports] == operations
    assert reports[3].read_units is not None


def test_without_tables_there_is_nothing_to_repair(emulator):
    emulator.config = replace(CONFIG, events_table="other")
    with pytest.raises(TableNotFoundError):
        repaired(emulator)


def test_the_scan_to_the_letter():
    assert scan_events("events", {"k": {"S": "v"}}) == Request(
        "scan",
        {
            "TableName": "events",
            "ProjectionExpression": "stream_key, version, generation, event_count, event_names, "
            "stream_name, versionless, outbox, closed, snapshot_version, item_format",
            "ConsistentRead": True,
            "ExclusiveStartKey": {"k": {"S": "v"}},
        },
    )
    assert "ExclusiveStartKey" not in scan_events("events").params
    with_events = scan_events("events", with_events=True).params["ProjectionExpression"]
    assert with_events.endswith("item_format, events")
