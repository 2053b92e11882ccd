"""Provides the engine of a run: new tables, and clients of every kind."""

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
    """An engine with the tables of this run.

    Attributes:
        name: name of the engine, for the page.
        config: configuration of dynamo_es, with ``report_capacity``.
        endpoint_url: URL of the engine; None if it runs in this process.
        connect: returns a new client, configured as dynamo_es does it.
        new_table: creates a table by the given function, and returns the table's name.
    """

    name: str
    config: DynamoConfig
    endpoint_url: str | None
    connect: Callable[[], DynamoDBClient]
    new_table: Callable[[Callable[[DynamoDBClient, str], None]], str]

    def layout_table(self) -> str:
        """Create a table with the key of the usual layouts, and return its name."""
        return self.new_table(create_layout_table)


def bare_client(*, validating: bool = True, **config: Any) -> DynamoDBClient:
    """Return a client of boto3 with botocore's defaults, apart from the mode of its retries.

    By default its endpoint is that of AWS: replay its requests, or give ``endpoint_url``.
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
    """Create the tables at an endpoint, and delete them at the end of the context.

    Args:
        endpoint_url: URL of the engine; None for an emulator in this process.
        name: name of the engine, for the page.
    """
    # Emulators need credentials but accept any. Credentials that are set are kept.
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
    """Turn off the streams of the store's tables, for work that does not read them.

    The local engine keeps the records of all tables forever, and scans all of them at each write to
    a table with a stream: 10,000 records make it fifteen times as slow. This does nothing for the
    emulator in this process, which cannot turn off a stream.
    """
    if config.endpoint_url is None:
        return
    for name in (config.events_table, config.log_table):
        client.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
        client.get_waiter("table_exists").wait(TableName=name)


def versions() -> str:
    """Return the versions of Python and the packages, in one line."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"Python {platform.python_version()}, {packages}"


def machine() -> str:
    """Return a description of the machine, in one line."""
    model = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        names = [line for line in cpus.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{os.cpu_count()} cores ({model}), {platform.system()}"
