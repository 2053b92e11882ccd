"""Where it all runs: one engine, tables of its own, and clients of every kind."""

from __future__ import annotations

import os
import platform
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from boto3.session import Session
from botocore.config import Config

from benchmarks.layouts import create_layout_table
from dynamo_es import DynamoConfig
from dynamo_es.dynamodb.tables.create import create_tables, delete_tables
from dynamo_es.dynamodb.wire.client import make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

REGION: Final = "us-east-1"
_PACKAGES: Final = ("dynamo_es", "boto3", "botocore", "pydantic_core", "tenacity")


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine with this run's tables in it.

    Attributes:
        name: what it is, in words.
        config: this library's, with ``report_capacity``.
        endpoint_url: where it answers; None: in this process.
        connect: makes a client of this library's kind.
        new_table: makes a table for another layout, and returns its name.
    """

    name: str
    config: DynamoConfig
    endpoint_url: str | None
    connect: Callable[[], DynamoDBClient]
    new_table: Callable[[Callable[[DynamoDBClient, str], None]], str]

    def layout_table(self) -> str:
        """Make a table with the key that the usual layouts have."""
        return self.new_table(create_layout_table)


def bare_client(*, validating: bool = True, **config: Any) -> DynamoDBClient:
    """Return a client of boto3 with botocore's defaults, apart from the mode of its retries.

    It has no endpoint but AWS's own: its requests have to be answered by a replay, or carried
    out by an ``endpoint_url`` among the arguments.
    """
    endpoint_url = config.pop("endpoint_url", None)
    settings = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        parameter_validation=validating,
        **config,
    )
    return Session().client(
        "dynamodb", region_name=REGION, endpoint_url=endpoint_url, config=settings
    )


@contextmanager
def open_engine(endpoint_url: str | None, name: str) -> Iterator[Engine]:
    """Make the tables at an endpoint, and delete them in the end.

    Args:
        endpoint_url: where DynamoDB answers; None: an emulator in this process.
        name: of what answers, in words.
    """
    # Emulators want some credentials, and look at none; real ones stay as they are.
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(variable, "local")
    prefix = f"dynamo-es-bench-{uuid4().hex[:12]}"
    config = DynamoConfig(
        events_table=f"{prefix}-events",
        log_table=f"{prefix}-log",
        keys_table=f"{prefix}-keys",
        endpoint_url=endpoint_url,
        region=REGION,
        report_capacity=True,
    )
    with ExitStack() as cleaning:
        if endpoint_url is None:
            from dynamo_es.dynamodb.emulator.emulator import Emulator

            emulator = cleaning.enter_context(Emulator())

            def connect() -> DynamoDBClient:
                return emulator.client(config)
        else:

            def connect() -> DynamoDBClient:
                return make_client(config)

        client = connect()

        def new_table(create: Callable[[DynamoDBClient, str], None]) -> str:
            table = f"{prefix}-{uuid4().hex[:6]}"
            create(client, table)
            cleaning.callback(client.delete_table, TableName=table)
            client.get_waiter("table_exists").wait(TableName=table)
            return table

        cleaning.callback(delete_tables, client, config)
        create_tables(client, config)
        turn_off_streams(client, config)
        yield Engine(name, config, endpoint_url, connect, new_table)


def turn_off_streams(client: DynamoDBClient, config: DynamoConfig) -> None:
    """Turn off the streams of the store's tables, for work that reads none.

    The local engine keeps the records of all tables for good, and goes through all of them at each
    write to a table with a stream: 10,000 records make it fifteen times as slow. The emulator in
    this process has no endpoint, and cannot turn a stream off: it keeps it.
    """
    if config.endpoint_url is None:
        return
    for name in (config.events_table, config.log_table):
        client.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
        client.get_waiter("table_exists").wait(TableName=name)


def versions() -> str:
    """Return what ran, in a line."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"Python {platform.python_version()}, {packages}"


def machine() -> str:
    """Return what it ran on, in a line."""
    model = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        names = [line for line in cpus.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{os.cpu_count()} cores ({model}), {platform.system()}"
