"""The measure of asyncio runs its programs, and prints its goals."""

from __future__ import annotations

import pytest

from benchmarks import async_appends


@pytest.mark.ci
def test_appends_of_tasks_are_measured_over_tls(tiny) -> None:
    found = async_appends.measure(tiny)

    assert set(found.loads) == {"asyncio", "uvloop", "boto3"}
    assert all(load.appends > 0 for load in found.loads.values())
    text = async_appends.section(found).markdown("")
    assert "boto3 in 64 threads" in text
    assert "99th percentile at half load" in text
