"""The poller brings the events table's commits into the log, on every engine."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.dynamodb.table_stream.rounds import Polled
from dynamo_es.exceptions import (
    ConfigurationError,
    CredentialsError,
    TableNotFoundError,
    UnavailableError,
)
from dynamo_es.testing.conformance.language import a_snapshot, events
from tests.dynamodb.aws_errors import reply
from tests.log.stores import CONFIG, Store, emulated, engines_at_hand, new_commits
from tests.log.streams import Shards

pytest_generate_tests = engines_at_hand


class Waits:
    """What a poller waits, without waiting; it is told to stop after so many times."""

    def __init__(self, most: int, *during: Any) -> None:
        self.seconds: list[float] = []
        self._most = most
        self._during = list(during)

    def __call__(self, stop: threading.Event, seconds: float) -> None:
        self.seconds.append(seconds)
        if self._during and (action := self._during.pop(0)):
            action()
        if len(self.seconds) == self._most:
            stop.set()


def test_what_was_written_gets_into_the_log(store):
    streams = [StreamId(category="order") for _ in range(3)]
    for stream in streams:
        store.append(stream, 1, 2)
    assert store.poller().poll() == Polled(records=6, commits=6, pages=1, positions=9)
    assert sorted(store.pointers) == sorted(store.commits)


def test_a_poller_goes_on_where_the_last_one_ended(store):
    store.append(StreamId(), 1, 1)
    first = store.poller()
    first.poll()
    first.save()
    store.append(StreamId(), 1)
    assert store.poller().poll() == Polled(records=1, commits=1, pages=1, positions=1)
    assert len(store.pointers) == 3


def test_only_commits_are_hints_and_what_is_foreign_is_counted(store):
    stream = StreamId(category="order")
    store.append(stream, 2)
    store.storage.delete_stream(stream)  # fences, one of them changed again
    store.append(stream, 1)  # in the place of a fence
    versioned = StreamId()
    store.storage.insert_events(versioned, ExplicitVersioning(0), events(versioned, 1))
    store.storage.save_snapshot(a_snapshot(versioned, 1))
    store.put_foreign()
    store.client.delete_item(  # an image of nothing
        TableName=store.config.events_table,
        Key={"stream_key": {"S": "mine"}, "version": {"N": "1"}},
    )
    polled = store.poller().poll()
    assert (polled.commits, polled.skipped, polled.positions) == (3, 1, 4)
    assert polled.records > 6
    old, new, _ = store.pointers
    assert (old.first_version, new.first_version) == (1, 1)
    assert old.generation < new.generation


def test_nothing_is_asked_for_that_streams_do_not_have(store):
    store.config = replace(store.config, report_capacity=True)
    store.append(StreamId(), 1)
    reports = []
    assert store.poller(observer=reports.append).poll().positions == 1
    assert {report.operation for report in reports} >= {"find_stream", "list_shards", "sequence"}


def test_it_runs_in_the_background(store):
    stream = StreamId()
    with store.poller().in_background():
        store.append(stream, 1, 1)
        until = time.monotonic() + 10
        while len(store.pointers) < 2 and time.monotonic() < until:
            time.sleep(0.02)
    assert [pointer.first_version for pointer in store.pointers] == [1, 2]
    assert store.poller().poll().records == 0  # the place was saved at the end
    assert "dynamo-es-poller" not in [thread.name for thread in threading.enumerate()]


def test_what_ends_the_background_is_raised_where_the_context_ends(caplog):
    with emulated() as store:
        store.make_again(StreamEnabled=False)
        with pytest.raises(ConfigurationError, match="no stream"), store.poller().in_background():
            pass
    assert "has ended" in caplog.text


def test_drained_is_what_stays_quiet(store):
    store.append(StreamId(), 1, 1)
    waits = Waits(99, None, lambda: store.append(StreamId(), 3))
    report = store.poller(wait=waits).run_once()
    assert report.polled == Polled(records=3, commits=3, pages=2, positions=5)
    assert (report.name, report.handled, report.failed, report.position) == ("sequencer", 5, 0, 5)
    assert waits.seconds == [0.5] * 4  # two before the late one, two after it
    assert store.poller().poll().records == 0


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_a_stream_without_new_images_is_a_mistake(view):
    with emulated() as store:
        store.make_again(StreamEnabled=True, StreamViewType=view)
        with pytest.raises(ConfigurationError, match=view):
            store.poller().poll()


def test_without_tables_there_is_nothing_to_poll(emulator):
    missing = Store(replace(CONFIG, events_table="other"), emulator.client, emulator.streams)
    with pytest.raises(TableNotFoundError):
        missing.poller().run_forever(threading.Event())


def test_waits_get_longer_while_nothing_comes(emulator):
    shards = Shards()
    shards.open("a")
    waits = Waits(8, *[None] * 5, lambda: shards.write("a", *new_commits(1)))
    rounds = []
    emulator.poller(shards, wait=waits).run_forever(stop := threading.Event(), rounds.append)
    assert waits.seconds == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 0.1, 0.2]
    assert stop.is_set()
    assert [report.handled for report in rounds if report.active] == [1]


def test_failures_are_logged_and_tried_again_at_ever_longer_intervals(emulator, caplog):
    shards = Shards()
    shards.open("a")
    shards.write("a", *new_commits(1))
    shards.failures["get_records"] = [reply("InternalServerError", status=500)] * 8
    waits = Waits(9)
    rounds = []
    emulator.poller(shards, wait=waits).run_forever(threading.Event(), rounds.append)
    assert waits.seconds == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 0.1]
    assert [report.handled for report in rounds] == [1, 0]
    assert caplog.text.count("Could not poll the events table's stream, trying again") == 8


@pytest.mark.parametrize(
    ("code", "error"),
    [("AccessDeniedException", CredentialsError), ("ExpiredTokenException", CredentialsError)],
)
def test_what_trying_again_does_not_cure_ends_it(emulator, code, error):
    shards = Shards()
    shards.open("a")
    shards.failures["get_records"] = [reply(code)]
    with pytest.raises(error):
        emulator.poller(shards, wait=Waits(1)).run_forever(threading.Event())


def test_at_the_end_the_place_is_saved_and_if_not_that_is_no_failure(emulator, caplog, monkeypatch):
    shards = Shards()
    shards.open("only")
    shards.write("only", *new_commits(1))
    times = iter([100.0] * 50)
    poller = emulator.poller(shards, wait=Waits(1), monotonic=lambda: next(times))
    fail = UnavailableError("PutItem", "ReadTimeout", "no reply.")

    def save():
        raise fail

    monkeypatch.setattr(poller._rounds, "save", save)
    monkeypatch.setattr("dynamo_es.dynamodb.table_stream.rounds.SAVE_EVERY", 1e9)
    poller.run_forever(threading.Event())
    assert "Could not save the sequencer's places" in caplog.text


def test_a_backend_has_one_that_works_beside_it():
    with DynamoBackend.local(sequencing="stream") as backend:
        stream = StreamId()
        with backend.sequencer.in_background():
            backend.storage.insert_events(stream, ANY_VERSION, events(stream, 2))
            subscription = backend.subscriptions.subscribe_to_all(0, 2, timedelta(seconds=30))
            assert [record.position for record in next(subscription)] == [1, 2]
        assert backend.storage.current_position == 2
