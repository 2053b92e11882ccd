"""The sequencer on an engine assigns positions to stored events, with few requests."""

from __future__ import annotations

from random import Random

import pytest

from dynamo_es import NO_VERSIONING, DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.pages import read_page
from dynamo_es.dynamodb.log.pointers import pointer_to
from dynamo_es.dynamodb.log.requests import newest_page
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.testing.conformance.language import events
from tests.recording import recording


@pytest.fixture
def backend():
    with DynamoBackend.local(sequencing="stream") as backend:
        yield backend


def sequenced(backend, hints, memory=None):
    tables = Tables(backend.config.events_table, backend.config.log_table)
    gateway = Gateway(lambda: backend.client, backend.config)
    return gateway.run("sequence", "", None, sequence(tables, hints, memory or SequencerMemory()))


def hints_of(backend):
    pages = backend.client.get_paginator("scan").paginate(TableName=backend.config.events_table)
    items = [item for page in pages for item in page["Items"]]
    return [pointer_to(item) for item in items if "event_count" in item]


def append(backend, stream, *sizes, versioning=NO_VERSIONING):
    for size in sizes:
        backend.storage.insert_events(stream, versioning, events(stream, size))


def test_commits_of_one_call_each_take_positions(backend):
    a, b, checked = (StreamId(category="order") for _ in range(3))
    append(backend, checked, 1, versioning=ExplicitVersioning(0))

    backend.storage.insert_all(
        [
            StreamAppend(a, ExplicitVersioning(0), events(a, 2)),
            StreamAppend(b, ExplicitVersioning(0), events(b, 3)),
        ],
        unchanged=[StreamCheck(checked, ExplicitVersioning(1))],
    )
    sequenced(backend, hints_of(backend))

    check_log(backend)
    assert backend.storage.current_position == 6
    recorded = backend.log.reader(0).read()
    of_call = [
        (one.position, one.entry.stream_id, one.entry.version)
        for one in recorded
        if one.entry.stream_id != checked
    ]
    assert len(of_call) == 5
    for stream, count in ((a, 2), (b, 3)):
        places = [(at, version) for at, its, version in of_call if its == stream]
        first = places[0][0]
        assert places == [(first + n, 1 + n) for n in range(count)]


def check_log(backend, *, deleted=0):
    found = backend.client.query(
        TableName=backend.config.log_table,
        KeyConditionExpression="log_key = :log",
        ExpressionAttributeValues={":log": {"S": "log"}},
        ConsistentRead=True,
    )["Items"]
    following, pointers = 1, []
    for page in map(read_page, found):
        assert page.first == following
        following = page.following
        pointers += page.pointers
    assert len(set(pointers)) == len(pointers)
    assert set(pointers) >= set(hints_of(backend))
    assert len(pointers) == len(hints_of(backend)) + deleted
    for pointer in pointers:
        same = [p.first_version for p in pointers if p[0] == pointer[0] and p[2] == pointer[2]]
        assert same == sorted(same)
    assert backend.storage.current_position == following - 1
    return pointers


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_hints_gives_one_log(backend, seed):
    random = Random(seed)
    streams = [StreamId(category="order") for _ in range(5)] + [StreamId(name="one of a kind")]
    for stream in streams:
        append(backend, stream, 1, 3, 2, 1)
    hints = hints_of(backend)
    processes = [SequencerMemory(), SequencerMemory()]
    for _ in range(12):
        sequenced(backend, random.choices(hints, k=5), random.choice(processes))
    sequenced(backend, hints)
    assert len(check_log(backend)) == 24
    assert sequenced(backend, hints) == []


def test_a_deleted_stream_keeps_its_positions_and_a_new_generation_gets_others(backend):
    stream = StreamId(category="order")
    append(backend, stream, 1, 1)
    first = hints_of(backend)
    sequenced(backend, first[:1])
    backend.storage.delete_stream(stream)
    append(backend, stream, 1)
    sequenced(backend, hints_of(backend))
    assert len(check_log(backend, deleted=1)) == 2
    assert backend.storage.current_position == 2


@pytest.mark.parametrize(("streams", "cold", "warm"), [(1, 4, 2), (10, 4, 2), (100, 7, 5)])
def test_a_batch_takes_so_many_requests(backend, streams, cold, warm):
    ids = [StreamId(category="order") for _ in range(streams)]
    memory = SequencerMemory()
    counted, fresh = [], []
    for _ in range(2):
        known = set(hints_of(backend))
        for stream in ids:
            append(backend, stream, 1)
        fresh = [hint for hint in hints_of(backend) if hint not in known]
        with recording(backend.client) as record:
            sequenced(backend, fresh, memory)
        counted.append(len(record.calls))
    assert counted == [cold, warm]
    with recording(backend.client) as record:
        sequenced(backend, fresh, memory)
    assert record.operations == [], "it remembers what it put"


def test_hints_of_long_streams_fill_several_pages(backend):
    stream = StreamId(category="order")
    append(backend, stream, *[1] * 230)
    last = max(hints_of(backend), key=lambda hint: hint.first_version)
    pages = sequenced(backend, [last])
    assert [len(page.pointers) for page in pages] == [100, 100, 30]
    check_log(backend)


def test_the_newest_page_is_the_last_one(backend):
    append(backend, StreamId(), 2, 2)
    *_, last = sequenced(backend, hints_of(backend))
    (item,) = backend.client.query(**newest_page(LogKeys(backend.config.log_table)).params)["Items"]
    assert read_page(item) == last
