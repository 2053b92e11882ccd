"""The pictures of the architecture and the tables of the item layouts agree with the code."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent, Tracking

from dynamo_es import (
    NO_VERSIONING,
    DataSubject,
    DynamoBackend,
    Encrypted,
    Event,
    ExplicitVersioning,
    StreamId,
    Tag,
)
from dynamo_es.contracts import NewFailure
from dynamo_es.contracts.consumers import parked
from dynamo_es.contracts.consumers.parked import ParkedKey, Place
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.minutes import put_minute
from dynamo_es.dynamodb.log.set_aside import SetAside, put_entry
from dynamo_es.dynamodb.storage import DynamoStorage
from dynamo_es.dynamodb.streams.items import fence_item
from dynamo_es.dynamodb.subject_keys.requests import StoredKey, key_item
from dynamo_es.testing.conformance.language import a_snapshot, an_event, events
from tests.adapters.eventsourcing.engine import Tables as EventsourcingTables

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
ITEMS = (ROOT / "docs" / "reference" / "items.md").read_text()
PICTURES = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PACKAGES, INSIDE_DYNAMODB, PATH = PICTURES
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]


def layers(picture: str) -> list[str]:
    """Return the packages of each line of a picture."""
    return re.findall(r"^ {2}(\w+(?: \| \w+)*)", picture, re.MULTILINE)


@pytest.mark.parametrize(
    ("picture", "container"),
    [(PACKAGES, "dynamo_es"), (INSIDE_DYNAMODB, "dynamo_es.dynamodb")],
    ids=["packages", "inside dynamodb"],
)
def test_a_picture_has_the_layers_of_the_import_contract(picture, container):
    (contract,) = [one for one in CONTRACTS if one.get("containers") == [container]]
    assert layers(picture) == contract["layers"]


@pytest.mark.parametrize("picture", [PACKAGES, INSIDE_DYNAMODB], ids=["packages", "dynamodb"])
def test_each_layer_has_a_line_and_an_arrow_to_the_next(picture):
    lines = picture.splitlines()
    assert all(line.strip() == "│" for line in lines[1::2])
    assert len(lines) == 2 * len(layers(picture)) - 1


def test_every_file_on_the_path_of_an_event_exists():
    named = set(re.findall(r"[\w/]+/\w+\.py", PAGE))
    assert set(re.findall(r"[\w/]+/\w+\.py", PATH)) < named
    assert [name for name in sorted(named) if not (ROOT / "dynamo_es" / name).exists()] == []


# Below: the attributes that the page lists, and those that the tables have.


PLAIN = StreamId()


class Registered(Event):
    __event_name__ = "architecture.registered"
    customer: Annotated[str, DataSubject]
    email: Annotated[str, Encrypted(mask_value="(gone)")]


class Enrolled(Event):
    student: Annotated[str, Tag("student")]


KEYS = {
    "Events table": {"stream_key", "version"},
    "Log table": {"log_key", "place"},
    "Keys table": {"tenant", "subject"},
}


def documented() -> dict[str, tuple[set[str], set[str]]]:
    """Return for each kind of item the attributes that it must and those that it may have."""
    found = {}
    for table in KEYS:
        section = ITEMS.split(f"## {table}\n")[1].split("\n##")[0]
        for row in re.findall(r"^\| (?!item|---)(.*) \|$", section, re.MULTILINE):
            kind, *_, attributes, _ = [cell.strip() for cell in row.split("|")]
            names = re.findall(r"`([\w?]+)`", attributes)
            sometimes = {name.removesuffix("?") for name in names if name.endswith("?")}
            found[kind] = ({name for name in names if name[-1] != "?"}, sometimes)
    return found


WORDS = {
    "log": "page",
    "logs": "log of a tenant",
    "streams": "marker",
    "set-aside": "commit set aside",
    "minutes": "minute",
    "consumers": "name of a consumer",
    "checkpoint": "checkpoint",
    "cursor": "cursor of a stream",
    "outbox": "outbox",
    "parked": "parked stream",
    "skipped": "skipped event",
    "tracking": "tracking record of `eventsourcing`",
}


def kind_of(item) -> str:  # noqa: C901, PLR0911 - one for each kind
    """Return what the page calls an item, by its key."""
    if "stream_key" in item and "version" in item:
        if "closed" in item:
            return "fence"
        if "topic" in item:
            return "snapshot of `eventsourcing`"
        if "state_key" in item:
            return "saved state of a model of a boundary"
        return "snapshot" if item["version"]["N"] == str(10**18) else "commit"
    if "tenant" in item:
        return "key" if "key_id" in item else "shredded key"
    if "log_scope" in item:
        return "scope"
    words, place = item["log_key"]["S"].split("#"), item["place"]["S"]
    key = next((word for word in words[:2] if word in WORDS), "")
    if key == "checkpoint" and place == "live":
        return "live version"
    if "tags" in words[:2]:
        return kind_of_tags(item)
    if words[-1] == "parked":
        return "consumer that set something aside"
    if key == "outbox":
        return "cursor of an outbox" if place == "cursor" else "entry of an outbox"
    return WORDS[key]


def kind_of_tags(item) -> str:
    if item["place"]["S"] == "checkpoint":
        return "checkpoint of the tags"
    return "tags of a boundary" if "entries" in item else "tags that a run wrote"


class Items:
    """Attributes of all items that were ever seen in the tables, by kind."""

    def __init__(self) -> None:
        self.seen: defaultdict[str, list[set[str]]] = defaultdict(list)

    def look(self, client, config) -> None:
        for table, keys in zip(config.tables, KEYS.values(), strict=True):
            for item in client.scan(TableName=table)["Items"]:
                self.seen[kind_of(item)].append(set(item) - keys)


def fill(backend: DynamoBackend, items: Items) -> None:
    """Let every writer of the backend write, and look at the tables while leases are held."""

    def look(*_: object) -> None:
        items.look(backend.client, backend.config)

    storage, store = backend.storage, backend.event_store
    ann, customer = StreamId(name="ann", category="account"), StreamId()
    storage.insert_events(ann, ExplicitVersioning(0), events(ann, 2))
    storage.insert_events(PLAIN, NO_VERSIONING, events(PLAIN, 1))
    store.append(Registered(customer="ann", email="a@b.c"), stream_id=customer)
    storage.save_snapshot(a_snapshot(ann, 2))
    look()
    backend.checkpoints.move("balances", 1)
    checkpoints = backend.checkpoints
    checkpoints.take("balances", "one", checkpoints.look("balances"), 2000, 1000)
    checkpoints.ask("balances", "two", checkpoints.look("balances"))
    backend.checkpoints.fail("fails at once", 0, NewFailure(1, "ValueError", 1))
    backend.projector("customers", look).project(store.load_stream(customer)[0], customer)
    with suppress(ZeroDivisionError):
        failing = backend.projector("fails", lambda *_: 1 // 0)
        failing.project(store.load_stream(customer)[0], customer)
    checkpoints.pause("balances")
    checkpoints.of_version(2).move("balances", 1)
    checkpoints.promote("balances", 1, None)
    look()
    checkpoints.promote("balances", 2, 1)
    key = ParkedKey("balances", "log", ann)
    for one in (key, key._replace(version=2)):
        failure = parked.ParkedFailure(Place(0, 1), 1, "ValueError", 1)
        backend.parked.park(one, failure)
        backend.parked.skip(one, failure)
    backend.parked.take(key, "one", 0, 1000)
    look()
    for attempts in (3, 1, 1, 1):  # an entry that waits, and those that are dead
        publishing = backend.outbox.tries(attempts=attempts)
        with suppress(StopIteration):
            next(publishing)
            look()
            publishing.send(ValueError())
        publishing.close()
    entry = SetAside("key", "7", "reason", datetime.now(UTC))
    backend.client.put_item(**put_entry(LogKeys(backend.config.log_table), entry).params)
    minute = put_minute(LogKeys(backend.config.log_table), 1, 7)
    backend.client.put_item(**minute.params)
    closing = fence_item("key", version=3, closed=1, expires_at=None)
    backend.client.put_item(TableName=backend.config.events_table, Item=closing)
    wrapped = key_item("acme#", "bob", StoredKey("id", b"key", "alias/key"), created_at=1)
    backend.client.put_item(TableName=backend.config.keys_table, Item=wrapped)
    look()
    storage.delete_stream(ann)
    backend.encryption.shred("ann")
    look()
    store.append(Registered(customer="ann", email="a@b.c"), stream_id=StreamId())
    look()


def fill_logs_of_tenants(items: Items) -> None:
    """Let each of two tenants have a log; the second one's key is too long for the registry."""
    with DynamoBackend.local(log_scope="tenant") as backend:
        for tenant in ("acme", "x" * 1500):
            storage = backend.in_tenant(tenant).storage
            storage.insert_events(PLAIN, NO_VERSIONING, events(PLAIN, 1))
        items.look(backend.client, backend.config)


