"""Pages of an event, of a stream as it was, and of a conversation; encrypted fields."""

from __future__ import annotations

import html
import logging
import re
from datetime import timedelta
from uuid import UUID

import pytest

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.event_store.past import version_as_of
from dynamo_es.ui.pages import conversation, past
from dynamo_es.ui.queries import event_address, stream_address
from tests.ui.bank import ADDRESS, WALLET, open_wallet
from tests.ui.conftest import NOON, append, browse, costs_of, raw

ONE = StreamId(name="one", category="c")


def shown(page):
    """The page's text, without tags."""
    return html.unescape(re.sub(r"<[^>]*>", "", page.text))


def test_an_event_shows_all_that_is_stored(backend):
    append(backend, raw(ONE, 1), raw(ONE, 2, "Paid", {"sum": 5}, correlation_id="c-1", user="ann"))
    append(backend, raw(ONE, 3))
    page = browse(backend).get(event_address("", ONE, 2))
    text = shown(page)
    for wanted in ("Paid", '"sum": 5', '"user": "ann"', "c-1", "2026-03-01 12:02:00", "← 1", "3 →"):
        assert wanted in text
    assert str(raw(ONE, 2).uuid) in text
    assert "No class with this name is imported." in text
    assert re.search(r"Position</dt><dd><a [^>]*>2</a>", page.text)


def test_an_event_on_dynamodb_shows_its_commit(dynamo):
    dynamo.with_outbox(lambda event: event.name == "Paid")
    append(dynamo, raw(ONE, 1), raw(ONE, 2, "Paid"))
    client = browse(dynamo)
    page = client.get(event_address("", ONE, 2))
    assert "versions 1\N{EN DASH}2" in page.text
    assert "publishes this event" in page.text
    assert "does not publish this event" in client.get(event_address("", ONE, 1)).text
    assert costs_of(page) == 3


def test_a_missing_event_is_not_found(backend):
    append(backend, raw(ONE, 1))
    missing = browse(backend).get(event_address("", ONE, 2))
    assert missing.status_code == 404
    assert "has no event at version 2" in missing.text


def test_an_event_whose_data_is_html_stays_text(backend):
    nasty = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    stream = StreamId(name=nasty, category=nasty)
    append(
        backend, raw(stream, 1, nasty, {nasty: nasty, "n": "\x00\x1b[31m"}, correlation_id=nasty)
    )
    client = browse(backend)
    for path in (
        event_address("", stream, 1),
        stream_address("", stream),
        stream_address("", stream, "/stream/as-it-was"),
        stream_address("", stream, "/conversation", of=nasty),
        stream_address("", stream, "/streams"),
        "/",
        "/search?q=alert",
    ):
        page = client.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "\x00" not in page.text
        assert "\x1b" not in page.text


def test_an_old_event_is_shown_as_stored_and_upcast(backend):
    open_wallet(backend)
    text = shown(browse(backend).get(event_address("", WALLET, 2)))
    assert '"euros": 3' in text
    assert '"cents": 300' in text
    assert "upcast from 1" in text


def test_an_event_that_its_class_cannot_read_says_why(backend):
    append(backend, raw(WALLET, 1, "ui.wallet.paid", {"wrong": 1}, **{"$schema": 2}))
    text = shown(browse(backend).get(event_address("", WALLET, 1)))
    assert "its data does not fit Paid" in text
    append(backend, raw(WALLET, 2, "ui.wallet.paid", {}, **{"$schema": 9}))
    assert browse(backend).get(event_address("", WALLET, 2)).status_code == 200


WALLET_PAGES = (
    event_address("", WALLET, 1),
    stream_address("", WALLET),
    stream_address("", WALLET, "/stream/as-it-was"),
    stream_address("", WALLET, "/conversation", of="x"),
)


def test_encrypted_fields_are_masked_everywhere(backend):
    open_wallet(backend)
    client = browse(backend)
    (stored,) = backend.storage.fetch_events(WALLET, 1, 2)
    for path in WALLET_PAGES:
        page = client.get(path)
        assert page.status_code == 200
        assert ADDRESS not in page.text
        assert stored.data["email"] not in page.text
        assert "revealed" not in page.text
    assert '"email": "[encrypted]"' in shown(client.get(event_address("", WALLET, 1)))


def test_reveal_decrypts_says_so_and_logs_who_and_what(backend, caplog):
    open_wallet(backend)
    client = browse(backend, reveal=True)
    with caplog.at_level(logging.WARNING):
        page = client.get(event_address("", WALLET, 1))
    assert f'"email": "{ADDRESS}"' in shown(page)
    assert "Encrypted fields are revealed." in page.text
    (line,) = [one.getMessage() for one in caplog.records if "revealed" in one.getMessage()]
    assert "testclient" in line
    assert str(WALLET) in line
    assert "version 1" in line
    assert "ui.wallet.opened" in line
    assert ADDRESS not in line
    assert "Encrypted fields are revealed." in client.get("/").text


