"""Every key of a tenant's log begins with the tenant, and no two tenants share one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import DynamoBackend, Event, StreamId
from dynamo_es.contracts import Followed
from dynamo_es.contracts.stream_keys import category_prefix, tenant_prefix
from dynamo_es.dynamodb.consumers.cursor_requests import cursor_key
from dynamo_es.dynamodb.consumers.outbox_requests import partition_of
from dynamo_es.dynamodb.log.keys import (
    ConsumerKey,
    LogKeys,
    is_markers_key,
    is_pages_key,
    markers_key,
    owner_of_pages,
    stream_part,
)
from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.log.registry import list_logs, put_log
from dynamo_es.exceptions import EventStoreError
from tests.dynamodb.machine import play
from tests.infra.policies import calls_of

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Item

texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.text("#%*?$a{}:logs", max_size=8)
names = st.text("abc-%$ log", min_size=1, max_size=8)
STREAM = StreamId(UUID(int=7), category="order")


def keys_of(tenant: str, name: str, category: str | None) -> set[tuple[str, str]]:
    """Return keys of each kind of item that a tenant has in the log table."""
    log = LogKeys("log", tenant_prefix(tenant))
    stream = StreamId(UUID(int=7), category=category)
    cursor = cursor_key(Followed(name, stream, tenant))
    return {
        (log.pages, ""),
        (log.set_aside, ""),
        (markers_key(category_prefix(log.prefix, category), "7"), ""),
        (ConsumerKey("checkpoint", name, tenant).log_key, ""),
        (partition_of(name, tenant), ""),
        (cursor["log_key"]["S"], cursor["place"]["S"]),
    }


@given(one=texts, other=texts, name=names, category=st.none() | texts)
def test_no_two_tenants_share_a_key(one, other, name, category):
    ours, theirs = keys_of(one, name, category), keys_of(other, name, category)

    assert len(ours) == 6, "no two kinds share a key"
    assert (one == other) == bool(ours & theirs)
    for key, _ in ours:
        assert key.startswith(tenant_prefix(one))
        # And with no other tenant's: the wall's end is in no tenant's name.
        assert key.index("#") == len(tenant_prefix(one)) - 1


@given(tenant=texts, name=names, category=st.none() | texts)
def test_keys_are_read_as_they_were_made(tenant, name, category):
    prefix = tenant_prefix(tenant)
    key = ConsumerKey("checkpoint", name, tenant)
    assert ConsumerKey.read(key.log_key) == key
    of_all = ConsumerKey("checkpoint", name)
    assert ConsumerKey.read(of_all.log_key) == of_all
    markers = markers_key(category_prefix(prefix, category), "f")
    assert is_markers_key(markers)
    assert stream_part(markers) == f"{category_prefix(prefix, category)}#"
    assert not is_pages_key(markers)
    assert is_pages_key(f"{prefix}log")
    assert owner_of_pages(f"{prefix}log") == tenant
    assert owner_of_pages("log") is None


@given(tenants=st.lists(texts | st.just("x" * 1500), max_size=5, unique=True))
def test_the_registry_returns_the_tenants_that_were_put(tenants):
    items: list[Item] = [
        put_log(LogKeys("log", tenant_prefix(tenant))).params["Item"] for tenant in tenants
    ]
    assert len({item["place"]["S"] for item in items}) == len(tenants)
    assert all(len(item["place"]["S"].encode()) <= 1024 for item in items)
    if tenants:
        steps = list_logs("log")
        next(steps)
        with pytest.raises(StopIteration) as ended:
            steps.send({"Items": items})
        assert ended.value.value == tenants


@pytest.mark.parametrize("name", ["cursor", "outbox", "log", "streams"])
@pytest.mark.parametrize("scope", ["table", "tenant"])
def test_consumers_may_be_called_like_kinds_of_items(name, scope, caplog):
    with DynamoBackend.local(log_scope=scope) as local:
        backend = local.with_outbox().in_tenant(name)
        backend.event_store.append(Happened(number=1), stream_id=STREAM)
        backend.projection(name, lambda _: None).run_once()
        backend.outbox.named(name).run_once(lambda _: None)
        backend.projector(name, lambda *_: None).project(
            backend.event_store.load_stream(STREAM)[0], STREAM
        )
        found = local.consumers.find()
        assert [(one.name, one.tenant_id) for one in found.cursors] == [(name, name)]
        assert [(one.name, one.tenant_id) for one in found.outboxes] == [(name, name)]
        assert list(local.log.tenants()) == [name]
        assert list(local.log.categories(name)) == ["order"]
    assert not caplog.records


def test_a_key_that_is_no_streams_belongs_to_no_tenant():
    logs = Logs("events", "log", per_tenant=True)

    assert logs.of_stream("x" * 2048).prefix == ""
    assert logs.of_stream("acme#order#no-uuid").prefix == ""
    assert logs.of_stream(f"acme#order#{UUID(int=7)}").prefix == "acme#"


class Happened(Event):
    __event_name__ = "keys.Happened"

    number: int


def work(backend: DynamoBackend, category: str | None) -> None:
    """Do what a tenant's program does with its streams, its log and its consumers."""
    stream = StreamId(category=category)
    for number in range(2):
        backend.event_store.append(
            Happened(number=number), stream_id=stream, expected_version=number
        )
    backend.log.reader(0).read()
    assert backend.log.last_position
    backend.projection("p", lambda _: None).run_once()
    backend.checkpoints.all()
    backend.outbox.run_once(lambda _: None)
    backend.outbox.run_once(fail)
    backend.outbox.retry_all()
    projector = backend.projector("r", lambda *_: None)
    for event in backend.event_store.load_stream(stream):
        projector.project(event, stream)
    with suppress(EventStoreError):
        backend.log.unsequenced()
    backend.storage.delete_stream(stream)


