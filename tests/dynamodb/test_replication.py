"""What a process may do with replicas, and with strongly consistent global tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from dynamo_es import (
    ANY_VERSION,
    DynamoBackend,
    DynamoConfig,
    Event,
    ExplicitVersioning,
    RawEvent,
    StreamId,
)
from dynamo_es.aws_lambda.sequencer import sequence_events
from dynamo_es.contracts import StreamAppend
from dynamo_es.dynamodb.emulator.emulator import emulated_client
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.dynamodb.maintenance.torn import Truncation, truncate
from dynamo_es.dynamodb.subject_keys.requests import get_key
from dynamo_es.dynamodb.subject_keys.storage import DynamoKeyStorage, find_key
from dynamo_es.dynamodb.tables.adopt import plan_adoption
from dynamo_es.dynamodb.tables.create import create_tables
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    ConfigurationError,
    ReplicaLagError,
    ReplicaWriteError,
    ThrottledError,
    TransactionsUnsupportedError,
)
from dynamo_es.testing.conformance.language import events, numbered
from dynamo_es.values import SubjectKey
from tests.dynamodb.subject_keys.test_storage import ITEM, KEY, PLACE, SUBJECT, TABLE, TENANT

CONFIG = DynamoConfig(events_table="events", log_table="log", keys_table="keys", region="us-east-1")
REPLICA, STRONG = (replace(CONFIG, replication=how) for how in ("replica", "strong"))
STREAM = StreamId(name="ann", category="account")


class Silent:
    """A client that no request may reach."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


SILENT: Any = Silent()


@pytest.fixture
def replica():
    return DynamoBackend(REPLICA, client=SILENT, streams_client=SILENT)


def two_appends():
    streams = StreamId(), StreamId()
    return [StreamAppend(stream, ExplicitVersioning(0), events(stream, 1)) for stream in streams]


def a_snapshot():
    (snapshot,) = numbered(events(STREAM, 1), 1)
    return snapshot


WRITES = {
    "append": lambda b: b.storage.insert_events(STREAM, ANY_VERSION, events(STREAM, 1)),
    "append to all": lambda b: b.storage.insert_all(two_appends()),
    "append to many": lambda b: b.storage.insert_many(two_appends()),
    "delete": lambda b: b.storage.delete_stream(STREAM),
    "save a snapshot": lambda b: b.storage.save_snapshot(a_snapshot()),
    "index tags": lambda b: b.storage.index_tags(STREAM),
    "append to a boundary": lambda b: b.boundary("shop").append(Paid()),
    "poll": lambda b: b.sequencer.run_once(),
    "sequence in Lambda": sequence_events,
    "repair": lambda b: repair(b.config, lambda: SILENT),
    "truncate": lambda b: truncate(b.config, lambda: SILENT, Truncation(0, (), (), (), ())),
    "shred": lambda b: b.encryption.shred("ann"),
    "make a key": lambda b: keys_of(b).get_or_create("ann", SubjectKey.random()),
}


class Paid(Event):
    __event_name__ = f"paid-{uuid4().hex}"


def keys_of(backend: DynamoBackend) -> DynamoKeyStorage:
    return DynamoKeyStorage(backend.config, backend._gateway, lambda: 0.0)


@pytest.mark.parametrize("write", WRITES)
def test_a_replica_refuses_every_write_of_events_positions_and_keys(replica, write):
    with pytest.raises(ReplicaWriteError, match="Do it in the region that writes"):
        WRITES[write](replica)


def test_consumers_of_a_replica_keep_their_positions_there():
    client = emulated_client(CONFIG)
    writer = DynamoBackend(replace(CONFIG, sequencing="inline"), client=client)
    writer.create_tables()
    for _ in range(3):
        writer.event_store.append(Paid(), stream_id=StreamId())
    seen: list[int] = []
    reader = DynamoBackend(REPLICA, client=client)

    report = reader.projection("balances-eu", lambda one: seen.append(one.position)).run_once()

    assert (seen, report.position) == ([1, 2, 3], 3)
    assert reader.checkpoints.position("balances-eu") == 3


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [("sequencing", "inline", "that writes assigns"), ("tag_index", True, "would miss events")],
)
def test_a_replica_has_neither_a_sequencer_nor_a_tag_index(setting, value, why):
    with pytest.raises(ConfigurationError, match=f"DynamoConfig.{setting} must be .*{why}"):
        replace(REPLICA, **{setting: value})


