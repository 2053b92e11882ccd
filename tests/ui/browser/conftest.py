"""Servers of the stream browser for a real one; see `tests.chromium`."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Final

import pytest
import uvicorn

from dynamo_es import DynamoBackend
from dynamo_es.ui import create_app, observe, stop
from tests.ui.browser.history import write_history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

SECONDS: Final = 10


def serve(app: Starlette) -> Iterator[str]:
    """Run a server on a free port, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + SECONDS
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    stop(app)
    server.should_exit = True
    thread.join(SECONDS)


@pytest.fixture(scope="session")
def store() -> Iterator[DynamoBackend]:
    """The history that the pages show, on the emulator."""
    with DynamoBackend.local(observe, sequencing="stream") as backend:
        write_history(backend)
        yield backend


@pytest.fixture(scope="session")
def address(store: DynamoBackend) -> Iterator[str]:
    """A server that only reads."""
    yield from serve(create_app(store, title="the tables of a test"))


@pytest.fixture(scope="session")
def writable_address(store: DynamoBackend) -> Iterator[str]:
    """A server that allows writes."""
    yield from serve(create_app(store, allow_writes=True, title="the tables of a test"))


@pytest.fixture(scope="session")
def revealing_address(store: DynamoBackend) -> Iterator[str]:
    """A server that shows encrypted fields in clear."""
    yield from serve(create_app(store, reveal=True, title="the tables of a test"))
