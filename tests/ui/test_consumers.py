"""The pages about consumers: positions, lag and failures; retry, skip and reset."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from dynamo_es import Event, FailurePolicy, StreamId
from tests.ui.conftest import append, browse, raw

if TYPE_CHECKING:
    from dynamo_es.facade.backend import Backend
    from tests.ui.conftest import TestClient

STREAM = StreamId(name="ann", category="watched")


class Watched(Event):
    __event_name__ = "Watched"

    amount: int


class Model:
    """A handler, read model and publisher that fails at one event."""

    def __init__(self, fails_at: int) -> None:
        self.fails_at: int | None = fails_at
        self.seen: list[int] = []

    def apply(self, amount: int) -> None:
        if amount == self.fails_at:
            raise ZeroDivisionError("a value of the event")
        self.seen.append(amount)

    def handle(self, recorded: Any) -> None:
        self.apply(recorded.wrapped_event.event.amount)

    def __call__(self, wrapped: Any, _stream_id: Any) -> None:
        self.apply(wrapped.event.amount)


@pytest.fixture
def filled(backend: Backend) -> Backend:
    """A backend with five events of one minute each, all chosen for the outbox."""
    backend.with_outbox()
    for number in range(1, 6):
        append(backend, raw(STREAM, number, "Watched"))
    return backend


def fail(work: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        work()


def links(page: str) -> dict[str, str]:
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(?:<bdi>)?([^<]+)<', page)
    return {text: link.replace("&amp;", "&") for link, text in found}


def confirm(client: TestClient, link: str, **changes: str) -> Any:
    """Follow a link to the page that asks, and send its form."""
    page = client.get(link)
    assert page.status_code == 200
    fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text))
    target = re.search(r'<form [^>]*method="post" action="([^"]*)"', page.text)
    assert target is not None
    return client.post(target[1].replace("&amp;", "&"), data={**fields, **changes})


def test_without_consumers_the_page_says_so(backend):
    page = browse(backend).get("/consumers").text
    assert "No projection has run so far." in page
    assert "No projector has run so far." in page
    assert "not used" in page


def test_a_projection_shows_position_lag_and_failure(filled):
    model = Model(3)
    fail(filled.projection("bal<ances>", model.handle).run_once)
    client = browse(filled)

    page = client.get("/consumers").text
    assert "bal&lt;ances&gt;" in page
    assert "3 events" in page
    assert "2 min 0 s" in page
    assert "ZeroDivisionError at test_consumers.py:" in page
    assert "a value of the event" not in page
    detail = client.get(links(page)["bal&lt;ances&gt;"]).text
    assert "failed 1 time" in detail
    assert links(detail)["3"] == "/log?position=3"
    assert "Skip the event" not in detail, "this browser only reads"


def test_a_projection_shows_the_worker_and_its_last_beat(filled):
    checkpoints = filled.checkpoints
    checkpoints.move("balances", 1)
    client = browse(filled)
    assert "none at present" in client.get("/consumers/projection?name=balances").text
    seen = checkpoints.look("balances")
    checkpoints.take("balances", "<host>:7-abcdefgh", seen, 90_000, 60_000)

    for page in ("/consumers", "/consumers/projection?name=balances"):
        shown = client.get(page).text
        assert "&lt;host&gt;:7-abcd<" in shown
        assert "1970-01-01 00:00:30" in shown


def test_a_projection_is_skipped_past_the_event_that_fails(filled):
    model = Model(3)
    projection = filled.projection("balances", model.handle)
    fail(projection.run_once)
    client = browse(filled, allow_writes=True)
    detail = client.get("/consumers/projection?name=balances").text
    skip = links(detail)["Skip the event"]

    done = confirm(client, skip)

    assert done.status_code == 303
    assert done.headers["location"] == "/consumers/projection?name=balances"
    assert "failed" not in client.get("/consumers/projection?name=balances").text
    projection.run_once()
    assert model.seen == [1, 2, 4, 5]
    again = confirm(client, skip)
    assert again.status_code == 409
    assert "Nothing was changed." in again.text
    assert projection.position == 5


def test_a_projection_is_set_back(filled):
    model = Model(0)
    projection = filled.projection("balances", model.handle)
    projection.run_once()
    client = browse(filled, allow_writes=True)
    reset = links(client.get("/consumers/projection?name=balances").text)["Set the position …"]

    assert confirm(client, reset, at="3").status_code == 303
    projection.run_once()

    assert model.seen == [1, 2, 3, 4, 5, 4, 5]
    for wrong in ("", "-1", "x", "1" * 40):
        assert confirm(client, reset, at=wrong).status_code == 400
    assert projection.position == 5


def test_a_tenants_projection_is_its_own(filled):
    tenant = filled.in_tenant("ac#me")
    append(tenant, raw(STREAM, 7, "Watched"))
    model = Model(7)
    fail(tenant.projection("balances", model.handle).run_once)
    client = browse(filled, allow_writes=True)

    assert client.get("/consumers/projection?name=balances").status_code == 404
    page = client.get("/consumers").text
    detail = client.get(links(page)["balances"]).text
    assert "ac#me" in detail
    assert confirm(client, links(detail)["Skip the event"]).status_code == 303
    assert tenant.checkpoints.position("balances") == 6
    assert filled.checkpoints.position("balances") is None
    assert browse(filled, tenant="other").get(links(page)["balances"]).status_code == 403
    scoped = browse(filled, tenant="ac#me").get("/consumers").text
    assert "balances" in scoped


def test_a_projector_shows_its_place_in_a_stream_and_is_skipped(filled):
    model = Model(3)
    projector = filled.projector("totals", model)
    events = filled.event_store.load_stream(STREAM)
    fail(lambda: projector.project(events[4], STREAM))
    client = browse(filled, allow_writes=True)

    page = client.get("/consumers").text
    detail = client.get(links(page)["totals"]).text
    assert "2 of 5" in detail
    assert "3 events" in detail
    assert "2 min 0 s" in detail
    assert "failed 1 time" in detail
    assert confirm(client, links(detail)["Skip the event"]).status_code == 303
    projector.project(events[4], STREAM)
    assert model.seen == [1, 2, 4, 5]
    assert confirm(client, links(detail)["Set the version …"], at="4").status_code == 303
    projector.project(events[4], STREAM)
    assert model.seen == [1, 2, 4, 5, 5]
    assert confirm(client, links(detail)["Skip the event"]).status_code == 409


def test_an_outbox_shows_its_entries_and_they_are_retried_and_skipped(filled):
    model = Model(3)

    def publish(recorded: Any) -> None:
        model.handle(recorded)

    filled.outbox.run_once(publish, attempts=1)
    client = browse(filled, allow_writes=True)

    page = client.get("/consumers").text
    assert "1 dead" in page
    detail = client.get(links(page)["outbox"]).text
    assert "ZeroDivisionError at test_consumers.py:" in detail
    assert confirm(client, links(detail)["Retry"]).status_code == 303
    assert [entry.dead for entry in filled.outbox.entries()] == [False]
    filled.outbox.run_once(publish, attempts=1)
    assert confirm(client, links(detail)["Retry all dead entries"]).status_code == 303
    assert [entry.dead for entry in filled.outbox.entries()] == [False]
    filled.outbox.run_once(publish, attempts=1)
    assert confirm(client, links(detail)["Skip"]).status_code == 303
    assert filled.outbox.entries() == []
    assert confirm(client, links(detail)["Skip"]).status_code == 404
    assert confirm(client, links(detail)["Set the position …"], at="3").status_code == 303
    filled.outbox.run_once(publish, attempts=1)
    assert model.seen == [1, 2, 4, 5, 4, 5]
    assert confirm(client, links(detail)["Set the position …"], at="6").status_code == 400


def test_further_outboxes_are_found(filled):
    filled.outbox.named("mails").run_once(lambda _: None)
    filled.in_tenant("acme").outbox.named("mails").run_once(lambda _: None)

    page = browse(filled).get("/consumers").text
    assert links(page)["mails"].startswith("/consumers/outbox?name=mails")
    assert links(browse(filled, tenant="acme").get("/consumers").text).get("mails") is None


def test_nothing_is_changed_by_a_browser_that_only_reads(memory):
    append(memory, raw(STREAM, 1))
    memory.checkpoints.move("balances", 1)
    client = browse(memory)
    token = client.app.state.browser.csrf_token  # type: ignore[attr-defined]
    fields = {"kind": "projection", "action": "reset", "name": "balances", "at": "0"}

    asked = client.get("/consumers/confirm", params=fields)
    assert "--allow-writes" in asked.text
    assert '<button class="danger"' not in asked.text
    assert client.post("/consumers/act", data={**fields, "csrf": token}).status_code == 403
    writable = browse(memory, allow_writes=True)
    assert writable.post("/consumers/act", data=fields).status_code == 403
    assert writable.get("/consumers/act").status_code == 405
    assert memory.checkpoints.position("balances") == 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "kind=projection&action=retry&name=a",
        "kind=projection&action=skip&name=a",
        "kind=__class__&action=skip&name=a&at=1",
        "kind=outbox&action=retry&at=1",
        "kind=outbox&action=retry&name=a&at=1.5",
        "kind=projector&action=skip&name=a&at=1&id=x",
        "kind=projection&action=reset&name=" + "a" * 9000,
    ],
)
def test_a_wrong_order_is_refused(memory, query):
    assert browse(memory, allow_writes=True).get(f"/consumers/confirm?{query}").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/consumers/projection?name=none",
        "/consumers/projector?name=none&id=00000000-0000-0000-0000-000000000001",
    ],
)
def test_a_consumer_that_is_not_there_is_not_found(memory, path):
    assert browse(memory).get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/consumers/outbox?name=a%23b",
        "/consumers/outbox?name=",
        "/consumers/outbox?name=" + "a" * 300,
    ],
)
def test_a_name_that_no_consumer_can_have_is_refused(backend, path):
    assert browse(backend).get(path).status_code == 400


def test_the_page_costs_a_bounded_number_of_requests(dynamo):
    for number in range(1, 4):
        append(dynamo, raw(STREAM, number))
    for number in range(60):
        dynamo.checkpoints.move(f"projection {number}", number % 3)
    page = browse(dynamo).get("/consumers").text
    cost = re.search(r"This page cost ([\d,]+) requests", page)
    assert cost is not None
    assert int(cost[1]) < 30


def test_a_wrong_place_to_go_on_is_refused(dynamo):
    assert browse(dynamo).get("/consumers?after=%5B1%5D").status_code == 400
    assert browse(dynamo).get('/consumers?after=["log","x"]').status_code == 200


def test_links_of_a_hostile_consumer_are_addresses_of_this_server(memory):
    name = '"><script>alert(1)</script>&x=1'
    memory.checkpoints.move(name, 0)
    memory.in_tenant(name).checkpoints.move(name, 0)
    page = browse(memory, allow_writes=True).get("/consumers").text
    assert "<script>alert" not in page
    targets = [link for text, link in links(page).items() if "script" in text]
    assert targets
    for target in targets:
        query = dict(parse_qsl(urlsplit(target).query))
        assert query["name"] == name
        detail = browse(memory, allow_writes=True).get(target)
        assert detail.status_code == 200
        assert "<script>alert" not in detail.text


@pytest.mark.parametrize("name", ["a\x00b", "a\r\nb", "\u202e", "a&at=0&name=b"])
def test_a_name_with_control_characters_is_that_consumer_and_no_other(memory, name):
    append(memory, raw(STREAM, 1), raw(STREAM, 2))
    for one in (name, "a\ufffdb", "a\nb", "b"):
        memory.checkpoints.move(one, 2)
    client = browse(memory, allow_writes=True)
    page = client.get("/consumers/projection", params={"name": name}).text

    assert confirm(client, links(page)["Set the position …"], at="1").status_code == 303

    moved = {one.name for one in memory.checkpoints.all() if one.position == 1}
    assert moved == {name}


def test_parked_streams_versions_and_pauses_are_shown(backend: Backend) -> None:
    append(backend, raw(STREAM, 1, "Watched"), raw(STREAM, 2, "Watched"))
    policy = FailurePolicy(then="park", attempts=1)

    def fail(_: Any) -> None:
        raise ZeroDivisionError("a value of the event")

    backend.projection("balances", fail, on_failure=policy).run_once()
    projection = backend.projection("balances", fail, version=2, on_failure=policy)
    projection.run_once()
    projection.pause()
    page = browse(backend).get("/consumers").text
    assert "Parked streams" in page
    assert str(STREAM) in page
    assert "positions 1 " in page
    assert "version 2" in page
    assert "paused" in page
    assert "a value of the event" not in page
    shown = browse(backend).get("/consumers/projection?name=balances&version=2").text
    assert "version 2" in shown
