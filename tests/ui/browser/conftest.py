"""A real browser, Chromium, on the pages of a server in this process; scripts/browser runs these.

Each page of a test is watched. The test fails if the page asks another server for anything, logs
an error on its console, breaks its content security policy or raises an exception.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from dynamo_es import DynamoBackend
from dynamo_es.ui import create_app, observe, stop
from tests.ui.browser.history import write_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Route
    from starlette.applications import Starlette

CHROMIUM: Final = os.environ.get("DYNAMO_ES_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECONDS: Final = 10

# Runs before each page's own scripts, and counts what the policy refuses.
_WATCH: Final = """
window.refusals = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.refusals.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


class Watched:
    """A page whose console, requests and policy are watched.

    Attributes:
        page: playwright's page.
        base: the server's address.
        problems: what went wrong so far.
        without_scripts: whether the page runs none, so that it cannot count what was refused.
    """

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.problems: list[str] = []
        self.without_scripts = False
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.route("**/*", self._pass_on)
        page.add_init_script(_WATCH)

    def open(self, path: str, *, status: int = 200) -> Page:
        """Open a page of the server, and wait until it is loaded."""
        response = self.page.goto(self.base + path)
        assert response is not None
        assert response.status == status, f"{path}: {response.status}"
        return self.page

    def check(self) -> None:
        """Fail if anything went wrong so far."""
        refusals: list[str] = self.page.evaluate("window.refusals ?? []")
        assert self.problems + refusals == []

    def _hear(self, message: Any) -> None:
        # The console also names each page that a test opens because it has another status.
        if message.type in {"error", "warning"} and "status of" not in message.text:
            self.problems.append(f"console: {message.text}")

    def _pass_on(self, route: Route) -> None:
        if route.request.url.startswith((self.base, "data:")):
            route.continue_()
            return
        self.problems.append(f"a request to {route.request.url}")
        route.abort()


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
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


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


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Watched]]:
    """Open a new page; at the end of the test, all of them are checked."""
    opened: list[Watched] = []

    def new(base: str, width: int = 1280, **options: Any) -> Watched:
        height = 800 if width > 500 else 740
        context = chromium.new_context(
            viewport={"width": width, "height": height}, locale="en-GB", **options
        )
        opened.append(Watched(context.new_page(), base))
        opened[-1].without_scripts = not options.get("java_script_enabled", True)
        return opened[-1]

    yield new
    for watched in opened:
        if scripts := not watched.without_scripts:
            watched.check()
        watched.page.context.close()
        assert scripts or watched.problems == []