def test_a_look_at_a_revealed_state_is_logged_too(backend, caplog):
    open_wallet(backend)
    with caplog.at_level(logging.WARNING):
        page = browse(backend, reveal=True).get(stream_address("", WALLET, "/stream/as-it-was"))
    assert ADDRESS in page.text
    assert any("the state of tests.ui.bank.Wallet" in one.getMessage() for one in caplog.records)


def test_a_look_at_an_event_without_encrypted_fields_is_not_logged(backend, caplog):
    open_wallet(backend)
    with caplog.at_level(logging.WARNING):
        browse(backend, reveal=True).get(event_address("", WALLET, 3))
    assert caplog.records == []


def test_a_shredded_field_stays_masked_when_revealed(backend):
    open_wallet(backend)
    backend.encryption.shred("Ann")
    page = browse(backend, reveal=True).get(event_address("", WALLET, 1))
    assert ADDRESS not in page.text
    assert "(hidden)" in page.text


@pytest.mark.parametrize("notes", [5, [], [1], [["Ann", "x", {"/a/b": 1}]], [["Ann", 1, {"": 2}]]])
@pytest.mark.parametrize("reveal", [False, True])
def test_notes_that_no_library_wrote_do_no_harm(backend, notes, reveal):
    append(backend, raw(ONE, 1, "E", {"a": "text"}, **{"$encrypted": notes}))
    client = browse(backend, reveal=reveal)
    assert client.get(event_address("", ONE, 1)).status_code == 200
    assert client.get(stream_address("", ONE)).status_code == 200


def test_a_stream_as_it_was_at_a_version(backend):
    open_wallet(backend)
    client = browse(backend)
    text = shown(client.get(stream_address("", WALLET, "/stream/as-it-was", version=2)))
    assert '"cents": 300' in text  # the aggregate's state
    assert "not shown" not in text
    assert "Version 2 since 2026-03-01 12:02:00" in text
    text = shown(client.get(stream_address("", WALLET, "/stream/as-it-was", version=3)))
    assert '"cents": 307' in text
    text = shown(client.get(stream_address("", WALLET, "/stream/as-it-was", version=0)))
    assert "did not exist yet" in text
    assert client.get(stream_address("", WALLET, "/stream/as-it-was")).status_code == 200
    assert client.get(stream_address("", ONE, "/stream/as-it-was")).status_code == 404


@pytest.mark.parametrize(
    ("time", "version"),
    [
        ("2026-03-01T12:00", 0),
        ("2026-03-01T12:01", 1),
        ("2026-03-01T12:02:30", 2),
        ("2026-03-01T13:02:30+01:00", 2),
        ("2027-01-01", 4),
        (str(int(NOON.timestamp()) + 180), 3),
    ],
)
def test_a_stream_as_it_was_at_a_time(backend, time, version):
    for number in range(1, 5):
        append(backend, raw(ONE, number))
    page = browse(backend).get(stream_address("", ONE, "/stream/as-it-was", time=time))
    assert f"Version {version}" in shown(page)


@pytest.mark.parametrize("time", ["x", "2026-13-01", "9" * 30, "-" * 5, "1e9"])
def test_a_time_that_is_none_is_refused(backend, time):
    append(backend, raw(ONE, 1))
    page = browse(backend).get(stream_address("", ONE, "/stream/as-it-was", time=time))
    assert page.status_code == 400


def test_the_version_at_a_time_is_found_by_halving(memory):
    for number in range(1, 101):
        append(memory, raw(ONE, number))
    for number in (0, 1, 50, 99, 100, 150):
        moment = NOON + timedelta(minutes=number, seconds=1)
        assert version_as_of(memory.storage, ONE, moment).version == min(number, 100)


def test_the_last_value_of_each_field_names_the_event_that_set_it(backend):
    append(backend, raw(ONE, 1, "A", {"x": 1, "y": 1}), raw(ONE, 2, "B", {"x": 2}))
    text = browse(backend).get(stream_address("", ONE, "/stream/as-it-was")).text
    fields = re.findall(r'data-label="Field">(\w)<.*?<code>(\d)</code>.*?>(\d)</a>', text)
    assert fields == [("x", "2", "2"), ("y", "1", "1")]


def test_a_long_stream_is_not_replayed_without_a_snapshot(backend, monkeypatch):
    monkeypatch.setattr(past, "_EVENTS_REPLAYED", 2)
    open_wallet(backend)
    client = browse(backend)
    assert '"cents": 300' in shown(
        client.get(stream_address("", WALLET, "/stream/as-it-was", version=2))
    )
    page = client.get(stream_address("", WALLET, "/stream/as-it-was", version=3))
    assert "replays at most 2 events" in page.text


