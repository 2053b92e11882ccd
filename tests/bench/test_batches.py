"""The section of batches: what is counted, and what its goals say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import batch_costs
from benchmarks.batch_costs import LATENCY
from benchmarks.scale import QUICK

# It tests the benchmarks.
pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def found(emulator):
    return batch_costs.measure(emulator, replace(QUICK, history_events=60), doomed=4_000, rounds=1)


def goal(found, name):
    (goal,) = (goal for goal in batch_costs.section(found).goals if name in goal.name)
    return goal


def test_appends_to_many_streams_are_a_request_for_25_at_the_price_of_each(found):
    assert (found.streams, found.many.requests, found.alone.requests) == (60, 3, 60)
    assert found.many.write_units == found.alone.write_units == 60
    assert goal(found, "requests").met
    assert goal(found, "write units").met


def test_more_requests_than_batches_miss_the_goal(found):
    more = replace(found, many=replace(found.many, requests=4))
    assert not goal(more, "requests").met_loosely


def test_the_deletion_reads_its_pages_and_sends_its_batches_at_once(found):
    assert found.deletion > LATENCY * 6
    assert found.deletion < 4_000 * LATENCY / 2, "a request for each commit would take twice this"


def test_the_times_are_beside_bare_puts(found):
    for ours, bare in (*found.append_cpu, *found.import_cpu):
        assert 0 < ours < bare * 2
    assert found.imported == batch_costs.LINES
