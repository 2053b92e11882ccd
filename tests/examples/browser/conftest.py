"""The example's page in Chromium, over the whole application on this machine."""

from __future__ import annotations

import runpy
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.examples.fronts import EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE: Final = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def application() -> Iterator[tuple[str, Any]]:
    """The address of the application, and the application."""
    path = list(sys.path)
    module = runpy.run_path(str(EXAMPLE / "local.py"))
    with module["serve"](0) as (local, server, listening):
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", local
        server.should_exit = True
        thread.join(10)
    sys.path[:] = path
