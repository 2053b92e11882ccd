"""Verification finds no fault in a sound log, and finds every kind of damage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es import StreamId
from dynamo_es.dynamodb.log.markers import Marker
from dynamo_es.dynamodb.log.pages import Page, page_item
from dynamo_es.dynamodb.maintenance import verify as module
from dynamo_es.dynamodb.maintenance.verify import Verified, verify
from tests.log.stores import (
    CONFIG,
    a_commit_of,
    engines_at_hand,
    hints_of,
    small_replies,
)
from tests.log.worlds import fence
from tests.recording import recording

pytest_generate_tests = engines_at_hand


def verified(store, **settings):
    return verify(store.config, lambda: store.client, **settings)


@pytest.fixture
def stream():
    return StreamId()


@pytest.fixture
def spoiled(emulator, stream):
    """A log of three pages: versions 1, 2 and 3 of a stream, which are stored."""
    for version in (1, 2, 3):
        item = a_commit_of(stream, version)
        emulator.client.put_item(TableName="events", Item=item)
        emulator.sequence(*hints_of([item]))
    assert verified(emulator).sound
    return emulator


def put_page(store, first, *pointers):
    item = page_item(Page(first, pointers, "a test"))
    store.client.put_item(TableName="log", Item=item)


def put_marker(store, marker, version):
    store.client.put_item(TableName="log", Item={**marker.key, "last_version": {"N": str(version)}})


def marker_of(store):
    return store.pointers[0].marker


def the_fault(store):
    report = verified(store)
    assert (report.fault_count, report.sound) == (1, False)
    (fault,) = report.faults
    return fault


def test_a_sound_log(store):
    order, other = StreamId(category="order"), StreamId(name="other")
    store.append(order, 1, 2, 1)
    store.append(other, 5)
    store.sequence(*store.commits)
    store.put_foreign()
    store.append(order, 1)  # not sequenced yet
    report = verified(store)
    assert report == Verified(
        pages=1,
        positions=9,
        pointers=4,
        streams=2,
        expected=6,
        scanned=6,
        commits=5,
        in_log=4,
        not_sequenced=1,
        foreign=1,
    )
    assert report.sound


def test_an_empty_store_is_sound(store):
    assert verified(store) == Verified()


def test_deletions_and_new_generations_are_sound(store):
    stream = StreamId(category="order")
    store.append(stream, 1, 1)
    store.sequence(store.commits[0])
    store.append(stream, 1)
    late = store.commits[2]
    store.storage.delete_stream(stream)
    store.sequence(late)  # a hint that comes after the deletion: version 2 is left out
    store.append(stream, 4)
    store.sequence(*store.commits)
    assert [pointer.first_version for pointer in store.pointers] == [1, 3, 1]
    report = verified(store)
    assert report.sound
    assert (report.streams, report.pointers, report.in_log, report.deleted) == (2, 3, 1, 2)
    assert report.not_sequenced == 0


def test_a_commit_that_was_passed_over_is_a_fault(emulator, stream):
    for version in (1, 2, 3):
        emulator.client.put_item(TableName="events", Item=a_commit_of(stream, version))
    first, second, third = emulator.commits
    put_page(emulator, 1, first, third)
    fault = the_fault(emulator)
    assert fault.startswith("Not in the log: the commit at version 2")
    assert second.stream_key in fault


def test_one_that_the_log_has_half_of_is_a_fault(emulator, stream):
    emulator.client.put_item(TableName="events", Item=a_commit_of(stream, 1, size=3))
    (commit,) = emulator.commits
    put_page(emulator, 1, commit._replace(event_count=2))
    assert "in the middle of the commit at version 1" in the_fault(emulator)


def test_positions_that_are_not_dense_are_a_fault(spoiled, stream):
    (last,) = hints_of([item := a_commit_of(stream, 4)])
    spoiled.client.put_item(TableName="events", Item=item)
    put_page(spoiled, 5, last)
    fault = the_fault(spoiled)
    assert "begins at position 5" in fault
    assert "ends at 3" in fault


def test_a_position_that_is_given_twice_is_a_fault(spoiled):
    first = spoiled.pages[0]
    put_page(spoiled, 2, first.pointers[0]._replace(first_version=2, event_count=2))
    faults = verified(spoiled).faults
    assert any("begins at position 3" in fault for fault in faults)


def test_a_commit_with_two_positions_is_a_fault(spoiled):
    put_page(spoiled, 4, spoiled.pointers[1])
    fault = the_fault(spoiled)
    assert fault.startswith("Position 4 is given to the commit at version 2")
    assert "at version 3" in fault


def test_versions_in_the_wrong_order_are_a_fault(emulator, stream):
    for version in (1, 2):
        emulator.client.put_item(TableName="events", Item=a_commit_of(stream, version))
    first, second = emulator.commits
    put_page(emulator, 1, second, first)
    report = verified(emulator)
    assert any("Position 2 is given" in fault for fault in report.faults)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stream_name", "another"),
        ("event_names", ("Other",)),
        ("outbox", True),
        ("versionless", True),
    ],
)
def test_a_pointer_that_is_not_what_the_commit_says_is_a_fault(spoiled, name, value):
    page = spoiled.pages[1]
    put_page(spoiled, page.first, page.pointers[0]._replace(**{name: value}))
    fault = the_fault(spoiled)
    assert fault.startswith("Position 2 points to the commit at version 2")
    assert fault.endswith(f"differs from it in: {name}.")


def test_a_pointer_with_another_count_is_a_fault(spoiled, stream):
    put_page(spoiled, 3, spoiled.pointers[2]._replace(event_count=2))
    put_marker(spoiled, marker_of(spoiled), 4)
    assert the_fault(spoiled).endswith("differs from it in: event_count.")


def test_a_last_page_of_nothing_is_a_fault(spoiled):
    put_page(spoiled, 4)
    assert "it has no pointers. Run `dynamo-es log repair`" in the_fault(spoiled)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_commit_of_a_live_stream_that_is_gone_is_a_fault(spoiled, stream, version):
    key = {name: a_commit_of(stream, version)[name] for name in ("stream_key", "version")}
    spoiled.client.delete_item(TableName="events", Key=key)
    fault = the_fault(spoiled)
    assert fault.startswith(f"Position {version} points to the commit at version {version}")
    assert "no deletion explains that" in fault


def test_a_fence_or_a_later_generation_tells_that_it_was_deleted(spoiled, stream):
    items = [a_commit_of(stream, version) for version in (1, 2, 3)]
    for item in items[1:]:
        closing = fence(item) | {"closed": {"N": "7"}}
        spoiled.client.put_item(TableName="events", Item=closing)
    assert verified(spoiled).sound
    again = items[0] | {"generation": {"N": "8"}}
    spoiled.client.put_item(TableName="events", Item=again)
    report = verified(spoiled)
    assert report.sound
    assert (report.not_sequenced, report.deleted) == (1, 3)


@pytest.mark.parametrize(("days", "sound"), [(1, False), (6.9, False), (7.1, True)])
def test_a_stream_of_which_nothing_is_left_was_deleted_more_than_a_week_ago(emulator, days, sound):
    item = a_commit_of(StreamId()) | {"generation": {"N": "1700000000000000"}}
    emulator.sequence(*hints_of([item]))
    report = verified(emulator, clock=lambda: 1_700_000_000 + days * 86_400)
    assert (report.sound, report.deleted) == (sound, 1)


def test_a_deletion_during_the_comparison_is_no_fault(spoiled, stream):
    """The scan finds version 2 gone; the deletion is seen when the stream is read again."""
    items = [a_commit_of(stream, version) for version in (1, 2, 3)]
    key = {name: items[1][name] for name in ("stream_key", "version")}
    spoiled.client.delete_item(TableName="events", Key=key)
    bus = spoiled.client.meta.events

    def before(params, **_):
        if params["KeyConditionExpression"] == "stream_key = :key":
            spoiled.client.put_item(TableName="events", Item=fence(items[2]))

    bus.register("provide-client-params.dynamodb.Query", before)
    try:
        assert verified(spoiled).sound
    finally:
        bus.unregister("provide-client-params.dynamodb.Query", before)


def test_a_commit_inside_another_one_is_a_fault(emulator, stream):
    outer, inner = a_commit_of(stream, 1, size=3), a_commit_of(stream, 2)
    emulator.client.put_item(TableName="events", Item=outer)
    emulator.sequence(*hints_of([outer]))
    emulator.client.put_item(TableName="events", Item=inner)
    assert "Another commit has those versions" in the_fault(emulator)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"events": {"S": "[]"}}, "it has 0 events, but its event_count is 1"),
        ({"event_names": {"SS": ["Other"]}}, "its event_names are not"),
        ({"events": {"B": b"no zlib"}}, "its events: It is not compressed"),
        ({"event_count": {"N": "0"}}, "its event_count is not"),
    ],
)
def test_a_commit_that_cannot_be_read_is_named_and_counted(spoiled, changes, reason):
    item = a_commit_of(StreamId()) | changes
    spoiled.client.put_item(TableName="events", Item=item)
    report = verified(spoiled)
    assert (report.sound, report.fault_count, report.set_aside) == (False, 0, 1)
    (line,) = report.unreadable
    assert item["stream_key"]["S"] in line
    assert reason in line


def test_a_marker_ahead_of_its_stream_is_a_fault(spoiled):
    put_marker(spoiled, marker_of(spoiled), 4)
    fault = the_fault(spoiled)
    assert "says version 4" in fault
    assert "end at 3" in fault


def test_a_marker_of_no_stream_is_a_fault(spoiled):
    put_marker(spoiled, marker_of(spoiled)._replace(place="nobody#1"), 1)
    assert "nobody#1" in the_fault(spoiled)


def test_a_marker_that_lost_its_version_is_a_fault(spoiled):
    spoiled.client.put_item(TableName="log", Item=marker_of(spoiled).key)
    faults = verified(spoiled).faults
    assert any("has no version" in fault for fault in faults)


def test_a_marker_may_lag_after_the_last_page(spoiled):
    put_marker(spoiled, marker_of(spoiled), 2)
    assert verified(spoiled).sound
    put_marker(spoiled, marker_of(spoiled), 1)
    assert "pages before the last one are at 2" in the_fault(spoiled)


def test_a_missing_marker_is_a_fault_where_it_is_due(spoiled):
    spoiled.client.delete_item(TableName="log", Key=marker_of(spoiled).key)
    assert "says version 0" in the_fault(spoiled)


def test_a_page_that_cannot_be_read_is_a_fault_and_the_rest_is_checked(spoiled):
    page = spoiled.pages[1]
    broken = {**page_item(page), "count": {"N": "7"}}
    spoiled.client.put_item(TableName="log", Item=broken)
    report = verified(spoiled)
    assert "cannot be read" in report.faults[0]
    assert report.pages == 3
    assert report.positions == 2
    assert not any("dense" in fault for fault in report.faults)


def test_what_is_sequenced_meanwhile_is_no_fault(spoiled, stream):
    """Two pages after the markers are read, and another one after the pages are."""
    bus = spoiled.client.meta.events
    due = []

    def put(*versions):
        for version in versions:
            item = a_commit_of(stream, version)
            spoiled.client.put_item(TableName="events", Item=item)
            spoiled.sequence(*hints_of([item]))

    def before(params, **_):
        if params["KeyConditionExpression"].endswith(">= :place"):
            put(4, 5)
            due.append(6)

    def after(**_):
        if due:
            put(due.pop())

    bus.register("provide-client-params.dynamodb.Query", before)
    bus.register("after-call.dynamodb.Query", after)
    try:
        report = verified(spoiled)
    finally:
        bus.unregister("provide-client-params.dynamodb.Query", before)
        bus.unregister("after-call.dynamodb.Query", after)
    assert report.faults == []
    assert len(spoiled.pages) == 6
    assert (report.positions, report.in_log, report.not_sequenced) == (5, 5, 1)


def test_faults_are_named_up_to_a_number_and_then_counted(emulator, monkeypatch):
    monkeypatch.setattr(module, "MOST_FAULTS", 2)
    for _ in range(3):
        put_marker(emulator, Marker("#streams#x#1", f"{StreamId()}#7"), 1)
    report = verified(emulator)
    assert (report.fault_count, len(report.faults)) == (3, 2)


def test_pages_of_replies_are_followed_and_progress_is_told(spoiled):
    seen = []
    with small_replies(spoiled, 1), recording(spoiled.client) as record:
        report = verified(
            spoiled, on_progress=lambda now: seen.append((now.pages, now.positions, now.scanned))
        )
    assert report.sound
    assert (report.pages, report.commits, report.in_log) == (3, 3, 3)
    assert seen[:3] == [(1, 1, 0), (2, 2, 0), (3, 3, 0)]
    assert seen[3:6] == [(3, 3, 1), (3, 3, 2), (3, 3, 3)]
    assert record.operations.count("Query") >= 3


def test_capacity_is_asked_for_where_there_is_any(spoiled):
    spoiled.config = replace(CONFIG, report_capacity=True)
    reports = []
    assert verified(spoiled, observer=reports.append).sound
    assert {report.operation for report in reports} == {
        "count",
        "read_markers",
        "read_pages",
        "scan",
    }
