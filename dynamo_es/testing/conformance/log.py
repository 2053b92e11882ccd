"""The log returns every selected event once, in the order of positions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, RecordedRaw, StreamId
from dynamo_es.contracts import EVERYTHING, Selection
from dynamo_es.exceptions import (
    InputError,
    InvalidPositionError,
    InvalidStreamIdError,
    InvalidSubscriptionError,
)
from dynamo_es.testing.conformance.language import an_event, assert_same, events, numbered

pytestmark = pytest.mark.inline


@pytest.fixture
def log(world):
    return world.backend().log


@pytest.fixture
def start(given, log):
    """The end of the log before the test. The log has at least one entry."""
    given.stream(StreamId()).with_commits_of(1)
    return log.last_position


def everything(log, after, selection=EVERYTHING):
    """Return all events that a reader returns up to the end of the log."""
    reader = log.reader(after, selection)
    records = []
    while piece := reader.read():
        records += piece
    assert reader.position == log.last_position
    return records


def assert_records(records, expected, first, tenant=""):
    assert [record.position for record in records] == list(range(first, first + len(expected)))
    assert_same([record.entry for record in records], expected)
    assert {record.tenant_id for record in records} == {tenant}


def test_events_come_in_the_order_of_their_appends(given, log, start):
    one, two = StreamId(name="one", category="A"), StreamId(category="B")
    a = given.stream(one).with_commits_of(2)
    b = given.stream(two).with_commits_of(3)
    c = given.stream(one).with_commits_of(1)
    d = given.stream(StreamId(two, category="C")).without_versions(2, 1)

    assert_records(everything(log, start), [*a, *b, *c, *d], start + 1)


def test_names_of_streams_come_with_their_events(given, log, start):
    given.stream(StreamId(name="account 7", category="A")).with_commits_of(1)

    (record,) = everything(log, start)

    assert record.entry.stream_id.name == "account 7"
    assert record.entry.stream_id.category == "A"


def test_a_reader_may_begin_in_the_middle_of_a_commit(given, log, start):
    stored = given.stream(StreamId()).with_commits_of(3, 2)

    for skipped in range(6):
        records = everything(log, start + skipped)
        assert_records(records, stored[skipped:], start + skipped + 1) if skipped < 5 else None


def test_a_reader_goes_on_when_there_is_more(given, log, start):
    reader = log.reader(start)
    assert reader.read() == []
    assert reader.position == start
    stored = given.stream(StreamId()).with_commits_of(2)

    assert_records(reader.read(), stored, start + 1)
    assert reader.position == start + 2
    assert reader.read() == []


def test_more_commits_than_one_request_fetches(given, log, start):
    streams = [StreamId(category="Many") for _ in range(3)]
    stored = [event for s in streams for event in given.stream(s).with_commits_of(*[1] * 45)]

    assert_records(everything(log, start), stored, start + 1)


SELECTIONS = {
    "a category": (Selection(category="A"), {"a", "theirs"}),
    "the empty category": (Selection(category=""), {"empty"}),
    "a tenant": (Selection(tenant_id="acme"), {"theirs"}),
    "the default tenant": (Selection(tenant_id=""), {"a", "b", "empty", "none"}),
    "both": (Selection(category="A", tenant_id="acme"), {"theirs"}),
    "neither of them": (Selection(category="B", tenant_id="acme"), set()),
    "a name": (Selection(event_names=frozenset({"b", "empty"})), {"b", "empty"}),
    "name and category": (Selection(event_names=frozenset({"a", "b"}), category="B"), {"b"}),
    "a part of a category": (Selection(category="#A"), set()),
}


@pytest.mark.parametrize(("selection", "expected"), SELECTIONS.values(), ids=SELECTIONS)
def test_selections(given, log, start, selection, expected):
    def store(name, category, tenant=""):
        stream = StreamId(category=category)
        given.in_tenant(tenant).stream(stream).with_events(an_event(stream, name=name))

    store("a", "A")
    store("b", "B")
    store("empty", "")
    store("none", None)
    store("theirs", "A", "acme")

    records = everything(log, start, selection)

    assert {record.entry.name for record in records} == expected
    assert all(record.position > start for record in records)


def test_of_a_commit_only_the_events_with_the_name(given, log, start):
    stream = StreamId()
    mixed = [an_event(stream, name=name) for name in ("kept", "left", "kept")]
    stored = given.stream(stream).with_events(*mixed)

    records = everything(log, start, Selection(event_names=frozenset({"kept"})))

    assert records == [
        replace(record(stored[0], start + 1), generation=records[0].generation),
        replace(record(stored[2], start + 3), generation=records[0].generation),
    ]


def record(event, position):
    return RecordedRaw(event, position)


def test_deleted_streams_are_left_out_and_keep_their_positions(given, log, start):
    gone, kept = StreamId(), StreamId()
    given.stream(gone).with_commits_of(2, 1)
    stored = given.stream(kept).with_commits_of(1)
    given.stream(gone).deleted()

    assert_records(everything(log, start), stored, start + 4)


def test_generations_of_a_stream_are_told_apart(given, log, start):
    stream = StreamId()
    given.stream(stream).with_commits_of(1)
    (before,) = everything(log, start)
    given.stream(stream).deleted()
    again = given.stream(stream).with_commits_of(2)

    records = everything(log, start)

    assert_records(records, again, start + 2)
    assert {record.generation > before.generation for record in records} == {True}


def test_payloads_are_the_readers_own(given, log, start):
    given.stream(StreamId()).with_commits_of(1)
    (first,) = everything(log, start)
    first.entry.data["number"] = "changed"

    (again,) = everything(log, start)

    assert again.entry.data["number"] != "changed"


@pytest.mark.parametrize("ahead", [1, 1000])
def test_position_from_the_future(log, start, ahead):
    with pytest.raises(InvalidPositionError, match=f"the log ends at {start}") as caught:
        log.reader(start + ahead)
    assert (caught.value.position, caught.value.last_position) == (start + ahead, start)


@pytest.mark.parametrize("position", [-1, 1.0, True, None, "3"])
def test_no_position(log, position):
    with pytest.raises(InvalidPositionError, match=r"0 .before the first event. or more"):
        log.reader(position)


@pytest.mark.parametrize("category", ["Listed", "", None, "a#b%"])
def test_streams_of_a_category(given, when, world, log, category):
    tenant = f"tenant of {category}"
    scoped = given.in_tenant(tenant)
    named, plain, gone, again = (
        StreamId(name="named", category=category),
        *(StreamId(category=category) for _ in range(3)),
    )
    scoped.stream(named).with_commits_of(2, 1)
    when.in_tenant(tenant).appending(an_event(plain), to=plain, expecting=NO_VERSIONING)
    scoped.stream(gone).with_commits_of(1)
    scoped.stream(gone).deleted()
    scoped.stream(again).with_commits_of(4)
    scoped.stream(again).deleted().with_commits_of(1)
    other = StreamId(category="Other")
    scoped.stream(other).with_commits_of(1)
    world.raise_unclaimed()

    found = list(log.streams(category, tenant))

    assert {(s.stream_id, s.stream_id.name, s.version) for s in found} == {
        (named, "named", 3),
        (plain, None, 1),
        (again, None, 1),
    }
    assert list(log.streams(category, "nobody")) == []


def test_tenants_and_their_categories_are_listed(given, log):
    given.in_tenant("listed #1").stream(StreamId(category="a#b%")).with_commits_of(2, 1)
    given.in_tenant("listed #1").stream(StreamId(category="a#b%")).with_commits_of(1)
    given.in_tenant("listed #1").stream(StreamId(category="")).with_commits_of(1)
    given.in_tenant("listed 2").stream(StreamId()).with_commits_of(1)
    given.in_tenant("listed 2").stream(gone := StreamId(category="Gone")).with_commits_of(1)
    given.in_tenant("listed 2").stream(gone).deleted()

    tenants = list(log.tenants())

    assert len(tenants) == len(set(tenants))
    assert {"listed #1", "listed 2"} <= set(tenants)
    assert sorted(log.categories("listed #1")) == ["", "a#b%"]
    assert set(log.categories("listed 2")) - {"Gone"} == {None}
    assert list(log.categories("nobody")) == []
    with pytest.raises(InvalidStreamIdError):
        log.categories(7)


def test_one_tenants_log_lists_that_tenant_only(given, world):
    given.in_tenant("listed 3").stream(StreamId(category="mine")).with_commits_of(1)
    given.in_tenant("listed 4").stream(StreamId(category="theirs")).with_commits_of(1)
    log = world.backend().in_tenant("listed 3").log

    assert list(log.tenants()) == ["listed 3"]
    assert list(log.categories("listed 3")) == ["mine"]
    with pytest.raises(InvalidSubscriptionError, match="listed 4"):
        log.categories("listed 4")


def test_stored_again_means_one_position(given, when, log, start):
    stream = StreamId()
    stored = given.stream(stream).with_commits_of(2)
    when.appending(*stored, to=stream, expecting=0)
    when.in_process("late").appending(*stored, to=stream, expecting=0)

    assert_records(everything(log, start), stored, start + 1)


def test_any_version_goes_after_the_last_event(given, when, log, start):
    stream = StreamId()
    stored = given.stream(stream).with_commits_of(2)
    more = events(stream, 1)
    when.in_process("other").appending(*more, to=stream, expecting=ANY_VERSION)

    assert_records(everything(log, start), [*stored, *numbered(more, 3)], start + 1)


def test_the_position_at_a_moment_is_the_last_one_given_before(given, log, start):
    first = datetime.now(UTC)
    given.stream(StreamId(category="A")).with_commits_of(1, 2)
    then = datetime.now(UTC)
    given.stream(StreamId(category="B")).with_commits_of(1)

    assert log.position_at(first) == start
    assert log.position_at(then) == start + 3
    assert log.position_at(datetime.now(UTC)) == start + 4
    assert log.position_at(first - timedelta(days=365)) == 0


def test_a_moment_needs_a_time_zone(log, start):
    with pytest.raises(InputError, match="moment must be a datetime with a time zone"):
        log.position_at(datetime.now(UTC).replace(tzinfo=None))
