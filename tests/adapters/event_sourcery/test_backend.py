"""The backend is the container of everything that an application uses or replaces."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, ClassVar

import pytest
from event_sourcery import Event, EventStore, StreamId, TransactionalBackend
from event_sourcery.backend import not_configured
from event_sourcery.event import ContextComponent, EventRegistry, Serde
from event_sourcery.exceptions import NoProviderConfigured
from event_sourcery.interfaces import StorageStrategy
from pydantic import ValidationError

from dynamo_es import DynamoBackend, DynamoConfig
from dynamo_es.adapters.event_sourcery import DynamoDBBackend, DynamoDBConfig
from tests.adapters.event_sourcery.orders import Heard, OrderPlaced, Publisher, placed
from tests.engine import Capability, needs
from tests.recording import recording

ours = needs(Capability.REQUESTS)


class Sender(ContextComponent):
    __context_name__: ClassVar[str] = "sender"

    name: str


class SenderEnricher:
    component_type = Sender

    def __init__(self, name: str) -> None:
        self.name = name

    def enrich(self, context: Any, *, event: Any, stream_id: Any) -> Sender:
        return Sender(name=self.name)


def sender_of(backend: TransactionalBackend, stream: StreamId) -> str:
    component = backend.event_store.load_stream(stream)[-1].context.get(Sender)
    assert component is not None
    return component.name


@pytest.mark.parametrize(
    "use",
    [
        lambda backend: backend.event_store,
        lambda backend: backend.subscriber,
        lambda backend: backend.with_outbox().outbox,
        lambda backend: backend.create_tables(),
    ],
    ids=["event store", "subscriber", "outbox", "tables"],
)
def test_without_a_configuration_nothing_works(use):
    with pytest.raises(NoProviderConfigured, match=r"\.configure\(client, config\)"):
        use(DynamoDBBackend())


def test_it_is_a_transactional_backend():
    assert isinstance(DynamoDBBackend(), TransactionalBackend)


@ours
def test_configuring_sends_nothing_and_returns_the_backend(client, config):
    backend = DynamoDBBackend()
    with recording(client) as sent:
        assert backend.configure(client, config) is backend
        _ = backend.event_store, backend.subscriber, backend.outbox

    assert sent.calls == []


@ours
def test_tables_can_be_created_again(backend):
    backend.event_store.append(OrderPlaced(), stream_id=(stream := StreamId()))

    backend.create_tables()

    assert len(backend.event_store.load_stream(stream)) == 1


def test_enrichers_set_after_the_first_use_are_used(backend):
    stream = StreamId()
    backend.with_context_enrichers(SenderEnricher("a")).event_store.append(
        OrderPlaced(), stream_id=stream
    )
    assert sender_of(backend, stream) == "a"

    backend.with_context_enrichers(SenderEnricher("b"))

    backend.event_store.append(OrderPlaced(), stream_id=stream, expected_version=1)
    assert sender_of(backend, stream) == "b"


def test_a_registry_set_after_the_first_use_is_used_by_all_of_it(backend):
    backend.with_outbox()
    _ = backend.event_store, backend.outbox, backend.subscriber
    registry = EventRegistry()
    name = "under another name"
    registry._types_to_names[OrderPlaced] = name
    registry._names_to_types[name] = OrderPlaced

    backend[EventRegistry] = registry

    heard, publisher = Heard(), Publisher()
    backend.in_transaction.register(heard, to=Event)
    backend.event_store.append(event := placed(1)[0], stream_id=(stream := StreamId()))
    assert [raw.name for raw in backend[StorageStrategy].fetch_events(stream)] == [name]
    assert backend.event_store.load_stream(stream) == [event]
    assert [call[0] for call in heard.calls] == [event]
    backend.outbox.run(publisher)
    assert [record.wrapped_event for record in publisher.seen] == [event]
    [[record]] = [
        next(backend.subscriber.start_from(0).to_events([OrderPlaced]).build_batch(1, 0.1))
    ]
    assert record.wrapped_event == event


@ours
def test_the_store_underneath_may_be_replaced(backend, client, config):
    reports: list[str] = []
    backend[DynamoBackend] = DynamoBackend(
        config.of_core(), client, lambda report: reports.append(report.operation)
    )

    backend.event_store.append(OrderPlaced(), stream_id=StreamId())

    assert reports[0] == "append"


def test_a_provider_is_asked_on_each_access(backend):
    asked = []

    def provide(container):
        asked.append(container)
        return EventStore(container[StorageStrategy], container[Serde])

    backend[EventStore] = provide
    _ = backend.event_store, backend.event_store

    assert asked == [backend, backend]


def test_copies_for_tenants_share_storage_listeners_and_outbox(backend):
    backend.with_outbox()
    heard, publisher = Heard(), Publisher()
    scoped = backend.in_tenant_mode("a")
    scoped.in_transaction.register(heard, to=Event)

    scoped.event_store.append(*placed(1), stream_id=(stream := StreamId(name="s", category="c")))
    backend.event_store.append(*placed(1), stream_id=stream)

    assert [(call[1], call[2]) for call in heard.calls] == [(stream, "a"), (stream, "")]
    backend.in_tenant_mode("b").outbox.run(publisher)
    assert [record.tenant_id for record in publisher.seen] == ["a", ""]
    assert backend.in_tenant_mode("a").event_store.load_stream(stream) != []


@ours
def test_copies_for_tenants_know_what_the_original_knows_of_streams(backend, client):
    stream = StreamId()
    backend.in_tenant_mode("a").event_store.append(OrderPlaced(), stream_id=stream)

    with recording(client) as sent:
        backend.in_tenant_mode("a").event_store.append(
            OrderPlaced(), stream_id=stream, expected_version=1
        )

    # No query for the head of the stream.
    assert sent.operations[0] == "PutItem"


def test_a_configuration_is_checked():
    names: dict[str, Any] = {"events_table": "e", "log_table": "l", "keys_table": "k"}

    assert DynamoDBConfig(**names).outbox_attempts == 3
    assert DynamoDBConfig(**names).of_core() == DynamoConfig(**names, sequencing="inline")
    assert DynamoDBConfig(**names, kms_key_id="alias/x").of_core().kms_key_id == "alias/x"
    for wrong in (
        {"outbox_attempts": 0},
        {"events_table": ""},
        {"sequencing": "later"},
        {"table": "x"},
    ):
        with pytest.raises(ValidationError):
            DynamoDBConfig(**{**names, **wrong})
    with pytest.raises(ValidationError):
        DynamoDBConfig(**names).events_table = "other"


def test_an_unconfigured_part_says_so(backend):
    backend[StorageStrategy] = not_configured("no storage here")

    with pytest.raises(NoProviderConfigured, match="no storage here"):
        _ = backend.event_store


def in_a_new_process(code: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout


def test_without_the_library_the_error_names_the_extra():
    printed = in_a_new_process(
        "import sys\n"
        "sys.modules['event_sourcery'] = None\n"
        "try:\n"
        "    import dynamo_es.adapters.event_sourcery\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )

    assert printed.startswith("MissingExtraError")
    assert "pip install 'dynamo_es[event-sourcery]'" in printed


def test_neither_a_driver_nor_boto3_is_loaded_before_it_is_needed():
    printed = in_a_new_process(
        "import sys\n"
        "import dynamo_es.adapters.event_sourcery\n"
        "print(*{'psycopg2', 'sqlalchemy', 'django', 'boto3', 'moto'} & sys.modules.keys())\n"
    )

    assert printed.split() == []


def test_the_library_itself_does_not_load_it():
    printed = in_a_new_process(
        "import sys\nimport dynamo_es, dynamo_es.dynamodb.backend\n"
        "print('event_sourcery' in sys.modules)\n"
    )

    assert printed.split() == ["False"]
