"""Figures are judged and formatted."""

from __future__ import annotations

import pytest

from benchmarks.layouts import event_item
from benchmarks.page import page_text
from benchmarks.pairing import Ratio, time_in_turns
from benchmarks.report import LOOSELY, Goal, Plot, Section, Table
from benchmarks.sample import Sample, with_context

# It tests the benchmarks.
pytestmark = pytest.mark.ci


def test_a_goal_is_met_at_its_limit_and_loosely_somewhat_above() -> None:
    at, near, far = (Goal("ratio", figure, 1.0) for figure in (1.0, LOOSELY, LOOSELY + 0.01))

    assert (at.met, near.met, far.met) == (True, False, False)
    assert (at.met_loosely, near.met_loosely, far.met_loosely) == (True, True, False)


def test_a_count_is_no_matter_of_how_busy_a_machine_is() -> None:
    assert not Goal("operations over their budget", 1, 0, exact=True).met_loosely
    assert Goal("operations over their budget", 0, 0, exact=True).met_loosely


def test_the_page_shows_goals_tables_and_plots() -> None:
    section = Section(
        "Speed",
        "Measured so.",
        [Table(["n", "ms"], [["1", "2"]])],
        plots=[Plot("speed", "Speed by n", "n", "ms", {"ours": ([1], [2])})],
        goals=[Goal("speed", 3.0, 2.0)],
    )

    text = page_text([section], "an engine")

    assert "- engine: an engine" in text
    assert "| speed | 3.00 | at most 2 | **missed** |" in text
    assert "| n | ms |\n| --- | ---: |\n| 1 | 2 |" in text
    assert "![Speed by n](benchmarks/speed.svg)" in text


def test_what_is_compared_is_timed_in_turns_within_each_round() -> None:
    calls: list[str] = []
    now = iter(range(100))

    samples = time_in_turns(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        rounds=2,
        calls=2,
        clock=lambda: float(next(now)),
    )

    assert calls == [*"ab", *"aabb", *"bbaa"]  # once each to warm up, then in turns
    assert samples.times == {"a": [0.5, 0.5], "b": [0.5, 0.5]}
    assert samples.ratio("a", "b") == Ratio(1.0, 1.0, 1.0)


def test_the_sample_gives_every_store_the_same_events() -> None:
    one, two = Sample(), Sample()

    assert [e.data for e in one.take(5)] == [e.data for e in two.take(5)]
    assert len(one.take(len(one) + 1)) == len(one) + 1
    commits = one.commits(3, 100)
    assert sum(len(commit) for stream in commits.values() for commit in stream) == 100
    assert max(len(commit) for stream in commits.values() for commit in stream) == 3


def test_ids_of_context_are_attributes_of_their_own_in_an_item_per_event() -> None:
    events = Sample().take(2)

    items = [event_item("stream", number, event) for number, event in enumerate(events, 1)]
    both = [event_item("stream", number, e) for number, e in enumerate(with_context(events), 1)]

    assert [len(item) for item in items] == [7, 7]
    assert [len(item) for item in both] == [8, 8]
    assert both[0]["causation_id"] != both[1]["causation_id"]
    assert [item["data"] for item in both] == [item["data"] for item in items]
