"""If no sequencer runs, consumers say so: once in the log, and in their reports."""

import logging
from datetime import timedelta
from threading import Event as Flag

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, Event, StreamId
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.exceptions import UnavailableError

SOON = timedelta(seconds=0.1)
WARNING = "no sequencer runs"


class Noted(Event):
    __event_name__ = "unsequenced.Noted"


@pytest.fixture
def store():
    with DynamoBackend.local(sequencing="stream") as backend:
        yield backend


def process(store, observer=None, **injected):
    """Another process over the same tables."""
    return DynamoBackend(store.config, client=store.client, observer=observer, **injected)


def append(backend, name="a", tenant=""):
    stream = StreamId(name=name, category="noted")
    backend.in_tenant(tenant).event_store.append(
        Noted(), stream_id=stream, expected_version=ANY_VERSION
    )
    return stream


def sequence(store):
    repair(store.config, lambda: store.client)


def warnings_in(caplog):
    return [record for record in caplog.records if WARNING in record.getMessage()]


@pytest.fixture(autouse=True)
def _at_warning(caplog):
    caplog.set_level(logging.WARNING, "dynamo_es")


def test_nothing_is_said_of_an_empty_store(store, caplog):
    assert not store.projection("p", print).run_once().unsequenced
    assert not store.outbox.run_once(print).unsequenced
    assert warnings_in(caplog) == []


@pytest.mark.parametrize("who", ["the process that appended", "another process"])
def test_a_log_that_is_empty_although_events_are_stored(store, caplog, who):
    append(store, tenant="acme")
    backend = store if who == "the process that appended" else process(store)

    progress = backend.projection("p", print).run_once()
    again = backend.in_tenant("other").projection("p", print).run_once()

    assert progress.unsequenced
    assert again.unsequenced
    assert len(warnings_in(caplog)) == 1


def test_what_this_process_appended_last(store, caplog):
    append(store, "a")
    sequence(store)
    append(store, "b")

    assert store.projection("p", lambda _: None).run_once().unsequenced
    assert len(warnings_in(caplog)) == 1
    sequence(store)
    assert not store.projection("p", lambda _: None).run_once().unsequenced


def test_what_was_deleted_before_it_had_a_position_is_not_missed(store, caplog):
    append(store, "a")
    sequence(store)
    store.storage.delete_stream(append(store, "b"))

    assert not store.projection("p", lambda _: None).run_once().unsequenced
    assert warnings_in(caplog) == []


def test_a_marker_without_a_version_says_nothing_of_what_this_process_appended(store, caplog):
    append(store)
    sequence(store)
    (key,) = [
        {"log_key": item["log_key"], "place": item["place"]}
        for item in store.client.scan(TableName=store.config.log_table)["Items"]
        if item["log_key"]["S"].startswith("streams#")
    ]
    store.client.put_item(TableName=store.config.log_table, Item=key)
    assert store.log.unsequenced()


def test_what_follows_the_newest_streams_warns_when_it_is_older_than_a_sequencer_takes(
    store, caplog
):
    append(store, "a")
    sequence(store)
    append(store, "a")
    now = [0.0]
    other = process(store, clock=lambda: now[0])

    assert other.projection("p", lambda _: None).run_once().unsequenced
    assert warnings_in(caplog) == []
    now[0] = 10.0**10
    assert other.projection("p", lambda _: None).run_once().unsequenced
    assert len(warnings_in(caplog)) == 1


def test_subscriptions_the_outbox_and_streams_say_so(store, caplog):
    append(store)
    for use in (
        lambda backend: next(backend.subscriptions.subscribe_to_all(0, 1, SOON)),
        lambda backend: next(backend.subscriber.build_batch(1, SOON)),
        lambda backend: next(backend.in_tenant("acme").subscriber.build_iter(SOON)),
        lambda backend: list(backend.log.streams("noted", "")),
        lambda backend: backend.outbox.run_once(print),
    ):
        caplog.clear()
        backend = process(store)
        use(backend)
        use(backend)
        assert len(warnings_in(caplog)) == 1
    assert process(store).outbox.run_once(print).unsequenced


def test_a_projection_that_runs_tells_its_progress(store, caplog):
    append(store)
    stop, told = Flag(), []

    def progressed(progress):
        told.append(progress.unsequenced)
        stop.set()

    store.projection("p", print).run_forever(stop, progressed)

    assert told == [True]
    assert len(warnings_in(caplog)) == 1


def test_a_look_that_fails_has_found_nothing(store, monkeypatch, caplog):
    append(store)
    backend = process(store)
    log = backend.log

    def fail(*_):
        raise UnavailableError("Query", "ReadTimeoutError", "no reply.")

    monkeypatch.setattr(log._gateway, "run", fail)

    assert log.unsequenced() is False
    assert warnings_in(caplog) == []


def test_a_look_takes_two_requests_and_one_more_where_this_process_has_appended(store):
    append(store)
    sequence(store)
    told = []
    backend = process(store, told.append)

    assert not backend.log.unsequenced()
    assert sum(report.requests for report in told) == 2
    append(backend, "b")
    sequence(store)
    told.clear()
    assert not backend.log.unsequenced()
    assert sum(report.requests for report in told) == 3


def test_a_subscription_and_an_outbox_look_once_a_minute(store):
    append(store)
    sequence(store)
    told, now = [], [0.0]
    backend = process(
        store,
        told.append,
        clock=lambda: now[0],
        monotonic=lambda: now[0],
        sleep=lambda seconds: now.__setitem__(0, now[0] + seconds),
    )

    def looks():
        count = sum(report.operation == "look_further" for report in told)
        told.clear()
        return count

    subscription = backend.subscriptions.subscribe_to_all(1, 1, timedelta(seconds=50))
    counts = []
    for _ in range(3):
        next(subscription)
        counts.append(looks())
    assert counts == [1, 1, 1]

    outbox = backend.outbox
    for _ in range(3):
        outbox.run_once(print)
    assert looks() == 1
    now[0] += 61
    outbox.run_once(print)
    assert looks() == 1
