"""Fixtures of the command line's tests: a store in this process, and a way to run commands."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest
from typer.main import get_command

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.cli import application, main
from dynamo_es.dynamodb.wire import client as client_module
from tests.cli.stores import append

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


TABLES = {
    "DYNAMO_ES_EVENTS_TABLE": "events",
    "DYNAMO_ES_LOG_TABLE": "log",
    "DYNAMO_ES_KEYS_TABLE": "keys",
}


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def emulator() -> Iterator[DynamoBackend]:
    """DynamoDB in this process; for all tests, because making a client takes long."""
    with DynamoBackend.local(sequencing="stream") as local:
        yield local


@pytest.fixture
def backend(emulator: DynamoBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoBackend]:
    """An empty store, whose tables the commands find in their environment."""
    client = emulator.client
    monkeypatch.setattr(client_module, "make_client", lambda _: client)
    for variable, table in TABLES.items():
        monkeypatch.setenv(variable, table)
    yield DynamoBackend(emulator.config, client=client)
    emulator.clear()
    if set(left := client.list_tables()["TableNames"]) != set(TABLES.values()):
        for table in left:
            client.update_table(TableName=table, DeletionProtectionEnabled=False)
            client.delete_table(TableName=table)
        emulator.create_tables()


@pytest.fixture
def stored(backend: DynamoBackend) -> DynamoBackend:
    """Events of two categories and tenants, with positions; where the outbox takes all of them."""
    config = replace(backend.config, sequencing="inline")
    inline = DynamoBackend(config, client=backend.client).with_outbox()
    append(inline, StreamId(name="ann", category="account"), 2)
    append(inline, StreamId(category="other"), 1)
    append(inline.in_tenant("acme"), StreamId(name="bob\x1b[0m", category="account"), 1)
    return inline


@pytest.fixture(scope="session")
def command_line() -> Callable[..., object]:
    """All commands; for all tests, because typer takes long to make them, each time."""
    return get_command(application.application)


@pytest.fixture
def run(
    command_line: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """Run the command line in this process, as `dynamo-es` would, with bytes as its input."""

    def run_main(*arguments: object, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr(application, "application", command_line)
        monkeypatch.setattr(sys, "argv", ["dynamo-es", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, *capsys.readouterr())

    return run_main
