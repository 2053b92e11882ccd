"""One commit that cannot be read stops nothing else, and is reported with its stream."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, Event, ExplicitVersioning, Selection, StreamId
from dynamo_es.dynamodb.log.pages import Page, page_item
from dynamo_es.dynamodb.log.pointers import Pointer
from dynamo_es.dynamodb.maintenance.repair import read_set_aside, repair
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.exceptions import EventStoreError, StoredItemError
from dynamo_es.testing.conformance.language import an_event, events
from tests.log.hostile import (
    GENERATION,
    HARMLESS,
    NAME,
    PASSED_OVER,
    SECRET,
    SET_ASIDE,
    VICTIM,
    VICTIM_KEY,
    a_victim,
)
from tests.log.stores import emulated, hints_of

# Each damaged commit meets every reader, on the emulator.
pytestmark = pytest.mark.ci


class Paid(Event):
    __event_name__ = NAME
    card: str


FIRST, SECOND = (StreamId(category="order") for _ in range(2))


@pytest.fixture
def store():
    with emulated() as store:
        store.config = replace(store.config, retry_deadline=1.0)
        yield store


@pytest.fixture(autouse=True)
def no_secret_in_the_log(caplog):
    with caplog.at_level(logging.DEBUG, "dynamo_es"):
        yield
    assert SECRET not in caplog.text


def backend_of(store, sequencing="stream"):
    config = replace(store.config, sequencing=sequencing)
    backend = DynamoBackend(config, client=store.client, streams_client=store.streams)
    return backend.with_outbox(lambda _: True)


def put(store, item):
    store.client.put_item(TableName="events", Item=item)


def append(backend, stream):
    event = an_event(stream, name=NAME, data={"card": "5500"})
    backend.storage.insert_events(stream, ANY_VERSION, [event])


def read_all(backend, selection=None):
    reader = backend.log.reader(0) if selection is None else backend.log.reader(0, selection)
    found = []
    while records := reader.read():
        found += records
    return found, reader.passed_over


def streams_in(records):
    return {record.entry.stream_id for record in records}


def set_aside(store):
    return read_set_aside(store.config, lambda: store.client)


def verified(store):
    return verify(store.config, lambda: store.client)


def at_once(*_):
    """Do not wait."""


def drained(store):
    return store.poller(wait=at_once).run_once().polled


def repaired(store):
    return repair(store.config, lambda: store.client)


def check_calls_on_the_victim(backend):
    """Each ends, well or with an error of the library that quotes nothing."""
    storage = backend.storage
    for call in (
        lambda: storage.fetch_events(VICTIM),
        lambda: storage.fetch_events(VICTIM, 1, 2),
        lambda: storage.insert_events(VICTIM, ExplicitVersioning(0), events(VICTIM, 1)),
        lambda: storage.insert_events(VICTIM, ExplicitVersioning(1), events(VICTIM, 1)),
        lambda: storage.insert_events(VICTIM, ANY_VERSION, events(VICTIM, 1)),
        lambda: storage.delete_stream(VICTIM),
    ):
        try:
            call()
        except EventStoreError as raised:
            error: BaseException | None = raised
            while error is not None:
                assert SECRET not in str(error)
                shown = None if error.__suppress_context__ else error.__context__
                error = error.__cause__ or shown


def check_that_others_go_on(store):
    """Every consumer of the whole log gets what the other streams have."""
    backend = backend_of(store)
    assert streams_in(read_all(backend)[0]) >= {FIRST, SECOND}
    assert streams_in(read_all(backend, Selection(category="order"))[0]) >= {FIRST, SECOND}
    assert {found.stream_id for found in backend.log.streams("order", "")} >= {FIRST, SECOND}
    seen, published = [], []
    progress = backend.projection("all", seen.append).run_once()
    assert {one.stream_id for one in seen} >= {FIRST, SECOND}
    report = backend.outbox.run_once(published.append)
    assert {one.stream_id for one in published} >= {FIRST, SECOND}
    assert (report.failed, report.busy) == (0, False)
    return {progress.passed_over, report.passed_over}


@pytest.mark.parametrize("kind", SET_ASIDE)
def test_what_a_sequencer_cannot_read_is_set_aside(store, kind):
    item, backend = SET_ASIDE[kind], backend_of(store)
    append(backend, FIRST)
    put(store, item)
    append(backend, SECOND)

    polled = drained(store)

    assert (polled.positions, polled.set_aside) == (2, 1)
    (entry,) = set_aside(store)
    assert (entry.stream_key, entry.version) == (item["stream_key"]["S"], item["version"]["N"])
    assert SECRET not in entry.reason
    append(backend_of(store, "inline"), FIRST)
    done = repaired(store)
    assert (done.positions, done.set_aside) == (0, 1)
    assert set_aside(store) == [entry]
    assert len(store.pointers) == 3
    assert check_that_others_go_on(store) == {0}
    report = verified(store)
    assert (report.fault_count, report.set_aside, report.sound) == (0, 1, False)
    assert item["stream_key"]["S"] in report.unreadable[0]
    assert SECRET not in report.unreadable[0]
    check_calls_on_the_victim(backend)


@pytest.mark.parametrize("kind", PASSED_OVER)
def test_what_no_reader_can_read_is_passed_over(store, kind):
    item, backend = PASSED_OVER[kind], backend_of(store)
    append(backend, FIRST)
    put(store, item)
    append(backend, SECOND)

    polled = drained(store)

    assert (polled.commits, polled.set_aside) == (3, 0)
    records, passed_over = read_all(backend)
    if kind == "names of other events":
        check_that_others_go_on(store)
    else:
        assert (streams_in(records), passed_over) == ({FIRST, SECOND}, 1)
        assert check_that_others_go_on(store) == {1}
    assert repaired(store).positions == 0
    report = verified(store)
    assert (report.fault_count, report.set_aside, report.sound) == (0, 1, False)
    assert VICTIM_KEY in report.unreadable[0]
    assert SECRET not in report.unreadable[0]
    check_calls_on_the_victim(backend)


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_only_unusual_is_read(store, kind):
    put(store, HARMLESS[kind])
    assert drained(store).positions == 1
    records, passed_over = read_all(backend_of(store))
    assert (streams_in(records), passed_over) == ({VICTIM}, 0)
    assert verified(store).sound
    assert len(backend_of(store).storage.fetch_events(VICTIM)) == 1


# Its stream waits


@pytest.mark.parametrize(
    "unreadable",
    [
        a_victim(2, item_format={"N": "2"}),
        a_victim(2, event_count={"N": "0"}),
        a_victim(2, generation={"S": "x"}),
        a_victim(2, generation=None, events=None),
        a_victim(2, event_names=None),
        a_victim(2, stream_name={"S": "another"}),
    ],
)
def test_later_commits_wait_for_one_that_is_set_aside(store, unreadable):
    first, third, fourth = a_victim(1), a_victim(3), a_victim(4)
    for item in (first, unreadable, third):
        put(store, item)
    append(backend_of(store), FIRST)

    polled = drained(store)

    assert (polled.positions, polled.set_aside, polled.waiting) == (2, 1, 1)
    put(store, fourth)
    store.sequence(*hints_of([fourth]))  # a hint that alone tells nothing of version 2
    assert [pointer.first_version for pointer in store.pointers] == [1, 1]
    (entry,) = set_aside(store)
    assert (entry.stream_key, entry.version) == (VICTIM_KEY, "2")
    done = repaired(store)
    assert (done.positions, done.set_aside, done.waiting) == (0, 1, 2)

    put(store, a_victim(2))  # it can be read now
    done = repaired(store)

    assert (done.positions, done.set_aside, done.waiting) == (3, 0, 0)
    assert set_aside(store) == []
    assert verified(store).sound


def test_one_that_is_gone_is_not_set_aside_any_more(store):
    item = a_victim(event_count={"N": "0"})
    put(store, item)
    assert repaired(store).set_aside == 1
    store.client.delete_item(
        TableName="events", Key={name: item[name] for name in ("stream_key", "version")}
    )
    assert repaired(store).set_aside == 0
    assert set_aside(store) == []


def test_a_commit_inside_another_gets_no_position(store):
    outer, inner, after = a_victim(1, size=5), a_victim(3), a_victim(6)
    for item in (outer, inner, after):
        put(store, item)
    store.sequence(*hints_of([after]))
    assert [pointer.first_version for pointer in store.pointers] == [1, 6]
    assert [entry.version for entry in set_aside(store)] == ["3"]
    put(store, a_victim(5, size=4))
    store.sequence(*hints_of([a_victim(5, size=4)]))
    assert [entry.version for entry in sorted(set_aside(store), key=str)] == ["3", "5"]
    assert len(store.pointers) == 2


def test_what_is_set_aside_is_logged_once_and_costs_one_write(store, caplog):
    put(store, a_victim(event_count={"N": "0"}))
    poller = store.poller(wait=at_once)
    assert poller.run_once().failed == 1
    put(store, a_victim(event_count={"N": "-1"}))
    assert poller.run_once().failed == 1
    assert caplog.text.count("Set aside the commit") == 1
    victim = f"stream {VICTIM} (category 'order')"
    assert f"Set aside the commit at version 1 of {victim}" in caplog.text
    assert len(set_aside(store)) == 1


def test_a_key_of_two_kilobytes_is_set_aside_too(store):
    put(store, a_victim(stream_key={"S": "x" * 2048}))
    assert drained(store).set_aside == 1
    assert [entry.stream_key for entry in set_aside(store)] == ["x" * 2048]


# What earlier sequencers have put


@pytest.fixture
def stuck(store):
    """A log whose last page can never have all its markers, after a sound one."""

    def put_pages(*pointers):
        backend = backend_of(store)
        append(backend, FIRST)
        drained(store)
        store.client.put_item(TableName="log", Item=page_item(Page(2, pointers, "another")))
        put(store, a_victim())
        append(backend, SECOND)
        with pytest.raises(StoredItemError, match="log repair"):
            drained(store)
        return backend

    return put_pages


SOUND = Pointer(VICTIM_KEY, None, GENERATION, 1, 1, (NAME,), outbox=True, versionless=False)
NEVER = (
    SOUND._replace(first_version=int("9" * 38)),
    SOUND._replace(event_count=int("9" * 38)),
    SOUND._replace(generation=int("9" * 38)),
    SOUND._replace(first_version=-1),
    SOUND._replace(stream_key="x" * 2000),
)


@pytest.mark.parametrize("never", NEVER)
@pytest.mark.parametrize("alone", [True, False])
def test_a_log_that_is_stuck_is_repaired(store, stuck, never, alone):
    backend = stuck(*((never,) if alone else (never, SOUND)))
    done = repaired(store)
    assert (done.removed, done.positions) == (1, 2 if alone else 1)
    assert {pointer.stream_key for pointer in store.pointers} == {
        VICTIM_KEY,
        f"#order#{FIRST}",
        f"#order#{SECOND}",
    }
    assert [page.first for page in store.pages] == ([1, 2] if alone else [1, 2, 3])
    assert verified(store).sound
    assert streams_in(read_all(backend)[0]) == {FIRST, SECOND, VICTIM}
    assert repaired(store).removed == 0


def test_a_last_page_of_nothing_is_repaired(store, stuck):
    stuck()
    assert repaired(store).removed == 0
    assert len(store.pointers) == 3
    assert verified(store).sound


@pytest.mark.parametrize("never", [NEVER[0], *NEVER[2:]])
def test_readers_pass_over_what_no_stream_can_have(store, never):
    """In a page that others follow."""
    backend = backend_of(store)
    append(backend, FIRST)
    store.sequence(*store.commits)
    page = Page(2, (never._replace(event_count=1),), "another")
    store.client.put_item(TableName="log", Item=page_item(page))
    later = SOUND._replace(stream_key=f"#order#{FIRST}", first_version=2)
    store.client.put_item(TableName="log", Item=page_item(Page(3, (later,), "a third")))
    append(backend, FIRST)
    records, passed_over = read_all(backend)
    assert (streams_in(records), passed_over) == ({FIRST}, 1)


def test_json_of_what_is_set_aside_is_plain(store):
    put(store, SET_ASIDE["a version of 38 digits"])
    repaired(store)
    (item,) = store.log_items("set-aside")
    assert SECRET not in json.dumps(item)
    assert item["place"]["S"].endswith("#" + "9" * 38)


def test_an_entry_of_an_outbox_that_cannot_be_read_stops_no_other(store, caplog):
    backend = backend_of(store)
    append(backend, FIRST)
    drained(store)
    item = {"log_key": {"S": "outbox#outbox"}, "place": {"S": "0" * 20}, "note": {"S": SECRET}}
    store.client.put_item(TableName="log", Item=item)
    published = []
    assert backend.outbox.run_once(published.append).handled == 1
    assert backend.outbox.entries() == []
    assert "Skipped an outbox entry that cannot be read" in caplog.text