def test_the_kind_of_replication_is_one_of_three():
    with pytest.raises(ConfigurationError, match="one of none, replica, strong"):
        replace(CONFIG, replication="eventual")  # type: ignore[arg-type]
    variables = {"DYNAMO_ES_REPLICATION": "replica"}
    assert DynamoConfig.from_env(variables).replication == "replica"


@pytest.mark.parametrize("config", [REPLICA, STRONG])
def test_tables_that_are_replicated_come_from_their_template(config):
    with pytest.raises(ConfigurationError, match=r"deploy infra/global-event-store\.yaml"):
        create_tables(SILENT, config)


# Keys


def looks(steps, *items):
    """Answer each look for a key; return the number of waits and the result."""
    waits, asked = 0, next(steps)
    left = list(items)
    while True:
        try:
            if isinstance(asked, Pause):
                waits += 1
                if not left:
                    asked = steps.throw(ThrottledError("BatchGetItem", "UnprocessedKeys", "late"))
                    continue
                asked = steps.send({})
            else:
                assert asked == get_key(TABLE, TENANT, SUBJECT)
                item = left.pop(0)
                asked = steps.send({} if item is None else {"Item": item})
        except StopIteration as end:
            return waits, end.value


def find(**how):
    return find_key(TABLE, TENANT, SUBJECT, **how)


def test_a_key_that_has_not_arrived_is_waited_for_and_is_not_taken_for_an_erased_one():
    assert looks(find(is_replica=True), None, None, ITEM) == (2, KEY)
    assert looks(find(is_replica=True), None, PLACE | {"shreds": {"N": "1"}}) == (1, None)
    with pytest.raises(ReplicaLagError, match="key of a subject has not arrived"):
        looks(find(is_replica=True), None)


def test_elsewhere_a_key_that_is_not_there_takes_one_request():
    assert looks(find(), None) == (0, None)
    assert looks(find(is_replica=True), ITEM) == (0, KEY)


# Strong consistency


def strong(client=None):
    return DynamoBackend(STRONG, client=SILENT if client is None else client)


def test_with_strong_consistency_a_single_append_is_one_request_as_ever():
    client = emulated_client(CONFIG)
    create_tables(client, CONFIG)
    backend = strong(client)
    stored = backend.storage.insert_events(STREAM, ANY_VERSION, events(STREAM, 2))
    assert stored == 2
    assert len(backend.storage.fetch_events(STREAM)) == 2
    backend.storage.delete_stream(STREAM)
    assert backend.storage.fetch_events(STREAM) == []


def large():
    return RawEvent(
        uuid=uuid4(),
        stream_id=STREAM,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        name="large",
        data={"noise": [uuid4().hex for _ in range(16_000)]},
        context={},
    )


TRANSACTIONS = {
    "a commit above 400 KB": lambda b: b.storage.insert_events(
        STREAM, ANY_VERSION, [large() for _ in range(3)]
    ),
    "several streams": lambda b: b.storage.insert_all(two_appends()),
    "an enlisted write": lambda b: b.storage.insert_events(
        STREAM,
        ANY_VERSION,
        events(STREAM, 1),
        transact_with=[{"Put": {"TableName": "mine", "Item": {"id": {"S": "1"}}}}],
    ),
    "an outbox": lambda b: b.outbox.run_once(lambda _: None),
    "writes of a projection": lambda b: b.projection(
        "balances",
        lambda _: [{"Put": {"TableName": "mine", "Item": {"id": {"S": "1"}}}}],
        writes=True,
    ).run_once(),
}


