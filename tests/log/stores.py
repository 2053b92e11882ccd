"""Stores whose log a test fills, on an emulator and, with --endpoint, on the local engine."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from dynamo_es import NO_VERSIONING, DynamoBackend, DynamoConfig, StreamId
from dynamo_es.dynamodb.emulator.emulator import Emulator
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.pages import read_page
from dynamo_es.dynamodb.log.pointers import find_pointer
from dynamo_es.dynamodb.log.sequencer import Tables, sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.maintenance.repair import scan_commits
from dynamo_es.dynamodb.streams.items import commit_item
from dynamo_es.dynamodb.table_stream.poller import StreamPoller
from dynamo_es.dynamodb.tables.create import create_tables, delete_tables
from dynamo_es.dynamodb.wire.client import make_client, make_streams_client
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.testing.conformance.language import events
from tests.engine import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.wire.steps import Item

CONFIG: Final = DynamoConfig(
    events_table="events", log_table="log", keys_table="keys", region="us-east-1"
)
FOREIGN: Final[Item] = {"stream_key": {"S": "mine"}, "version": {"N": "1"}, "note": {"S": "x"}}


class Store:
    """Tables, and what a test does with them."""

    def __init__(self, config: DynamoConfig, client: Any, streams: Any) -> None:
        self.config, self.client, self.streams = config, client, streams
        self.storage = DynamoBackend(config, client=client).storage

    def append(self, stream: StreamId, *sizes: int) -> None:
        for size in sizes:
            self.storage.insert_events(stream, NO_VERSIONING, events(stream, size))

    def put_foreign(self) -> None:
        self.client.put_item(TableName=self.config.events_table, Item=FOREIGN)

    def make_again(self, **stream: Any) -> None:
        """Make the events table again, so that its stream is another."""
        name = self.config.events_table
        described = self.client.describe_table(TableName=name)["Table"]
        self.client.update_table(TableName=name, DeletionProtectionEnabled=False)
        self.client.delete_table(TableName=name)
        self.client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification=stream or described["StreamSpecification"],
            **{each: described[each] for each in ("KeySchema", "AttributeDefinitions")},
        )

    def poller(self, streams: Any = None, **settings: Any) -> StreamPoller:
        return StreamPoller(
            self.config, lambda: self.client, lambda: streams or self.streams, **settings
        )

    def sequence(self, *hints: Pointer) -> list[Page]:
        tables = Tables(self.config.events_table, self.config.log_table)
        return self._gateway.run("sequence", "", None, sequence(tables, hints, SequencerMemory()))

    @property
    def commits(self) -> list[Pointer]:
        """What the events table has, in version order."""
        found = scan_commits(self._gateway, self.config.events_table)
        return sorted(
            (hint for page in found for hint in page.found.pointers), key=lambda h: h[2:4]
        )

    @property
    def pages(self) -> list[Page]:
        return [read_page(item) for item in self.log_items(LogKeys("log").pages)]

    @property
    def pointers(self) -> list[Pointer]:
        return [pointer for page in self.pages for pointer in page.pointers]

    def log_items(self, log_key: str) -> list[Item]:
        found: list[Item] = self.client.query(
            TableName=self.config.log_table,
            KeyConditionExpression="log_key = :key",
            ExpressionAttributeValues={":key": {"S": log_key}},
            ConsistentRead=True,
        )["Items"]
        return found

    @property
    def _gateway(self) -> Gateway:
        return Gateway(lambda: self.client, self.config)


@cache
def _emulator() -> tuple[Emulator, Any, Any]:
    """One for all tests: making clients takes long."""
    emulator = Emulator()
    return emulator, emulator.client(CONFIG), emulator.streams_client(CONFIG)


@contextmanager
def emulated() -> Iterator[Store]:
    """Yield an empty store on the emulator, which no other test uses meanwhile."""
    emulator, client, streams = _emulator()
    create_tables(client, CONFIG)
    try:
        yield Store(CONFIG, client, streams)
    finally:
        emulator.close()


@contextmanager
def small_replies(store: Store, most: int) -> Iterator[None]:
    """Let no reply of a query or a scan have more items."""

    def limit(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
        return {**params, "Limit": most} if model.name in {"Scan", "Query"} else params

    store.client.meta.events.register("provide-client-params.dynamodb", limit)
    try:
        yield
    finally:
        store.client.meta.events.unregister("provide-client-params.dynamodb", limit)


@contextmanager
def store_on(engine: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """Yield an empty store on an engine."""
    if engine == "moto":
        with emulated() as store:
            yield store
        return
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    name = f"log-{uuid4().hex}"
    config = replace(
        CONFIG,
        events_table=f"{name}-events",
        log_table=f"{name}-log",
        keys_table=f"{name}-keys",
        endpoint_url=request.config.getoption("--endpoint"),
    )
    client = make_client(config)
    create_tables(client, config)
    try:
        yield Store(config, client, make_streams_client(config))
    finally:
        delete_tables(client, config)


def engines_at_hand(metafunc: pytest.Metafunc) -> None:
    """Run the tests that ask for a ``store`` on each engine at hand."""
    if "store" in metafunc.fixturenames:
        local = [LOCAL] if metafunc.config.getoption("--endpoint") else []
        metafunc.parametrize("store", ["moto", *local], indirect=True)


def a_commit_of(stream: StreamId, version: int = 1, size: int = 1) -> Item:
    """Return a commit of a generation that began long ago."""
    item, _ = commit_item(
        f"#order#{stream}",
        None,
        events(stream, size),
        version=version,
        generation=7,
        versionless=False,
    )
    return item


def new_commits(number: int) -> list[Item]:
    """Return commits of as many streams."""
    return [a_commit_of(StreamId()) for _ in range(number)]


def hints_of(items: list[Item]) -> list[Pointer]:
    return [hint for hint in map(find_pointer, items) if hint is not None]
