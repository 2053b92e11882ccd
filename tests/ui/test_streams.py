"""Pages of tenants, categories and streams, on every backend."""

from __future__ import annotations

import re
from itertools import product

import pytest

from dynamo_es import NO_VERSIONING, DynamoBackend, StreamId
from dynamo_es.ui import observe, reading
from dynamo_es.ui.pages import stream
from dynamo_es.ui.queries import address, event_address, stream_address
from tests.ui.conftest import append, browse, costs_of, raw

ONE = StreamId(name="one", category="c")


def links(page):
    return [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*)"', page.text)]


def test_the_first_page_of_an_empty_log_says_so(backend):
    assert "The log has no streams yet." in browse(backend).get("/").text


def test_the_first_page_links_to_each_category_of_each_tenant(backend):
    for tenant, category in (("", None), ("", ""), ("a/b", "x y"), ("a/b", "?&#")):
        append(backend.in_tenant(tenant), raw(StreamId(name="s", category=category), 1))
    client = browse(backend)
    found = [link for link in links(client.get("/")) if link.startswith("/streams")]
    wanted = [
        "/streams",
        "/streams?category=",
        "/streams?tenant=a%2Fb&category=%3F%26%23",
        "/streams?tenant=a%2Fb&category=x+y",
    ]
    assert sorted(found) == sorted(wanted)
    for link in wanted:
        page = client.get(link)
        assert page.text.count('<td class="lead"') == 1, link


def test_the_first_page_filters_tenants(backend):
    for tenant in ("acme", "acorn", "bolt"):
        append(backend.in_tenant(tenant), raw(ONE, 1))
    text = browse(backend).get("/?prefix=ac").text
    assert "acme" in text
    assert "acorn" in text
    assert "bolt" not in text


def test_a_browser_of_one_tenant_shows_no_other(backend):
    for tenant in ("acme", "bolt"):
        append(backend.in_tenant(tenant), raw(ONE, 1))
    client = browse(backend, tenant="acme")
    first = client.get("/").text
    assert "acme" in first
    assert "bolt" not in first
    for path in (
        address("/streams", tenant="bolt", category="c"),
        stream_address("bolt", ONE),
        event_address("bolt", ONE, 1),
        stream_address("bolt", ONE, "/stream/as-it-was"),
        stream_address("bolt", ONE, "/conversation", of="x"),
        stream_address("", ONE),
    ):
        refused = client.get(path)
        assert refused.status_code == 403, path
        assert "acme" in refused.text
    assert "bolt" not in client.get("/search?q=one").text
    assert "acme" in client.get("/search?q=one").text


def test_a_form_opens_a_stream_by_its_name_or_id(backend):
    append(backend.in_tenant("t"), raw(ONE, 1))
    client = browse(backend)
    for text in ("one", str(ONE)):
        reply = client.get(address("/open", tenant="t", category="c", stream=text))
        assert reply.status_code == 303
        page = client.get(reply.headers["location"])
        assert page.status_code == 200
        assert "<h1>one" in page.text
    assert client.get("/open?stream=").status_code == 400


def test_streams_come_in_pages_and_each_once(backend, monkeypatch):
    monkeypatch.setattr(reading, "STREAMS_A_PAGE", 5)
    streams = {StreamId(name=f"stream {number}", category="c") for number in range(13)}
    for one in streams:
        append(backend, raw(one, 1))
    client = browse(backend)
    found: list[str] = []
    path: str | None = "/streams?category=c"
    while path:
        page = client.get(path)
        found += re.findall(r"stream \d+(?=</a>)", page.text)
        following = [link for link in links(page) if "after=" in link]
        path = following[0] if following else None
        if isinstance(backend, DynamoBackend):
            assert costs_of(page) <= 25
    assert sorted(found) == sorted(str(one.name) for one in streams)


