"""Runs a page of the documentation in a process of its own."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, TypeAlias

import pytest

from dynamo_es.dynamodb.emulator.server import serving
from tests.docs.command_server import serve_commands
from tests.docs.pages import name_of
from tests.docs.run_page import run_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROCESSES = multiprocessing.get_context("forkserver")
# Loaded once: a page then starts in milliseconds.
PROCESSES.set_forkserver_preload(
    [
        *("tests.docs.run_page", "tests.docs.command_server", "dynamo_es.cli.application"),
        *("dynamo_es.dynamodb.backend", "dynamo_es.dynamodb.emulator.moto_engine"),
    ]
)

FailureOf: TypeAlias = "Callable[[Path, Path, str], str | None]"


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the process that runs the commands of all pages."""
    address = tmp_path_factory.mktemp("commands") / "socket"
    receiver, sender = PROCESSES.Pipe(duplex=False)
    server = PROCESSES.Process(target=serve_commands, args=(address, sender))
    server.start()
    assert receiver.poll(60)
    yield str(address)
    server.kill()
    server.join()


@pytest.fixture(scope="session")
def failure_of(commands: str) -> FailureOf:
    """Run a page in a folder, against an emulator; return how it fails, None if it does not."""

    def run(page: Path, folder: Path, emulator: str) -> str | None:
        result, sender = PROCESSES.Pipe(duplex=False)
        arguments = (page, folder, emulator, commands, sender)
        process = PROCESSES.Process(target=run_page, args=arguments)
        process.start()
        sender.close()
        try:
            assert result.poll(120), f"{name_of(page)} takes longer than two minutes"
            failure: str | None = result.recv()
            return failure
        finally:
            process.kill()
            process.join()

    return run


@pytest.fixture
def emulator() -> Iterator[str]:
    """Host and port of an empty emulator."""
    with serving() as address:
        yield address