@pytest.mark.parametrize("operation", TRANSACTIONS)
def test_with_strong_consistency_what_needs_a_transaction_is_refused_before_it_is_sent(operation):
    client = emulated_client(CONFIG)
    writer = DynamoBackend(replace(CONFIG, sequencing="inline"), client=client).with_outbox(
        lambda _: True
    )
    writer.create_tables()
    writer.event_store.append(Paid(), stream_id=StreamId())
    sent: list[str] = []
    client.meta.events.register("before-call.dynamodb", lambda model, **_: sent.append(model.name))

    with pytest.raises(TransactionsUnsupportedError, match="Nothing was written"):
        TRANSACTIONS[operation](strong(client).with_outbox(lambda _: True))

    assert "TransactWriteItems" not in sent


def test_the_stream_of_a_global_table_may_have_the_old_images_too(monkeypatch):
    client = emulated_client(CONFIG)
    create_tables(client, CONFIG)
    described = client.describe_table
    view: Any = "NEW_AND_OLD_IMAGES"

    def describe_table(**which: Any) -> Any:
        found = described(**which)
        found["Table"].get("StreamSpecification", {})["StreamViewType"] = view
        return found

    monkeypatch.setattr(client, "describe_table", describe_table)
    assert plan_adoption(client, REPLICA).missing == ()
    view = "KEYS_ONLY"
    with pytest.raises(ConfigurationError, match="has KEYS_ONLY instead of NEW_IMAGE"):
        plan_adoption(client, REPLICA)


def test_strongly_consistent_tables_lack_no_expiry():
    client = emulated_client(CONFIG)
    create_tables(client, CONFIG)
    client.update_time_to_live(
        TableName="events",
        TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": False},
    )
    assert [each.setting for each in plan_adoption(client, CONFIG).missing] == ["expiry"]
    assert plan_adoption(client, STRONG).missing == ()


# In a region whose items arrive one by one


def a_region(*amounts):
    """Append events one by one; return the client, a backend of the replica, and the stream."""
    client = emulated_client(CONFIG)
    writer = DynamoBackend(replace(CONFIG, sequencing="inline"), client=client)
    writer.create_tables()
    for version in range(len(amounts)):
        writer.event_store.append(Paid(), stream_id=STREAM, expected_version=version)
    impatient = replace(REPLICA, retry_deadline=0.0)
    return client, DynamoBackend(impatient, client=client), writer.event_store.load_stream(STREAM)


def taken_away(client, table, **key):
    """Delete an item, and return a function that lets it arrive."""
    item = client.get_item(TableName=table, Key=key)["Item"]
    client.delete_item(TableName=table, Key=key)
    return lambda: client.put_item(TableName=table, Item=item)


def test_a_read_model_of_streams_waits_for_the_event_before(caplog):
    client, reader, (_, second) = a_region(1, 2)
    arrive = taken_away(
        client, "events", stream_key={"S": f"#account#{STREAM}"}, version={"N": "1"}
    )
    applied: list[int] = []
    projector = reader.projector("balances-eu", lambda one, _: applied.append(one.version))

    with pytest.raises(ReplicaLagError, match="version 1 has not arrived"):
        projector.project(second, STREAM)
    assert applied == []
    arrive()
    projector.project(second, STREAM)

    assert applied == [1, 2]
    assert "park" not in caplog.text


def test_a_projection_neither_skips_an_event_that_is_late_nor_asks_without_a_pause():
    client, reader, _ = a_region(1, 2)
    arrive = taken_away(
        client, "events", stream_key={"S": f"#account#{STREAM}"}, version={"N": "2"}
    )
    seen: list[int] = []
    projection = reader.projection("balances-eu", lambda one: seen.append(one.position))

    with pytest.raises(ReplicaLagError, match="event at position 2"):
        projection.run_once()
    assert (seen, reader.checkpoints.position("balances-eu")) == ([1], 1)
    arrive()

    assert projection.run_once().position == 2
    assert seen == [1, 2]


def test_a_moment_in_a_page_that_is_late_is_no_damage():
    client, reader, _ = a_region(1, 2, 3)
    arrive = taken_away(client, "log", log_key={"S": "log"}, place={"S": f"{1:020d}"})
    early = datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(ReplicaLagError, match="A page of the log has not arrived"):
        reader.log.position_at(early)
    arrive()
    assert reader.log.position_at(early) == 0
