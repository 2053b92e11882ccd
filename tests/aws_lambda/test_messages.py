"""The outbox publishes each event as a message, and a message loads into its class."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import (
    ANY_VERSION,
    Context,
    DataSubject,
    DynamoBackend,
    Encrypted,
    Event,
    EventRegistry,
    MemoryBackend,
    RawEvent,
    RecordedRaw,
    StreamId,
    UnknownEvent,
    WrappedEvent,
    upcaster,
)
from dynamo_es.aws_lambda import EventBridgePublisher, SqsPublisher, load_message
from dynamo_es.aws_lambda.messages import message_of, read_message, text_of
from dynamo_es.exceptions import (
    InvalidMessageError,
    NewerSchemaError,
    UnknownEventError,
)
from tests.aws_lambda.lambdas import records_of

ANN = StreamId(name="ann", category="member")
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Named(Event):
    __event_name__ = "member.named"
    __schema_version__ = 2

    name: str

    @upcaster(from_version=1)
    @staticmethod
    def _from_1(data):
        return {"name": data["title"]}


class Told(Event):
    __event_name__ = "member.told"

    member: Annotated[str, DataSubject]
    note: Annotated[str, Encrypted(mask_value="*")]


class Queue:
    """Stands in for SQS."""

    def __init__(self):
        self.bodies = []

    def send_message(self, **params):
        self.bodies.append(params["MessageBody"])


class World(NamedTuple):
    backend: Any
    publish: Any


@pytest.fixture(params=["memory", "dynamodb"])
def world(request):
    """A backend with an outbox, and what returns the bodies of what it publishes."""

    def publish():
        queue = Queue()
        report = backend.outbox.run_once(SqsPublisher("https://sqs/1/q", client=queue))
        assert report.failed == 0
        return queue.bodies

    with MemoryBackend() if request.param == "memory" else DynamoBackend.local() as backend:
        backend.with_outbox()
        yield World(backend, publish)


def stored(name: str, data: dict[str, Any], context: dict[str, Any] | None = None) -> RawEvent:
    """Return an event as another release has stored it."""
    return RawEvent(uuid4(), ANN, AT, name, data, context or {})


def test_an_event_comes_back_as_the_log_has_it(world):
    event = WrappedEvent.wrap(Named(name="Ann"), context=Context(correlation_id="1-5f", user="x"))
    world.backend.in_tenant("acme").event_store.append(event, stream_id=ANN)

    (body,) = world.publish()
    loaded = load_message(world.backend, body)

    assert loaded.wrapped_event == replace(event, version=1)
    assert (loaded.stream_id, loaded.stream_id.name) == (ANN, "ann")
    assert (loaded.tenant_id, loaded.position) == ("acme", 1)
    assert json.loads(body) == {
        "id": str(event.uuid),
        "name": "member.named",
        "stream": {"tenant": "acme", "category": "member", "uuid": str(ANN), "name": "ann"},
        "generation": loaded.generation,
        "version": 1,
        "position": 1,
        "at": event.created_at.isoformat(),
        "schema_version": 2,
        "data": {"name": "Ann"},
        "context": {"correlation_id": "1-5f", "user": "x"},
    }


def test_an_older_event_goes_out_as_it_is_stored_and_is_lifted_where_it_is_loaded(world):
    world.backend.storage.insert_events(ANN, ANY_VERSION, [stored("member.named", {"title": "A"})])

    (body,) = world.publish()

    assert json.loads(body)["data"] == {"title": "A"}
    assert json.loads(body)["schema_version"] == 1
    assert load_message(world.backend, body).wrapped_event.event == Named(name="A")


def test_an_event_that_a_newer_release_wrote_goes_out_and_needs_that_release(world):
    newer = stored("member.named", {"first": "A"}, {"$schema": 3, "$later": [1]})
    world.backend.storage.insert_events(ANN, ANY_VERSION, [newer])

    (body,) = world.publish()

    assert json.loads(body)["schema_version"] == 3
    assert read_message(body).entry == replace(newer, version=1)
    with pytest.raises(NewerSchemaError):
        load_message(world.backend, body)


def test_an_event_that_does_not_fit_its_class_goes_out(world):
    world.backend.storage.insert_events(ANN, ANY_VERSION, [stored("member.told", {"who": 5})])
    (body,) = world.publish()
    assert json.loads(body)["data"] == {"who": 5}


def test_an_event_of_no_class_goes_out_and_is_loaded_where_the_class_is(world):
    backend = MemoryBackend().with_outbox()
    backend.storage.insert_events(ANN, ANY_VERSION, [stored("member.unheard", {"a": 1})])
    queue = Queue()
    backend.outbox.run_once(SqsPublisher("https://sqs/1/q", client=queue))
    (body,) = queue.bodies

    with pytest.raises(UnknownEventError):
        load_message(backend, body)
    unknown = load_message(backend, body, keep_unknown=True).wrapped_event.event
    assert unknown == UnknownEvent("member.unheard", {"a": 1})

    class Unheard(Event):
        __event_name__ = "member.unheard"
        a: int

    assert load_message(MemoryBackend(), body).wrapped_event.event == Unheard(a=1)


def test_encrypted_fields_go_out_encrypted_and_are_read_by_who_has_the_key(world):
    secrets = world.backend.in_tenant("acme")
    told = Told(member="m1", note="the secret")
    secrets.event_store.append(told, stream_id=ANN)

    (body,) = world.publish()

    assert "the secret" not in body
    assert load_message(world.backend, body).wrapped_event.event == told
    secrets.encryption.shred("m1")
    masked = load_message(world.backend, body).wrapped_event.event
    assert masked == Told(member="m1", note="*")


def test_all_services_are_given_the_same_message(world):
    world.backend.storage.insert_events(ANN, ANY_VERSION, [stored("member.named", {"title": "A"})])
    (body,) = world.publish()

    class Bus:
        def put_events(self, Entries):  # noqa: N803 - boto3's name
            entries.extend(Entries)
            return {"FailedEntryCount": 0}

    entries: list[dict[str, Any]] = []
    world.backend.outbox.named("bus").run_once(EventBridgePublisher("b", "shop", client=Bus()))

    (entry,) = entries
    assert entry["Detail"] == body
    assert load_message(world.backend, json.loads(body)) == load_message(world.backend, body)


def test_a_function_is_given_what_no_class_can_take_as_it_is_stored():
    backend = MemoryBackend().with_outbox()
    newer = stored("member.named", {"first": "A"}, {"$schema": 3, "user": "x"})
    backend.storage.insert_events(ANN, ANY_VERSION, [newer])
    sent: list[Any] = []

    assert backend.outbox.named("strict").run_once(sent.append).failed == 1
    assert backend.outbox.run_once(sent.append, keep_unknown=True).handled == 1

    (recorded,) = sent
    assert recorded.wrapped_event.event == UnknownEvent("member.named", {"first": "A"})
    assert recorded.wrapped_event.context == Context(user="x")
    assert (recorded.position, recorded.wrapped_event.version) == (1, 1)


def test_no_class_is_looked_for(monkeypatch):
    backend = MemoryBackend().with_outbox()
    backend.event_store.append(Named(name="A"), stream_id=ANN)
    monkeypatch.setattr(EventRegistry, "kind_named", None)
    queue = Queue()

    assert backend.outbox.run_once(SqsPublisher("https://sqs/1/q", client=queue)).handled == 1


def test_a_tenants_backend_loads_that_tenants_messages_only():
    backend = MemoryBackend().with_outbox()
    backend.in_tenant("acme").event_store.append(Named(name="A"), stream_id=ANN)
    queue = Queue()
    backend.outbox.run_once(SqsPublisher("https://sqs/1/q", client=queue))
    (body,) = queue.bodies

    assert load_message(backend.in_tenant("acme"), body).tenant_id == "acme"
    for other in ("", "acm"):
        with pytest.raises(InvalidMessageError, match="limited to"):
            load_message(backend.in_tenant(other), body)


texts = st.text(max_size=8)
jsons = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, jsons, max_size=3)


@settings(max_examples=60)
@given(
    entry=st.builds(
        RawEvent,
        uuid=st.uuids(),
        stream_id=st.builds(
            lambda name, uuid, category: StreamId(None if name else uuid, name, category=category),
            st.none() | st.text(min_size=1, max_size=8),
            st.uuids(),
            st.none() | texts,
        ),
        created_at=st.datetimes(timezones=st.none() | st.just(UTC)),
        name=st.text(min_size=1, max_size=8),
        data=objects,
        context=st.builds(
            lambda given, schema: given | schema,
            objects,
            st.just({}) | st.integers(2, 9).map(lambda version: {"$schema": version}),
        ),
        version=st.none() | st.integers(1, 10**18),
    ),
    position=st.integers(0, 10**18),
    tenant=texts,
)
def test_any_stored_event_comes_back_as_it_was(entry, position, tenant):
    record = RecordedRaw(entry, position, tenant, 7)

    text = text_of(message_of(record))

    assert read_message(text) == read_message(text.encode()) == record
    assert read_message(text).entry.stream_id.name == entry.stream_id.name
    assert read_message(text).entry.created_at.tzinfo == entry.created_at.tzinfo


MESSAGE = message_of(RecordedRaw(replace(stored("x", {}), version=1), 1))
WRONG = {
    "nothing": "",
    "no JSON": "{",
    "not UTF-8": b"\xff",
    "too deep": "[" * 100_000,
    "a list": [],
    "None": None,
    "without id": {key: MESSAGE[key] for key in MESSAGE if key != "id"},
    "no uuid": {**MESSAGE, "id": "x"},
    "no time": {**MESSAGE, "at": "soon"},
    "no data": {**MESSAGE, "data": None},
    "text for a version": {**MESSAGE, "version": "1"},
    "no schema version": {**MESSAGE, "schema_version": None},
    "schema version 0": {**MESSAGE, "schema_version": 0},
    "schema version true": {**MESSAGE, "schema_version": True},
    "another name": {**MESSAGE, "stream": {**MESSAGE["stream"], "uuid": str(UUID(int=1))}},
    "a stream of text": {**MESSAGE, "stream": "ann"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_no_message_is_refused(wrong):
    with pytest.raises(InvalidMessageError):
        load_message(MemoryBackend(), wrong)


def test_the_handler_without_code_publishes_what_another_release_wrote(monkeypatch):
    from dynamo_es.aws_lambda import publish_outbox, sequence_events

    with DynamoBackend.local(sequencing="stream") as backend:
        backend.with_outbox()
        backend.storage.insert_events(
            ANN, ANY_VERSION, [stored("member.named", {"first": "A"}, {"$schema": 3})]
        )
        sequence_events(backend)({"Records": records_of(backend, "events")})
        queue = Queue()
        publish_outbox(backend, SqsPublisher("https://sqs/1/q", client=queue))({})
    assert json.loads(queue.bodies[0])["schema_version"] == 3
