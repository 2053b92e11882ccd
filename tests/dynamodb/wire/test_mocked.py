"""The store under moto's ``mock_aws``, which cannot put parameters into statements."""

import boto3
import pytest
from moto import mock_aws

from dynamo_es import (
    ANY_VERSION,
    DynamoBackend,
    DynamoConfig,
    ExplicitVersioning,
    StreamId,
)
from dynamo_es.contracts import StreamAppend
from dynamo_es.exceptions import AppendsFailedError, ConcurrentStreamWriteError
from dynamo_es.testing.conformance.language import an_event, events

CONFIG = DynamoConfig(
    events_table="events",
    log_table="log",
    keys_table="keys",
    region="eu-west-1",
    sequencing="inline",
)
STREAM = StreamId(category="Account")


@pytest.fixture
def operations(monkeypatch):
    """Credentials that `mock_aws` takes, and the operations that were sent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mocked")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mocked")
    monkeypatch.delenv("DYNAMO_ES_TEST_ENDPOINT", raising=False)
    return []


@pytest.fixture
def backend(operations):
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.meta.events.register(
            "before-call.dynamodb", lambda model, **_: operations.append(model.name)
        )
        with DynamoBackend(CONFIG, client=client) as opened:
            opened.create_tables()
            yield opened


def test_a_deleted_stream_is_gone_and_can_be_created_again(backend):
    for version in range(30):
        backend.storage.insert_events(STREAM, ExplicitVersioning(version), [an_event(STREAM)])

    backend.storage.delete_stream(STREAM)

    assert backend.storage.fetch_events(STREAM) == []
    assert backend.storage.insert_events(STREAM, ExplicitVersioning(0), [an_event(STREAM)]) == 1


def test_appends_to_many_streams_are_each_on_their_own(backend, operations):
    taken, free = StreamId(category="Account"), StreamId(category="Account")
    backend.storage.insert_events(taken, ExplicitVersioning(0), [an_event(taken)])
    operations.clear()

    with pytest.raises(AppendsFailedError) as failed:
        backend.storage.insert_many(
            [StreamAppend(each, ExplicitVersioning(0), events(each, 2)) for each in (taken, free)]
        )

    assert [type(error) for error in failed.value.errors.values()] == [ConcurrentStreamWriteError]
    assert len(backend.storage.fetch_events(free)) == 2
    assert "BatchExecuteStatement" not in operations


def test_every_event_gets_its_position(backend):
    streams = [StreamId(category="Account") for _ in range(30)]
    backend.storage.insert_many([StreamAppend(s, ANY_VERSION, events(s, 2)) for s in streams])
    backend.storage.insert_events(streams[0], ANY_VERSION, [an_event(streams[0])])

    records = backend.log.reader(0).read()

    assert [record.position for record in records] == list(range(1, 62))
    assert backend.storage.current_position == 61


def test_the_units_of_each_write_are_reported(operations):
    reports = []
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        config = DynamoConfig(
            events_table="events",
            log_table="log",
            keys_table="keys",
            region="eu-west-1",
            report_capacity=True,
        )
        with DynamoBackend(config, client=client, observer=reports.append) as opened:
            opened.create_tables()
            streams = [StreamId() for _ in range(3)]
            opened.storage.insert_many(
                [StreamAppend(s, ANY_VERSION, events(s, 1)) for s in streams]
            )

    assert sum(report.write_units for report in reports if report.write_units is not None) == 3.0
