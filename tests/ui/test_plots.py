"""Plots: figures over time as bars, for those who see them and those who do not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from dynamo_es import StreamId
from dynamo_es.ui.plotting import plot
from tests.ui.conftest import NOON, append, browse, raw


def test_no_figures_make_no_plot():
    assert plot("Appends", "appends", []) is None


def test_bars_add_up_and_keep_the_order_of_time():
    figures = [(NOON + timedelta(hours=hour), 1.0) for hour in (0, 0, 2, 30)]
    drawn = plot("Appends", "appends", figures)
    assert drawn is not None
    texts = [bar.text for bar in drawn.bars]
    assert texts[0] == "2 appends, 2026-03-01 12:00 to 2026-03-01 13:00 UTC"
    assert texts[1].startswith("0 appends")
    assert texts[2].startswith("1 appends")
    assert len(drawn.bars) == 31
    assert drawn.bars[0].height == 2 * drawn.bars[2].height
    assert drawn.bars[1].height == 0
    assert drawn.description.startswith("4 appends in 31 bars, 2026-03-01 12:00 to ")


@pytest.mark.parametrize("days", [0, 0.00001, 0.01, 3, 400, 365 * 40, 365 * 7000])
def test_every_span_has_few_bars_within_the_drawing(days):
    begin = datetime(1, 1, 1, tzinfo=UTC)
    drawn = plot("Events", "events", [(begin, 3), (begin + timedelta(days=days), 5)])
    assert drawn is not None
    assert 1 <= len(drawn.bars) <= 49
    assert len(drawn.columns) <= 5
    for bar in drawn.bars:
        assert drawn.left <= bar.x
        assert bar.x + bar.width <= drawn.right + 0.1
        assert 0 <= bar.y <= bar.y + bar.height <= drawn.bottom + 0.01


def test_the_last_time_that_there_is_can_be_drawn():
    drawn = plot("Events", "events", [(datetime.max.replace(tzinfo=UTC), 1), (NOON, 1)])
    assert drawn is not None
    assert drawn.bars[-1].text.endswith(" UTC")


def test_the_page_counts_commits_and_events_of_the_newest(backend):
    for number in range(1, 131, 2):
        append(
            backend,
            raw(StreamId(name="a", category="x"), number),
            raw(StreamId(name="a", category="x"), number + 1),
        )
    page = browse(backend).get("/plots?commits=10").text

    assert "The newest 10 commits, 20 events, at positions 111 to 130." in page
    assert page.count('role="img"') >= 2
    assert re.search(r"<title id=\"plot1-title\">Appends over time</title>", page)
    assert "10 appends in" in page
    assert "20 events in" in page
    assert " style=" not in page


def test_the_page_shows_write_units_where_they_are_charged(dynamo):
    append(dynamo, *(raw(StreamId(name="a"), number) for number in range(1, 200)))
    page = browse(dynamo).get("/plots").text
    assert "Write units over time" in page
    assert "write units in 1 bars" in page


def test_a_filter_limits_the_plots(memory):
    append(memory, raw(StreamId(name="a", category="x"), 1))
    append(memory, raw(StreamId(name="b", category="y"), 1))
    client = browse(memory)
    assert "The newest 1 commit, 1 event" in client.get("/plots?category=x").text
    assert "No commit at positions 1 to 2 matches." in client.get("/plots?category=z").text
    assert "No commit at positions" in browse(memory, tenant="t").get("/plots").text


def test_too_many_commits_are_bounded_and_what_is_shown_is_said(memory):
    append(memory, raw(StreamId(name="a"), 1))
    page = browse(memory).get("/plots?commits=999999999").text
    assert '<option value="3000" selected>' in page
    assert browse(memory).get("/plots?commits=0").status_code == 400
