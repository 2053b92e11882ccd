"""Processes that compress differently share their streams."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es import DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.testing.conformance.language import a_snapshot, assert_same, events, numbered

SIZES = (1, 3, 10, 1, 60, 2)


@pytest.fixture(scope="module")
def processes():
    with DynamoBackend.local(sequencing="stream") as local:
        yield [
            DynamoBackend(
                replace(local.config, compression=compression),
                local.client,
                streams_client=local.streams_client,
            )
            for compression in ("units", "always")
        ]


def test_a_stream_written_by_both_is_read_by_both(processes):
    stream = StreamId(category="Order")
    stored = numbered(events(stream, sum(SIZES)))
    version = 0
    for number, size in enumerate(SIZES):
        commit = [replace(one, version=None) for one in stored[version : version + size]]
        storage = processes[number % 2].storage
        storage.insert_events(stream, ExplicitVersioning(version), commit)
        # Once more, by the other process: the same events are found in either form.
        processes[1 - number % 2].storage.insert_events(stream, ExplicitVersioning(version), commit)
        version += size
    snapshot = a_snapshot(stream, 5, data={"text": "again " * 50})
    processes[1].storage.save_snapshot(snapshot)

    for process in processes:
        assert_same(process.storage.fetch_events(stream, 1), stored)
        assert_same(process.storage.fetch_events(stream), [snapshot, *stored[5:]])
        assert_same(list(process.storage.iter_events(stream)), stored)


@pytest.mark.ci
def test_the_log_and_its_readers_take_both(processes):
    units, always = processes
    for number, process in enumerate(processes):
        stream = StreamId(name=f"parcel {number}", category="Parcel")
        process.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 3))
    units.sequencer.run_once()

    for process in processes:
        reader, records = process.log.reader(0), []
        while found := reader.read():
            records += found
        read = [record.entry.stream_id for record in records]
        names = [one.name for one in read if one.category == "Parcel"]
        assert names == ["parcel 0"] * 3 + ["parcel 1"] * 3
    assert always.config.compression == "always"