def test_streams_are_found_by_how_their_name_or_id_begins(backend):
    for name in ("order-1", "order-2", "invoice-1"):
        append(backend, raw(StreamId(name=name, category="c"), 1))
    client = browse(backend)
    orders = client.get("/streams?category=c&prefix=order").text
    assert "order-1" in orders
    assert "order-2" in orders
    assert "invoice-1" not in orders
    stream = StreamId(name="order-1", category="c")
    by_id = client.get(f"/streams?category=c&prefix={str(stream)[:9]}").text
    assert "order-1" in by_id
    assert "order-2" not in by_id
    assert "exactly this name" in client.get("/streams?category=c&prefix=order-1").text
    assert "No stream in this category begins" in client.get("/streams?category=c&prefix=z").text


def test_a_stream_shows_its_events_from_the_newest_down(backend):
    append(backend, raw(ONE, 1, "Opened"), raw(ONE, 2, "Deposited"))
    append(backend, raw(ONE, 3, "Closed", {"why": "bored"}))
    text = browse(backend).get(stream_address("", ONE)).text
    assert text.index("Closed") < text.index("Opened")
    assert "bored" in text
    assert "2026-03-01 12:03:00" in text
    assert "<dt>Version</dt><dd>3</dd>" in text


def test_a_commit_on_dynamodb_shows_its_size_and_write_units(dynamo):
    append(dynamo, raw(ONE, 1), raw(ONE, 2))
    page = browse(dynamo).get(stream_address("", ONE))
    assert "1\N{EN DASH}2" in page.text
    assert re.search(r'data-label="Size">\d+ B', page.text)
    assert 'data-label="Write units">1<' in page.text
    assert costs_of(page) == 3


def test_a_long_stream_comes_in_pages(backend, monkeypatch):
    monkeypatch.setattr(stream, "ITEMS_A_PAGE", 5)
    for number in range(1, 13):
        append(backend, raw(ONE, number))
    client = browse(backend)
    found: list[int] = []
    path: str | None = stream_address("", ONE)
    while path:
        page = client.get(path)
        found += [int(one) for one in re.findall(r"&amp;version=(\d+)", page.text)]
        following = [link for link in links(page) if "after=" in link]
        path = following[0] if following else None
    assert found == list(range(12, 0, -1))


def test_a_stream_without_versions_says_so(backend):
    events = [raw(ONE, 1, "A"), raw(ONE, 2, "B")]
    backend.storage.insert_events(ONE, NO_VERSIONING, events)
    client = browse(backend)
    assert "versionless" in client.get(stream_address("", ONE)).text
    assert "<h1>B</h1>" in client.get(event_address("", ONE, 2)).text


def test_a_missing_stream_is_not_found(backend):
    missing = browse(backend).get(stream_address("", ONE))
    assert missing.status_code == 404
    assert "There is no stream with this name or id" in missing.text


def test_a_deletion_leaves_fences_and_a_generation(dynamo):
    append(dynamo, raw(ONE, 1), raw(ONE, 2))
    append(dynamo, raw(ONE, 3))
    dynamo.storage.delete_stream(ONE)
    client = browse(dynamo)
    deleted = client.get(stream_address("", ONE)).text
    assert "deleted</span>" in deleted
    assert "3\N{EN DASH}4" in deleted  # two fences next to each other
    assert "closing generation" in deleted
    assert "deleted</span>" in client.get("/streams?category=c").text
    append(dynamo, raw(ONE, 11))
    again = client.get(stream_address("", ONE)).text
    assert "live</span>" in again
    assert again.count("deleted</span>") == 1


