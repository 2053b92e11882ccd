"""The first request names a missing table, before anything is written."""

from __future__ import annotations

from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, DynamoConfig, ExplicitVersioning, StreamId
from dynamo_es.exceptions import TableNotFoundError
from dynamo_es.testing.conformance.language import a_snapshot, an_event


@pytest.fixture(scope="module")
def elsewhere():
    """A backend whose tables have other names than those that were made."""
    with DynamoBackend.local() as backend:
        config = DynamoConfig(events_table="Events", log_table="Log", keys_table="Keys")
        yield DynamoBackend(config, client=backend.client)
        assert not backend.client.scan(TableName="events")["Items"]


@pytest.mark.parametrize(
    "action",
    {
        "fetch": lambda storage, stream: storage.fetch_events(stream),
        "create": lambda storage, stream: storage.insert_events(
            stream, ExplicitVersioning(0), [an_event(stream)]
        ),
        "append": lambda storage, stream: storage.insert_events(
            stream, ANY_VERSION, [an_event(stream)]
        ),
        "snapshot": lambda storage, stream: storage.save_snapshot(a_snapshot(stream, 1)),
        "delete": lambda storage, stream: storage.delete_stream(stream),
        "position": lambda storage, stream: storage.current_position,
    }.items(),
    ids=lambda entry: entry[0],
)
def test_a_table_that_is_not_there_is_named_with_what_to_do(elsewhere, action):
    name, act = action
    stream = StreamId(uuid4())
    with pytest.raises(TableNotFoundError, match=r"backend.create_tables\(\)") as caught:
        act(elsewhere.storage, stream)
    assert caught.value.subject == (
        "Log" if name == "position" else f"stream {stream} in table Events"
    )
