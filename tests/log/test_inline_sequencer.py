"""Sequencing right after an append assigns positions, and never fails the append."""

import logging
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.dynamodb.log import inline_sequencer as inline
from dynamo_es.dynamodb.log import sequencer as sequencing
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.exceptions import ThrottledError
from dynamo_es.testing.conformance.language import an_event, events, heavy_events


@pytest.fixture
def told():
    return []


@pytest.fixture
def backend(told):
    with DynamoBackend.local(told.append) as backend:
        yield backend


@pytest.fixture
def stream():
    return StreamId(category="Inline")


def positions(backend):
    reader, found = backend.log.reader(0), []
    while records := reader.read():
        found += [(record.position, record.entry.version) for record in records]
    return found


def test_an_append_takes_four_requests_more_the_first_time_and_two_then(backend, told, stream):
    for version in range(3):
        backend.storage.insert_events(stream, ExplicitVersioning(version), [an_event(stream)])

    # The first sequencing reads where the log ends, and the stream's marker. The others know both:
    # the page was their own.
    sent = [
        report.requests for report in told if report.operation == "sequence" and report.requests
    ]
    assert sent == [4, 2, 2]
    assert [report.requests for report in told if report.operation == "append"] == [1, 1, 1]


def test_a_failure_fails_no_append_and_the_next_one_makes_up_for_it(
    backend, stream, monkeypatch, caplog
):
    def fail(*_):
        raise ThrottledError("PutItem", "Slow", "Too much.", "log")

    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING, "dynamo_es"):
        broken.setattr(inline, "sequence", fail)
        assert backend.storage.insert_events(stream, ANY_VERSION, events(stream, 2)) == 2
    assert f"Stream {stream} (category 'Inline'): the events are stored, but" in caplog.text
    assert backend.storage.current_position is None
    other = StreamId()
    backend.storage.insert_events(other, ANY_VERSION, [an_event(other)])

    assert positions(backend) == [(1, 1), (2, 2), (3, 1)]


def test_what_a_dead_process_left_gets_its_position_when_it_is_appended_again(backend, stream):
    stored = events(stream, 2)
    dead = DynamoBackend(_stream_mode(backend), client=backend.client)
    dead.storage.insert_events(stream, ExplicitVersioning(0), stored)
    assert backend.storage.current_position is None

    backend.storage.insert_events(stream, ExplicitVersioning(0), stored)

    assert positions(backend) == [(1, 1), (2, 2)]


def test_in_stream_mode_an_append_is_one_request(backend, stream):
    told = []
    process = DynamoBackend(_stream_mode(backend), client=backend.client, observer=told.append)
    process.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 3))

    assert [(report.operation, report.requests) for report in told] == [("append", 1)]


def test_a_commit_in_several_items_gets_its_positions_at_once(backend, stream):
    backend.storage.insert_events(stream, ANY_VERSION, heavy_events(stream, 4, 200_000))

    assert positions(backend) == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_threads_get_dense_positions_and_their_listeners_the_right_ones(backend):
    heard = []
    backend._shared_log().hooks.listener = _Listener(heard)
    barrier = Barrier(4)

    def append():
        barrier.wait(10)
        for _ in range(5):
            stream = StreamId()
            backend.storage.insert_events(stream, ANY_VERSION, events(stream, 2))

    threads = [Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    reader, found = backend.log.reader(0), []
    while records := reader.read():
        found += records
    assert [record.position for record in found] == list(range(1, 41))
    where = {record.entry.uuid: record.position for record in found}
    assert {uuid: where[uuid] for uuid, _ in heard} == dict(heard)
    assert len(heard) == 20


def test_another_sequencer_may_be_faster(backend, stream, monkeypatch):
    """Then the position is looked up."""
    heard = []
    backend._shared_log().hooks.listener = _Listener(heard)
    real = sequencing.sequence

    def after_another(tables, hints, memory):
        yield from real(tables, list(hints), SequencerMemory())
        return (yield from real(tables, list(hints), memory))

    monkeypatch.setattr(inline, "sequence", after_another)
    for _ in range(2):
        backend.storage.insert_events(stream, ANY_VERSION, events(stream, 3))

    assert [position for _, position in heard] == [1, 4]


class _Listener:
    def __init__(self, heard):
        self._heard = heard

    def __bool__(self):
        return True

    def __call__(self, events, tenant_id, first_position, generation):
        self._heard.append((events[0].uuid, first_position))


def _stream_mode(backend):
    return replace(backend.config, sequencing="stream")
