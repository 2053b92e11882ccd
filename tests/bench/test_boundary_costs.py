"""The costs of a boundary by its length: what is counted, and what is judged."""

from __future__ import annotations

import pytest

from benchmarks import boundary_costs, relational_rival
from benchmarks.boundary_costs import Found
from benchmarks.boundary_workload import ASKED, MATCHING, tags_of
from benchmarks.environments import NotRunError
from benchmarks.relational_rival import Times

# It tests the benchmarks.
pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def found(emulator):
    return boundary_costs.measure(emulator, [10, 60], 2, installs=False)


def test_requests_do_not_depend_on_the_length(found):
    for at in found.ours.values():
        assert (at.append.cost.requests, at.warm.cost.requests) == (1, 1)
        assert at.with_state.cost.requests == 3
        assert (at.decided.cost.requests, at.cold.cost.requests) == (2, 1)
    assert 3 <= found.ours[60].indexed.cost.requests <= 4  # a short boundary is read as a whole


def test_the_boundary_has_the_length_that_the_row_says(found):
    assert list(found.ours) == [10, 60]
    assert sum(ASKED in tags_of(number) for number in range(60)) == MATCHING


def test_the_table_says_what_was_not_run_and_what_a_million_costs(found):
    text = boundary_costs.section(found).markdown("")
    assert "is part of a full run only" in text
    assert "| the same, from a saved state | 60 | 3 · " in text
    assert found.ours[10].append.dollars == pytest.approx(
        0.625 * found.ours[10].append.cost.write_units
        + 0.125 * found.ours[10].append.cost.read_units
    )


def test_the_relational_dcb_has_a_table_beside_ours(found):
    times = {10: (Times(8.0, 0.7), Times(2.0, 0.6))}
    text = boundary_costs.section(Found(found.ours, times, "A remark.")).markdown("")
    assert "| 8.0 (0.7) |" in text
    assert text.rstrip().endswith("A remark.")


def test_a_machine_without_a_server_says_so(monkeypatch):
    monkeypatch.setattr(relational_rival, "_DEBIAN", "/nowhere/*")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotRunError, match="Debian's package is postgresql"):
        relational_rival.run([10], 1)
