"""A real browser, Chromium, on the pages of a server in this process; scripts/browser runs these.

Each page of a test is watched. The test fails if the page asks another server for anything, logs
an error on its console, breaks its content security policy or raises an exception.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Route

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


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


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
