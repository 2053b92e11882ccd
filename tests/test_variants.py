"""The conformance suite fails on every store that is broken on purpose."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

from tests.engine import LOCAL, MOTO
from tests.variants import VARIANTS

# Each runs a part of the suite in a process of its own.
pytestmark = pytest.mark.ci

# What catches each of them, among others: the whole suite would take ten times as long.
CAUGHT_BY: Final = {
    "no_fence": "test_suite.py::TestDelete::"
    "test_late_writer_is_refused_by_a_generation_of_another_length",
    "plain_deletes": "test_suite.py::TestDelete::test_late_writer_is_refused_by_a_deleted_stream",
    "sweep_from_the_bottom_up": "test_suite.py::TestCrashes::test_creation_right_after_the_crash",
    "leftovers_refuse_a_creation": "test_suite.py::TestCrashes::"
    "test_creation_right_after_the_crash",
    "expected_zero_unchecked": "test_suite.py::TestConflicts",
    "one_page_only": "test_suite.py::TestLongStreams::test_stream_of_many_commits",
    "lower_bound_taken_for_the_end": "test_suite.py::TestRanges::test_every_range",
    "tenant_forgotten_in_delete": "test_suite.py::TestIdentity",
    "conflict_at_face_value": "test_suite.py::TestIdempotency::test_whole_stream_again",
    "unconditional_put": "test_suite.py::TestConflicts",
    "generation_forgotten": "test_generations.py",
    "checks_left_out": "test_suite.py::TestUnchanged",
    "expected_version_taken_at_its_word": "test_suite.py::TestUnchanged",
    "no_token_in_the_checkpoint": "../projections/test_workers.py::"
    "test_a_late_write_of_an_earlier_holder_changes_nothing",
    "lease_judged_by_compared_clocks": "../projections/test_workers.py::"
    "test_a_worker_with_a_beat_keeps_its_lease_whatever_the_clocks_say",
    "previous_position_unchecked": "../projections/test_exactly_once.py::"
    "test_a_late_transaction_changes_nothing",
    "writes_apart_from_the_checkpoint": "../projections/test_exactly_once.py::"
    "test_a_process_that_dies_in_the_place_of_any_of_its_requests",
}

RACES_ONLY: Final = {
    "unconditional_sweep": "one process alone never meets the next generation while it sweeps: "
    "the search for races in tests/linearizability catches it",
}


def test_every_variant_has_its_test() -> None:
    assert VARIANTS.keys() == CAUGHT_BY.keys() | RACES_ONLY.keys()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine_name" in metafunc.fixturenames:
        local = [LOCAL] if metafunc.config.getoption("--endpoint") else []
        metafunc.parametrize("engine_name", [MOTO, *local])


@pytest.mark.parametrize(("variant", "suite"), CAUGHT_BY.items(), ids=CAUGHT_BY)
def test_broken_store_fails_the_suite(
    variant: str, suite: str, engine_name: str, request: pytest.FixtureRequest
) -> None:
    endpoint = request.config.getoption("--endpoint") or ""
    outcome = run_suite(suite, engine_name, "--endpoint", endpoint, "--variant", variant)

    assert outcome.returncode == pytest.ExitCode.TESTS_FAILED, outcome.stdout
    assert "1 failed" in outcome.stdout


def run_suite(suite: str, engine: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a part of the conformance suite on one engine, up to the first failure."""
    return subprocess.run(  # noqa: S603 - this interpreter, and names from this file
        [
            *(sys.executable, "-m", "pytest", f"tests/conformance/{suite}", "-k", engine),
            *("-q", "-x", "-n", "0", "-p", "no:cacheprovider", "--no-header", "--tb=line"),
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