def fill_index(items: Items) -> None:
    """Let the tag index of a boundary be written, while an earlier edition is to be deleted."""
    with DynamoBackend.local() as backend:
        config = replace(backend.config, tag_index=True)

        def look(**_: object) -> None:
            items.look(backend.client, config)

        backend.client.meta.events.register("after-call.dynamodb.PutItem", look)
        indexed = DynamoBackend(config, backend.client)
        boundary = indexed.boundary("courses")
        for _ in range(2):
            boundary.append(Enrolled(student="ann"))
            indexed.storage.index_tags(boundary.stream_id, 100)
            head = indexed.storage.head(boundary.stream_id)
            assert head is not None
            state = an_event(boundary.stream_id, version=1, generation=head.generation)
            indexed.storage.save_state("key", state)
            with patch.object(DynamoStorage, "_remove_index"):  # The process dies before it.
                indexed.storage.delete_stream(boundary.stream_id)


def fill_from_eventsourcing(items: Items) -> None:
    """Let the recorders of the adapter write what only they write."""
    tables = EventsourcingTables("moto:architecture")
    factory = tables.factory("accounts")
    snapshot = StoredEvent(uuid4(), 3, "topic", b"state")
    of_10: Any = SimpleNamespace(**vars(snapshot), uuid=uuid4(), metadata={"user": "ann"})
    factory.aggregate_recorder("snapshots").insert_events([snapshot])
    factory.aggregate_recorder("snapshots_of_10").insert_events([of_10])
    factory.tracking_recorder().insert_tracking(Tracking("orders", 5))
    items.look(factory.runtime.client(), factory.runtime.config)
    tables.close()


@pytest.fixture(scope="module")
def items() -> Items:
    found = Items()
    with DynamoBackend.local().with_outbox(lambda event: event.stream_id != PLAIN) as backend:
        fill(backend, found)
    fill_logs_of_tenants(found)
    fill_index(found)
    fill_from_eventsourcing(found)
    return found


def test_the_tables_list_every_kind_of_item(items):
    assert set(documented()) == set(items.seen)


@pytest.mark.parametrize("kind", documented())
def test_the_tables_list_the_attributes_of_an_item(items, kind):
    always, sometimes = documented()[kind]
    assert set.intersection(*items.seen[kind]) == always
    assert set.union(*items.seen[kind]) == always | sometimes
