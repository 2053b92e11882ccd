"""The engines of this project's tests: memory, moto, and a local engine.

A test names a capability that it needs: ``@needs(Capability.CRASHES)``. pytest leaves the test out
on an engine that lacks the capability, and the report's header names the reason.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import uuid4

from benchmarks.engine import turn_off_streams
from dynamo_es import DynamoBackend, DynamoConfig
from dynamo_es.dynamodb.subject_keys.storage import DynamoKeyStorage
from dynamo_es.dynamodb.tables.create import delete_tables
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.testing.conformance.engine import (
    Backend,
    Capability,
    Crash,
    Engine,
    MemoryEngine,
    needs,
)
from tests.grafting import chosen_transport, graft
from tests.without_moto import without_moto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.contracts import KeyStorageStrategy

__all__ = [
    "LOCAL",
    "MOTO",
    "Backend",
    "Capability",
    "Crash",
    "DynamoEngine",
    "Engine",
    "LocalEngine",
    "MemoryEngine",
    "MotoEngine",
    "all_items",
    "engines",
    "needs",
]

MOTO: Final = "moto"
LOCAL: Final = "local-engine"
"""Name of the engine at the endpoint given, whichever it is."""


class DynamoEngine(Engine):
    """What all engines with DynamoDB's API share."""

    _config: DynamoConfig
    _client: DynamoDBClient
    _requests_left: int | None = None

    @property
    def client(self) -> DynamoDBClient:
        """The client that all its processes share."""
        return self._client

    def config_with(self, **changes: Any) -> DynamoConfig:
        """Return its configuration with changes."""
        return replace(self._config, **changes)

    def fresh_process(self, *, inline: bool = False) -> Backend:
        config = self.config_with(sequencing="inline" if inline else "stream")
        return DynamoBackend(config, client=self._client)

    def indexed_process(self) -> Backend:
        return DynamoBackend(self.config_with(tag_index=True), client=self._client)

    def key_storage(self) -> KeyStorageStrategy:
        return DynamoKeyStorage(
            self._config, Gateway(lambda: self._client, self._config), time.time
        )

    @contextmanager
    def crash_after(self, requests: int) -> Iterator[Backend]:
        self._requests_left = requests
        try:
            yield self.fresh_process()
        finally:
            self._requests_left = None

    def _serve(self, backend: DynamoBackend) -> None:
        # Tests count requests: positions are for those that ask for them.
        self._config = replace(backend.config, sequencing="stream")
        self._client = backend.client
        self._client.meta.events.register_first("before-send.dynamodb", self._count)

    def _count(self, **_: object) -> None:
        if self._requests_left is None:
            return
        if self._requests_left == 0:
            raise Crash
        self._requests_left -= 1


class MotoEngine(DynamoEngine):
    """DynamoDB imitated in this process.

    moto alone is not safe for threads; `DynamoBackend.local` serves one request at a time.
    """

    name = MOTO
    lacks: ClassVar = {
        Capability.BILLS: "it reports one unit whatever an item's size",
        Capability.LARGE: "it copies the tables for each transaction, which takes seconds",
    }

    def start(self) -> None:
        self._emulator = DynamoBackend.local()
        self._serve(self._emulator)

    def stop(self) -> None:
        self._emulator.close()

    def tidy(self) -> None:
        self._emulator.clear()  # moto is slower the more it holds


class LocalEngine(DynamoEngine):
    """dynoxide, or whatever answers at the endpoint with DynamoDB's API."""

    name = LOCAL
    lacks: ClassVar = {}
    races = 600

    def __init__(self, endpoint_url: str) -> None:
        prefix = f"conformance-{uuid4().hex}"
        self._config = DynamoConfig(
            events_table=f"{prefix}-events",
            log_table=f"{prefix}-log",
            keys_table=f"{prefix}-keys",
            endpoint_url=endpoint_url,
            region="us-east-1",
            # Threads race on machines that are busy with other things, too.
            read_timeout=30.0,
            retry_deadline=120.0,
            transport=chosen_transport(),
        )

    def start(self) -> None:
        # Any will do, but the SDK signs nothing without; real ones are left alone.
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
        backend = DynamoBackend(self._config)
        with without_moto():
            backend.create_tables()
        turn_off_streams(backend.client, self._config)
        graft(backend.client, self._config)
        self._serve(backend)

    def stop(self) -> None:
        delete_tables(self._client, self._config)


def engines(endpoint_url: str | None) -> dict[str, Engine]:
    """Return the engines at hand, by name."""
    found: list[Engine] = [MemoryEngine(), MotoEngine()]
    if endpoint_url:
        found.append(LocalEngine(endpoint_url))
    return {engine.name: engine for engine in found}


def all_items(client: DynamoDBClient, table: str) -> list[dict[str, Any]]:
    """Return all items of a table. A local engine's tables hold those of other tests as well."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]