def talk(backend):
    """A conversation over two streams: 1 causes 2 and 3, 2 causes 4; 5 is of another one."""
    two = StreamId(name="two", category="d")
    ids = {number: str(raw(ONE if number in {1, 3, 5} else two, number).uuid) for number in (1, 2)}
    append(backend, raw(ONE, 1, "first", correlation_id="talk"))
    append(backend, raw(two, 2, "second", correlation_id="talk", causation_id=ids[1]))
    append(backend, raw(ONE, 3, "third", correlation_id="talk", causation_id=ids[1]))
    append(backend, raw(two, 4, "fourth", correlation_id="talk", causation_id=ids[2]))
    append(backend, raw(ONE, 5, "other", correlation_id="small talk"))


def tree_of(page):
    return re.findall(r'depth-(\d+)[^"]*">\s*<a [^>]*>(\w+)</a>', page.text)


def test_a_conversation_is_a_tree_of_causes(backend):
    talk(backend)
    client = browse(backend)
    page = client.get(stream_address("", ONE, "/conversation", of="talk", version=3))
    wanted = [("0", "first"), ("1", "second"), ("2", "fourth"), ("1", "third")]
    assert tree_of(page) == wanted
    assert "positions 1 to 5 of 5" in shown(page)
    link = re.findall(r'href="(/conversation[^"]*)"', client.get(event_address("", ONE, 2)).text)[0]
    assert tree_of(client.get(html.unescape(link))) == wanted


def test_a_conversation_of_an_event_without_correlation_is_what_it_caused(backend):
    append(backend, raw(ONE, 1, "cause"))
    append(backend, raw(ONE, 2, "effect", causation_id=str(raw(ONE, 1).uuid).upper()))
    append(backend, raw(ONE, 3, "effect", causation_id=str(raw(ONE, 2).uuid)))
    append(backend, raw(ONE, 4, "stranger"))
    of = raw(ONE, 1).uuid
    page = browse(backend).get(stream_address("", ONE, "/conversation", of=of))
    assert tree_of(page) == [("0", "cause"), ("1", "effect"), ("2", "effect")]


def test_events_that_cause_each_other_are_shown_once(backend):
    for number, cause in ((1, 2), (2, 1), (3, 3)):
        cause_id = str(raw(ONE, cause).uuid)
        append(backend, raw(ONE, number, "E", correlation_id="x", causation_id=cause_id))
    page = browse(backend).get(stream_address("", ONE, "/conversation", of="x"))
    assert len(tree_of(page)) == 3


def test_a_cause_that_was_not_found_is_told(backend):
    append(backend, raw(ONE, 1, "E", correlation_id="x", causation_id=str(UUID(int=9))))
    page = browse(backend).get(stream_address("", ONE, "/conversation", of="x"))
    assert "cause not found" in page.text


def test_a_conversation_looks_at_a_bounded_part_and_goes_on(backend, monkeypatch):
    monkeypatch.setattr(conversation, "_POSITIONS", 10)
    other = StreamId(name="far", category="c")
    append(backend, raw(other, 1, "far", correlation_id="x"))
    for number in range(1, 31):
        append(backend, raw(ONE, number, "near", correlation_id="x" if number > 28 else "y"))
    client = browse(backend)
    page = client.get(stream_address("", ONE, "/conversation", of="x", version=30))
    assert {name for _, name in tree_of(page)} == {"near"}
    for _ in range(4):
        if links := re.findall(r'href="([^"]*)">Look earlier', page.text):
            page = client.get(html.unescape(links[0]))
    assert "positions 1 to" in shown(page)
    assert "far" in {name for _, name in tree_of(page)}
    assert "Look later" in page.text
    if isinstance(backend, DynamoBackend):
        assert costs_of(page) <= 10


def test_search_finds_streams_events_and_categories(backend):
    talk(backend)
    append(backend.in_tenant("t"), raw(StreamId(name="three", category="letters"), 7))
    client = browse(backend)
    assert "1 to 6" in shown(client.get("/search?q=one"))
    for query, wanted in (
        ("one", "/stream?category=c"),
        (str(ONE), "/stream?category=c"),
        ("three", "/stream?tenant=t"),
        ("FOURTH", "/event?category=d"),
        (str(raw(ONE, 5).uuid), "/event?category=c"),
        ("lett", "/streams?tenant=t&amp;category=letters"),
        ("tw", "/event?category=d"),
    ):
        page = client.get("/search", params={"q": query})
        assert wanted in page.text, query
    assert client.get("/search?q=nothing").text.count("None.") == 2
    assert client.get("/search").status_code == 200


def test_a_window_of_a_tenant_with_few_events_does_not_search_the_whole_log(dynamo, monkeypatch):
    monkeypatch.setattr(conversation, "_POSITIONS", 4)
    append(dynamo.in_tenant("quiet"), raw(ONE, 1, "E", correlation_id="x"))
    for number in range(1, 41):
        append(dynamo.in_tenant("loud"), raw(ONE, number))
    client = browse(dynamo)
    page = client.get(stream_address("quiet", ONE, "/conversation", of="x"))
    assert "positions 1 to 3 of 41" in shown(page)
    assert tree_of(page) == [("0", "E")]
    assert costs_of(page) <= 8
