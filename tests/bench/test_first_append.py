"""The first append of a process is measured over TLS, with each transport."""

from __future__ import annotations

import pytest

from benchmarks import first_append

# It tests the benchmarks.
pytestmark = pytest.mark.ci


def test_the_lean_transport_starts_in_less_time_and_memory_than_bare_boto3(monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")  # no settings of AWS, which would keep it from serving

    found = first_append.measure(1)

    assert found.starts.keys() == {"default", "lean", "bare"}
    assert found.ratio("lean", "cpu_seconds").median < 0.9
    assert found.ratio("lean", "peak_kilobytes").median < 0.7
    text = first_append.section(found).markdown("")
    assert "| peak of resident memory, MB |" in text
    assert "transport lean" in text