def fail(_: Any) -> None:
    raise RuntimeError("down")


@pytest.fixture(scope="module")
def shared():
    with DynamoBackend.local(log_scope="tenant") as backend:
        yield backend.with_outbox()


@settings(max_examples=4, deadline=None)
@given(tenant=texts, category=st.none() | texts)
def test_whatever_a_tenant_is_called_its_requests_begin_with_it(shared, tenant, category):
    backend = shared.in_tenant(tenant)

    with calls_of(shared) as calls:
        work(backend, category)

    wall = tenant_prefix(tenant)
    others = {(call.action, call.key) for call in calls if not str(call.key).startswith(wall)}
    # The registry of logs, and the look at the table's scope: once, while the log is empty.
    assert others <= {("PutItem", "logs"), ("GetItem", "log")}
    assert len([call for call in calls if call.key == "logs"]) <= 1


def test_a_sequencers_next_page_has_no_key_of_other_tenants(shared):
    stream = StreamId(category="order")
    sent = {}
    for tenant in ("one", "two"):
        backend = shared.in_tenant(tenant)
        backend.event_store.append(Happened(number=0), stream_id=StreamId(category="order"))
    for tenant in ("one", "two"):
        with calls_of(shared) as calls:
            shared.in_tenant(tenant).event_store.append(Happened(number=1), stream_id=stream)
        sent[tenant] = {(call.table, call.key) for call in calls}

    assert not sent["one"] & sent["two"], "tenants' sequencers share no item, so rates add up"
    assert all(str(key).startswith("two#") for _, key in sent["two"])


def test_a_tenants_consumer_costs_by_its_own_events(shared):
    shared.in_tenant("small").event_store.append(Happened(number=0), stream_id=StreamId())
    applied: list[Any] = []

    def requests_of_a_run(name: str) -> list[tuple[str, str | None]]:
        process = DynamoBackend(shared.config, client=shared.client)
        with calls_of(process) as calls:
            process.in_tenant("small").projection(name, applied.append).run_once()
        return [(call.action, call.key) for call in calls]

    before = requests_of_a_run("first")
    for number in range(12):
        shared.in_tenant("busy").event_store.append(Happened(number=number), stream_id=StreamId())

    after = requests_of_a_run("other")

    assert [action for action, _ in after] == [action for action, _ in before]
    assert [one.tenant_id for one in applied] == ["small", "small"]
    assert all(str(key).startswith("small#") for _, key in after)


def test_the_registry_is_read_page_by_page():
    from dynamo_es.dynamodb.log.registry import query_logs

    def reply(*prefixes: str, more: Any = None) -> dict[str, Any]:
        found = {"Items": [{"place": {"S": prefix}} for prefix in prefixes]}
        return found if more is None else {**found, "LastEvaluatedKey": more}

    assert play(
        list_logs("log"),
        (query_logs("log"), reply("#", "acme#", more={"at": {}})),
        (query_logs("log", {"at": {}}), reply("a%23b#")),
    ) == ["", "acme", "a#b"]
