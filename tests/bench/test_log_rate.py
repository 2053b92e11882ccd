"""The rate of the log, from its parts; and what several sequencers cost."""

from __future__ import annotations

import pytest

from benchmarks import log_rate
from benchmarks.log_rate import Found, Race, Rate

# It tests the benchmarks.
pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def found(emulator):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_rate, "LATENCY", 0.0)
        return log_rate.measure(emulator, 2, 1)


def test_a_sequencer_alone_sends_six_requests_for_a_hundred_new_streams(found):
    for rates in found.rates.values():
        (rate,) = rates
        # The markers, the page, and four batches of markers.
        assert (rate.commits, rate.requests) == (200, 12)


def test_in_series_each_request_is_a_round_trip(found):
    (rate,) = found.rates[1]
    assert rate.round_trips == rate.requests


def test_all_racing_sequencers_end_with_all_commits_in_the_log(found):
    assert {shards: race.commits for shards, race in found.races.items()} == {
        1: 200,
        2: 400,
        4: 800,
        8: 1600,
    }
    assert found.races[1].refused == 0


def test_a_position_is_known_after_three_round_trips(found):
    assert found.inline == 3


def test_the_rate_by_its_parts_is_that_of_round_trips_and_cpu():
    assert Rate(100, 9.0, 0.012, 5, 2).by_parts == pytest.approx(100 / 0.020)


def test_goals_that_are_missed_say_so():
    slow = Rate(100, 1.0, 0.02, 7, 7)
    race = Race(400, 50, 21)
    goals = log_rate.section(Found({1: [slow], 4: [slow]}, {4: race}, 4)).goals
    assert [goal.name for goal in goals if goal.met] == ["ms a commit of a sequencer, 1 at once"]


def test_hints_are_of_streams_in_turns_in_the_order_of_versions():
    batches = log_rate.hints_of(3, 5)
    assert [len(batch) for batch in batches] == [100] * 5
    assert {hint.first_version for hint in batches[0]} == {1}
    assert {hint.first_version for hint in batches[4]} == {2}
    assert batches[4][0].stream_key == batches[0][0].stream_key