def test_a_deletion_that_was_cut_off_leaves_commits(dynamo, monkeypatch):
    append(dynamo, raw(ONE, 1, "Old"))
    append(dynamo, raw(ONE, 2, "Older"))
    generation = dynamo.storage.head(ONE).generation
    dynamo.client.put_item(  # the fence that closes the generation: the moment of deletion
        TableName="events",
        Item={
            "stream_key": {"S": f"#c#{ONE}"},
            "version": {"N": "3"},
            "closed": {"N": str(generation)},
        },
    )
    client = browse(DynamoBackend(dynamo.config, client=dynamo.client, observer=observe))
    page = client.get(stream_address("", ONE))
    assert page.text.count("left by a deletion") == 2
    (link,) = [link for link in links(page) if "/event" in link and "version=1&" in link]
    assert f"generation={generation}" in link
    left = client.get(link)
    assert "<h1>Old</h1>" in left.text
    assert "A deletion left this event" in left.text
    assert client.get(event_address("", ONE, 1)).status_code == 404


def test_events_without_a_position_are_told(dynamo):
    with DynamoBackend.local(observe, sequencing="stream") as backend:
        append(backend, raw(ONE, 1))
        client = browse(backend)
        assert "no position in the log yet" in client.get(stream_address("", ONE)).text
        assert "without a position" in client.get("/").text
        assert "none yet" in client.get(event_address("", ONE, 1)).text


@pytest.mark.parametrize(
    "path",
    [
        "/streams?after=x",
        "/stream",
        "/stream?id=x",
        "/stream?name=a&after=-1",
        "/stream?name=a&after=1e5",
        "/stream?name=a&after=٣",
        f"/stream?name=a&after={10**30}",
        "/event?name=a",
        "/event?name=a&version=0",
        "/event?name=a&version=x",
        "/stream/as-it-was?name=a&version=-1",
        "/conversation?name=a",
        "/?skip=-1",
    ],
)
def test_a_wrong_query_is_refused_with_a_reason(backend, path):
    if path.startswith("/stream/"):
        append(backend, raw(StreamId(name="a"), 1))
    refused = browse(backend).get(path)
    assert refused.status_code == 400
    assert 'class="card error"' in refused.text


NASTY = ("x" * 3_000, "\x00\x1f\x7f", "a/b/../c", "%2e%2e", "\u202eevil", "é" * 1_500, "'\"<>&")


@pytest.mark.parametrize("text", NASTY)
def test_names_of_any_kind_work_or_are_refused(backend, text):
    client = browse(backend)
    pages = ("/", "/streams", "/stream", "/event", "/stream/as-it-was", "/conversation", "/search")
    for path, field in product(pages, ("tenant", "category", "name", "prefix", "q", "of", "id")):
        query: dict[str, object] = {"name": "a", "version": 1, "of": "x", field: text}
        reply = client.get(address(path, **query))
        assert reply.status_code in {200, 400, 403, 404}, (path, reply.text)
        shown = re.sub(r'value="[^"]*"', "", reply.text)
        assert text.isprintable() or text not in shown


@pytest.mark.parametrize("text", NASTY)
def test_streams_of_any_name_can_be_looked_at(backend, text):
    stream = StreamId(name=text, category=text[:400])
    tenant = text[:400]
    append(backend.in_tenant(tenant), raw(stream, 1, text[:200]))
    client = browse(backend)
    (category,) = [link for link in links(client.get("/")) if "category=" in link]
    (found,) = [link for link in links(client.get(category)) if link.startswith("/stream?")]
    (event, *_) = [link for link in links(client.get(found)) if link.startswith("/event?")]
    assert client.get(event).status_code == 200
    assert client.get(event.replace("/event?", "/stream/as-it-was?")).status_code == 200
    assert client.get(address("/search", q=text)).status_code == 200


def test_a_stream_with_a_very_long_name_can_be_looked_at(backend):
    one = StreamId(name="n" * 30_000, category="c")
    append(backend, raw(one, 1, "e" * 2_000, correlation_id="i" * 20_000))
    client = browse(backend)
    (found,) = [link for link in links(client.get("/streams?category=c")) if "/stream?" in link]
    page = client.get(found)
    assert page.status_code == 200
    for link in links(page):
        reply = client.get(link)
        assert reply.status_code in {200, 303}, link
        assert max(map(len, links(reply)), default=0) < 10_000
