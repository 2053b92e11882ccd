"""The frame of the browser: hosts, headers, errors, and the checks of forms that write."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dynamo_es import MemoryBackend
from dynamo_es.exceptions import ConfigurationError, InvalidStreamIdError, ThrottledError
from dynamo_es.ui import create_app
from dynamo_es.ui.security import ANY_ADDRESS, CSRF_FIELD, writes
from tests.ui.conftest import TestClient, browse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def changing(**options: Any) -> TestClient:
    """A client of a browser with one page that writes."""

    def change(_request: Request, form: dict[str, str]) -> Response:
        return PlainTextResponse(f"changed {form['what']}")

    app = create_app(MemoryBackend(), **options)
    app.router.routes.insert(0, Route("/change", writes(change), methods=["POST"]))
    return TestClient(app, base_url="http://localhost")


def token(client: TestClient) -> str:
    app: Any = client.app
    found: str = app.state.browser.csrf_token
    return found


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:80", "[::1]"]
)
def test_answers_to_the_names_of_this_machine(memory, host):
    assert browse(memory).get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:80", "", "192.168.1.5", "[::2]"],
)
def test_refuses_other_host_names(memory, host):
    refused = browse(memory).get("/", headers={"host": host})
    assert refused.status_code == 421
    assert "--allow-host" in refused.text


def test_a_host_with_a_port_means_that_port(memory):
    client = browse(memory, hosts=["localhost:8000"])
    assert client.get("/", headers={"host": "localhost:8000"}).status_code == 200
    assert client.get("/", headers={"host": "localhost:8001"}).status_code == 421
    assert client.get("/", headers={"host": "localhost"}).status_code == 421


def test_any_address_is_no_name(memory):
    client = browse(memory, hosts=[ANY_ADDRESS])
    assert client.get("/", headers={"host": "10.0.0.7:8000"}).status_code == 200
    assert client.get("/", headers={"host": "[fe80::1]:8000"}).status_code == 200
    assert client.get("/", headers={"host": "rebound.example:8000"}).status_code == 421


LOADED = [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("no-cors", "script")]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(("mode", "kind"), LOADED)
def test_a_page_of_another_site_loads_nothing(memory, site, mode, kind):
    sent = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": kind}
    refused = browse(memory).get("/consumers", headers=sent)
    assert refused.status_code == 403
    assert "Another site" in refused.text
    assert refused.headers["cache-control"] == "no-store"


def test_a_link_of_another_site_can_be_followed_but_not_in_advance(memory):
    client = browse(memory)
    sent = {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    assert client.get("/consumers", headers=sent).status_code == 200
    early = {**sent, "sec-purpose": "prefetch;prerender"}
    assert client.get("/consumers", headers=early).status_code == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_pages_of_this_server_load_what_they_need(memory, site):
    sent = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "style"}
    assert browse(memory).get("/static/ui.css", headers=sent).status_code == 200


@pytest.mark.parametrize("path", ["/", "/nowhere", "/static/ui.css", "/static/../errors.py"])
def test_every_reply_has_the_headers(memory, path):
    headers = browse(memory).get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_an_unknown_page_says_so(memory):
    missing = browse(memory).get("/nowhere")
    assert missing.status_code == 404
    assert "There is no such page." in missing.text


def test_static_files_are_all_there(memory):
    client = browse(memory)
    for name in ("ui.css", "ui.js", "htmx.min.js", "htmx.LICENSE.txt", "icon.svg"):
        assert client.get(f"/static/{name}").status_code == 200, name


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidStreamIdError("The name is wrong."), 400),
        (ThrottledError("Query", "Throttling", "slow down"), 503),
    ],
)
def test_an_error_of_the_library_is_a_page_with_its_message(memory, error, status):
    client = browse(memory)

    def fail(_request: Request) -> Response:
        raise error

    app: Any = client.app
    app.router.routes.insert(0, Route("/fail", fail))
    page = client.get("/fail")
    assert page.status_code == status
    assert html.escape(str(error)).replace("&#x27;", "&#39;") in page.text


def test_an_unexpected_error_shows_no_values_and_has_the_headers(memory, caplog):
    app = create_app(memory)

    def fail(_request: Request) -> Response:
        raise ValueError("secret value")

    app.router.routes.insert(0, Route("/fail", fail))
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    page = client.get("/fail")
    assert page.status_code == 500
    assert "secret value" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self';")


def test_writing_is_refused_unless_allowed():
    client = changing()
    refused = client.post("/change", data={CSRF_FIELD: token(client), "what": "it"})
    assert refused.status_code == 403
    assert "--allow-writes" in refused.text


def test_writing_takes_the_token_of_this_run():
    client = changing(allow_writes=True)
    done = client.post("/change", data={CSRF_FIELD: token(client), "what": "it"})
    assert done.text == "changed it"
    for wrong in ({}, {CSRF_FIELD: ""}, {CSRF_FIELD: "é"}, {CSRF_FIELD: token(client)[:-1]}):
        assert client.post("/change", data={**wrong, "what": "it"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1234"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_writing_from_another_site_is_refused(headers):
    client = changing(allow_writes=True)
    form = {CSRF_FIELD: token(client), "what": "it"}
    assert client.post("/change", data=form, headers=headers).status_code == 403


def test_writing_from_this_site_is_done():
    client = changing(allow_writes=True)
    headers = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    done = client.post("/change", data={CSRF_FIELD: token(client), "what": "it"}, headers=headers)
    assert done.status_code == 200


def test_a_form_that_is_too_long_or_unreadable_is_refused():
    client = changing(allow_writes=True)
    assert client.post("/change", content=b"a" * 70_000).status_code == 413
    assert client.post("/change", content=b"\xff=1").status_code == 400
    assert client.post("/change", content=b"a=%ff").status_code == 400


def test_wrong_arguments_are_refused_early():
    with pytest.raises(ConfigurationError, match="hosts must be a list"):
        create_app(MemoryBackend(), hosts="localhost")
    with pytest.raises(ConfigurationError):
        create_app("backend")  # type: ignore[arg-type]
    with pytest.raises(InvalidStreamIdError):
        create_app(MemoryBackend(), tenant=5)  # type: ignore[arg-type]


def test_the_cost_is_on_the_page(dynamo):
    assert re.search(
        r"This page cost \d requests, [\d.]+ read units and \d+ ms", browse(dynamo).get("/").text
    )
