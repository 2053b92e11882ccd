"""The log's pages: page by page, by position and time, with filters; bounded whatever is stored."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dynamo_es import StreamId
from dynamo_es.contracts import Selection
from dynamo_es.ui import log_views
from dynamo_es.ui.log_filters import short
from dynamo_es.ui.log_views import (
    find_time,
    read_backward,
    read_forward,
    read_newest_commits,
)
from tests.ui.conftest import NOON, append, browse, raw

if TYPE_CHECKING:
    from dynamo_es.facade.backend import Backend

EVERYTHING = Selection()
ACCOUNT = StreamId(name="ann", category="account")
ORDER = StreamId(name="7", category="order")


def fill(backend: Backend, number: int, stream: StreamId = ACCOUNT, start: int = 1) -> None:
    """Append events of one minute each, two a commit."""
    for first in range(start, start + number, 2):
        events = [raw(stream, n) for n in (first, first + 1) if n < start + number]
        append(backend, *events)


def positions(page: str) -> list[int]:
    rows = re.findall(r'data-label="Position">([\d,]+)<', page)
    return [int(row.replace(",", "")) for row in rows]


def address(page: str, text: str) -> str:
    found = re.search(rf'href="([^"]*)">{text}<', page)
    assert found, text
    return found[1].replace("&amp;", "&")


def test_the_first_look_is_at_the_newest_events(backend):
    fill(backend, 120)
    client = browse(backend)

    newest = client.get("/log").text
    assert positions(newest) == list(range(71, 121))
    earlier = client.get(address(newest, "Earlier")).text
    assert positions(earlier) == list(range(21, 71))
    first = client.get(address(earlier, "Earlier")).text
    assert positions(first) == list(range(1, 21))
    assert "Earlier" not in first
    assert positions(client.get(address(first, "Later")).text) == list(range(21, 71))
    assert ">Later<" not in newest
    assert positions(client.get(address(newest, "First")).text) == list(range(1, 51))


def test_an_empty_log_says_what_to_do(memory):
    page = browse(memory).get("/log").text
    assert "No event has a position yet." in page
    assert "dynamo-es sequence" in page


def test_a_jump_to_a_position_begins_there(memory):
    fill(memory, 9)
    client = browse(memory)
    assert positions(client.get("/log?position=4").text) == list(range(4, 10))
    past = client.get("/log?position=10").text
    assert "The log ends at position 9." in past
    assert positions(past) == list(range(1, 10))


def test_a_jump_to_a_time_finds_the_first_event_of_that_time(backend):
    fill(backend, 64)
    client = browse(backend)

    page = client.get("/log?time=2026-03-01T12:40").text
    assert "The first event from 2026-03-01 12:40:00 UTC or later is at position 40." in page
    assert positions(page) == list(range(40, 65))
    assert positions(client.get("/log?time=2026-03-01T13:40%2B01:00").text)[0] == 40
    assert positions(client.get("/log?time=1999-01-01").text)[0] == 1
    assert "No event is from 2027-01-01" in client.get("/log?time=2027-01-01").text


def test_a_time_is_found_by_halves(dynamo):
    fill(dynamo, 64)
    page = browse(dynamo).get("/log?time=2026-03-01T12:17").text
    cost = re.search(r"This page cost ([\d,]+) requests", page)
    assert cost is not None
    assert int(cost[1]) <= 35, "log2(64) steps of 2 requests, more than one at a page's end"


def test_a_time_is_found_where_streams_are_deleted(backend):
    fill(backend, 20)
    gone = StreamId(name="gone", category="account")
    fill(backend, 20, gone, start=21)
    fill(backend, 20, ORDER, start=41)
    backend.storage.delete_stream(gone)

    assert find_time(backend.log, NOON + timedelta(minutes=30)) in range(21, 42)
    assert find_time(backend.log, NOON + timedelta(minutes=45)) == 45
    assert find_time(backend.log, NOON + timedelta(minutes=5)) == 5
    assert find_time(backend.log, NOON + timedelta(minutes=61)) is None


def test_filters_show_what_matches_in_both_directions(backend):
    fill(backend, 60)
    append(backend, raw(ORDER, 1, "Placed"))
    fill(backend, 60, StreamId(name="bob", category="account"))
    client = browse(backend)

    for query in ("category=order", "event=Placed", "category=order&event=Placed"):
        assert positions(client.get(f"/log?{query}").text) == [61]
        assert positions(client.get(f"/log?{query}&after=0").text) == [61]
        assert positions(client.get(f"/log?{query}&before=61").text) == []
    assert positions(client.get("/log?category=account&event=Placed").text) == []
    assert len(positions(client.get("/log?category=account&before=90").text)) == 50


def test_links_keep_the_filters(memory):
    fill(memory, 120)
    page = browse(memory).get("/log?category=account&event=Deposited").text
    for text in ("Earlier", "First", "Live", "Plots"):
        query = address(page, text)
        assert "category=account" in query
        assert "event=Deposited" in query


def test_a_tenant_and_the_default_tenant_are_filters(memory):
    fill(memory, 2)
    append(memory.in_tenant("acme"), raw(ACCOUNT, 1))
    client = browse(memory)

    assert positions(client.get("/log").text) == [1, 2, 3]
    assert positions(client.get("/log?tenant=").text) == [1, 2, 3]
    assert positions(client.get("/log?tenant=acme").text) == [3]
    assert positions(client.get("/log?default_tenant=1").text) == [1, 2]


def test_a_browser_of_one_tenant_shows_that_tenant_only(backend):
    fill(backend, 2)
    append(backend.in_tenant("acme"), raw(ACCOUNT, 1))
    client = browse(backend, tenant="acme")

    page = client.get("/log").text
    assert positions(page) == [3]
    assert 'name="tenant"' not in page
    assert client.get("/log?tenant=other").status_code == 403
    assert client.get("/log?default_tenant=1").status_code == 403
    assert positions(client.get("/log?tenant=acme").text) == [3]


def test_events_of_deleted_streams_leave_a_page_that_says_so(backend):
    fill(backend, 4)
    backend.storage.delete_stream(ACCOUNT)
    page = browse(backend).get("/log").text
    assert "No event at positions 1 to 4 is left: their streams were deleted." in page


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=-1",
        "before=0",
        "position=0",
        "position=1e3",
        "position=" + "9" * 30,
        "position=\u0663",
        "time=yesterday",
        "time=0001-01-01T00:00%2B23:59",
        "after=99",
        "category=" + "a" * 9000,
    ],
)
def test_a_wrong_query_is_refused_with_a_message(memory, query):
    fill(memory, 3)
    refused = browse(memory).get(f"/log?{query}")
    assert refused.status_code == 400


def test_a_commit_of_many_events_is_cut_and_goes_on(memory):
    append(memory, *(raw(ACCOUNT, n) for n in range(1, 131)))
    client = browse(memory)

    first = client.get("/log?after=0").text
    assert positions(first) == list(range(1, 51))
    second = client.get(address(first, "Later")).text
    assert positions(second) == list(range(51, 101))
    assert positions(client.get("/log").text) == list(range(81, 131))


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "\u202egnp.exe",
        "a\x00b\x1b[31m",
        '" onload="x',
        "\U0001f4a3" * 9,
    ],
)
def test_a_hostile_name_stays_text(memory, hostile):
    stream = StreamId(name=hostile, category=hostile)
    append(memory.in_tenant(hostile), raw(stream, 1, hostile))

    for path in ("/log", "/log/live", "/plots", "/consumers"):
        page = browse(memory).get(path).text
        assert "<script>alert" not in page
        assert ' onload="' not in page
        assert "\x00" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page


def test_a_long_name_is_cut_in_the_middle():
    assert short("a" * 80) == "a" * 80
    cut = short("a" * 3000 + "end")
    assert len(cut) <= 80
    assert cut.endswith("end")
    assert "…" in cut


def test_reading_backward_joins_without_gap_or_repetition(backend):
    fill(backend, 75)
    fill(backend, 75, ORDER)
    chosen = Selection(category="account")
    before, found = 151, []
    while before > 1:
        stretch = read_backward(backend.log, before, chosen, 20)
        found[:0] = [record.position for record in stretch.records]
        assert stretch.until == before - 1
        before = stretch.after + 1
    assert found == list(range(1, 76))


def test_reading_forward_joins_without_gap_or_repetition(memory):
    fill(memory, 75)
    fill(memory, 75, ORDER)
    after, found = 0, []
    while True:
        stretch = read_forward(memory.log, after, Selection(category="order"), 20)
        found += [record.position for record in stretch.records]
        after = stretch.until
        if stretch.ended:
            break
    assert found == list(range(76, 151))


def test_the_newest_commits_are_whole_and_each_once(backend):
    fill(backend, 100)
    for most in (1, 7, 50, 200):
        stretch = read_newest_commits(backend.log, 100, EVERYTHING, most)
        expected = list(range(101 - 2 * min(most, 50), 101))
        assert [record.position for record in stretch.records] == expected
        assert [commit.position for commit in stretch.commits] == expected[::2]
        assert all(commit.event_count == 2 for commit in stretch.commits)


def test_large_commits_end_a_page_early_and_it_goes_on(dynamo, monkeypatch):
    monkeypatch.setattr(log_views, "MOST_KILOBYTES", 30)
    for number in range(1, 121):
        append(dynamo, raw(ACCOUNT, number))
    log = dynamo.log

    newest = read_newest_commits(log, 120, EVERYTHING, 120)
    assert [commit.position for commit in newest.commits] == list(range(71, 121))
    backward = read_backward(log, 121, Selection(category="account"), 100)
    assert 30 <= len(backward.records) <= 100
    forward = read_forward(log, 0, EVERYTHING, 120)
    assert forward.until < 120
    assert [record.position for record in forward.records] == list(range(1, forward.until + 1))
    after = read_forward(log, forward.until, EVERYTHING, 100)
    assert after.records[0].position == forward.until + 1
