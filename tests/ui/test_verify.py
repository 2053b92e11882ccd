"""The page of the verification: one at a time, with progress, findings and a way to end it."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import StreamId
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.exceptions import StoredItemError
from dynamo_es.ui import stop, verification
from dynamo_es.ui.pages.verify import finding
from dynamo_es.ui.queries import stream_address
from tests.ui.conftest import append, browse, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ui.conftest import TestClient

STREAM = StreamId(name="ann", category="account")
KEY = f"#account#{STREAM}"


def send(client: TestClient, path: str) -> Any:
    app: Any = client.app
    return client.post(path, data={"csrf": app.state.browser.csrf_token})


def status(client: TestClient) -> Any:
    app: Any = client.app
    return app.state.verification.status


def wait(client: TestClient) -> None:
    deadline = time.monotonic() + 20
    while status(client).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """A verification that takes as long as the event is not set."""
    go_on = Event()

    def slowly(*arguments: Any, on_progress: Any, **options: Any) -> Any:
        def progress(report: Any) -> None:
            on_progress(report)
            go_on.wait(10)
            on_progress(report)

        return verify(*arguments, on_progress=progress, **options)

    monkeypatch.setattr(verification, "verify", slowly)
    yield go_on
    go_on.set()


def test_a_sound_log_is_said_to_be_sound_also_by_a_browser_that_only_reads(dynamo):
    append(dynamo, raw(STREAM, 1), raw(STREAM, 2))
    client = browse(dynamo)
    assert "Reads both tables in full" in client.get("/verify").text

    assert send(client, "/verify/start").headers["location"] == "/verify"
    wait(client)

    page = client.get("/verify").text
    assert "Nothing is wrong" in page
    assert "2 positions in 1 pages" in page
    assert "http-equiv" not in page
    assert "hx-trigger" not in page
    assert status(client).requests > 3


def test_what_is_wrong_is_listed_with_a_link_to_its_stream(dynamo):
    append(dynamo, raw(STREAM, 1))
    key = {"stream_key": {"S": KEY}, "version": {"N": "1"}}
    dynamo.client.delete_item(TableName=dynamo.config.events_table, Key=key)
    client = browse(dynamo)
    # A log whose events are all gone is one that was deleted long ago, unless something is left.
    append(dynamo, raw(StreamId(name="bob", category="account"), 1))

    send(client, "/verify/start")
    wait(client)

    page = client.get("/verify").text
    assert "Something is wrong" in page
    assert f'<a href="/stream?category=account&amp;id={STREAM}"><bdi>{KEY}</bdi></a>' in page


def test_while_one_runs_progress_is_shown_and_no_other_begins(dynamo, slow):
    append(dynamo, raw(STREAM, 1))
    client = browse(dynamo)
    send(client, "/verify/start")
    first = status(client).began_at

    page = client.get("/verify").text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    assert 'hx-trigger="every 1s"' in page
    assert "/verify/start" not in page
    send(client, "/verify/start")
    assert status(client).began_at == first

    slow.set()
    wait(client)
    assert status(client).state == "finished"


def test_it_can_be_cancelled_and_begun_again(dynamo, slow):
    append(dynamo, raw(STREAM, 1))
    client = browse(dynamo)
    send(client, "/verify/start")

    send(client, "/verify/cancel")
    slow.set()
    wait(client)

    assert status(client).state == "cancelled"
    assert "Not everything was checked" in client.get("/verify").text
    send(client, "/verify/start")
    wait(client)
    assert status(client).state == "finished"


def test_a_server_that_stops_cancels_it(dynamo, slow):
    append(dynamo, raw(STREAM, 1))
    client = browse(dynamo)
    send(client, "/verify/start")
    stop(client.app)  # type: ignore[arg-type]
    slow.set()
    wait(client)
    assert status(client).state == "cancelled"


def test_an_error_is_shown_without_a_value(dynamo, monkeypatch):
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("a value")

    monkeypatch.setattr(verification, "verify", broken)
    client = browse(dynamo)
    send(client, "/verify/start")
    wait(client)
    page = client.get("/verify").text
    assert "ValueError at test_verify.py:" in page
    assert "a value" not in page


def test_starting_needs_the_token_of_this_server(dynamo):
    client = browse(dynamo)
    assert client.post("/verify/start").status_code == 403
    assert client.post("/verify/cancel").status_code == 403
    assert client.get("/verify/start").status_code == 405
    assert status(client) is None


def test_a_store_in_memory_or_of_one_tenant_has_nothing_to_verify(memory, dynamo):
    for client in (browse(memory), browse(dynamo, tenant="acme")):
        page = client.get("/verify").text
        assert 'action="/verify/start"' not in page
        assert send(client, "/verify/start").status_code == 409


@pytest.mark.parametrize("tenant", ["", "acme", "a b", "a of b", "100%25 <b>"])
@pytest.mark.parametrize("category", ["", "account", "an account of x"])
def test_a_sentence_is_split_at_its_stream(tenant, category):
    key = f"{tenant}#{category}#{STREAM}"
    found = finding(f"Position 3 points to the commit at version 2 of {key}, generation 5, and so")
    assert (found.before, found.key) == ("Position 3 points to the commit at version 2 of ", key)
    assert found.after == ", generation 5, and so"
    assert found.link is not None
    assert found.link.startswith("/stream?")


@pytest.mark.parametrize("tenant", ["acme", "it's", 'a"b', "a\\n", "a\nb"])
def test_an_item_that_cannot_be_read_is_a_link_to_its_stream(tenant):
    key = f"{tenant}#x y#{STREAM}"
    found = finding(str(StoredItemError(key, 3, "it has no events.")))
    assert (found.before, found.key) == ("The item ", repr(key))
    assert found.after.startswith(" at 3 cannot be read: ")
    assert found.link == stream_address(tenant, StreamId(STREAM, category="x y"))


@pytest.mark.parametrize("text", ["", "no stream here", "a#b#c", f"## {STREAM}", "#" * 5000])
def test_a_sentence_without_a_stream_stays_as_it_is(text):
    assert finding(text).before == text
    assert finding(text).link is None
