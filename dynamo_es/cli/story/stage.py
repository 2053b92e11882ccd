"""Where the demonstration takes place, and the history it is about."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from dynamo_es.cli.importing import Defaults, Line, Meter, Source, StreamOf, parse_line
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.contracts import StorageStrategy

SAMPLE: Final = "sample/history.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Stage:
    """An event store with nothing in it.

    Attributes:
        backend: the store.
        meter: its observer.
        engine: what answers, in words.
    """

    backend: DynamoBackend
    meter: Meter
    engine: str

    def storage(self, stream: StreamOf) -> StorageStrategy:
        """Return the storage of a stream's tenant."""
        return self.backend.in_tenant(stream.tenant_id).storage


@contextmanager
def set_stage(endpoint_url: str | None) -> Iterator[Stage]:
    """Open a store of its own, and leave nothing of it behind.

    Args:
        endpoint_url: where DynamoDB answers; there, tables are made, and deleted in the end.
            None: an emulator in this process.
    """
    meter = Meter()
    if endpoint_url is None:
        with DynamoBackend.local(meter, sequencing="stream") as backend:
            yield Stage(backend, meter, "an emulator of DynamoDB in this process")
        return
    from dynamo_es.dynamodb.tables.create import delete_tables

    prefix = f"dynamo-es-demo-{uuid4().hex[:12]}"
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    config = DynamoConfig(
        events_table=f"{prefix}-events",
        log_table=f"{prefix}-log",
        keys_table=f"{prefix}-keys",
        endpoint_url=endpoint_url,
        region=region,
        report_capacity=True,
    )
    backend = DynamoBackend(config, observer=meter)
    try:
        backend.create_tables()
        yield Stage(backend, meter, f"{endpoint_url}, tables {prefix}-…")
    finally:
        delete_tables(backend.client, config)


@contextmanager
def open_sample() -> Iterator[Source]:
    """Open the history that comes with the package."""
    with files("dynamo_es.cli").joinpath(SAMPLE).open("rb") as stream:
        yield Source(stream, "The sample history")


def read_streams(source: Source) -> dict[StreamOf, list[Line]]:
    """Return the lines of a history by stream, in order.

    Raises:
        MalformedLineError: a line is no event.
    """
    streams: dict[StreamOf, list[Line]] = {}
    for number, text in enumerate(source, 1):
        line = parse_line(text, number, Defaults())
        streams.setdefault(line.stream, []).append(line)
    return streams


def id_of(stream: StreamOf) -> StreamId:
    """Return a stream's id, as the import derives it."""
    return StreamId(name=stream.name, category=stream.category)
