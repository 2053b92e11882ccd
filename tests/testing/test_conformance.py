"""The conformance suite, as the author of a backend uses it."""

from __future__ import annotations

import pytest

# Test runs within a test take seconds.
pytestmark = pytest.mark.ci

CONFTEST = """
import pytest
from dynamo_es.testing.conformance.engine import MemoryEngine
{imports}

pytest_plugins = ["dynamo_es.testing.conformance.fixtures"]

class MyEngine(MemoryEngine):
    name = "mine"

@pytest.fixture(scope="session")
def engine():
    engine = MyEngine()
    engine.start()
    {broken}
    yield engine
    engine.stop()
"""

SUITE = """
from dynamo_es.testing.conformance.suite import TestConflicts, TestCrashes, TestPositions
"""

BROKEN = """from unittest.mock import patch
    from dynamo_es.memory import MemoryStorage
    from dynamo_es import ANY_VERSION
    right = MemoryStorage.insert_events
    patch.object(MemoryStorage, "insert_events", lambda self, stream, versioning, events:
                 right(self, stream, ANY_VERSION, events)).start()
"""


def test_a_backend_passes_and_what_it_lacks_is_skipped_with_the_reason(run_pytest, tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST.format(imports="", broken=""))

    output = run_pytest(SUITE, "-q", "-rs")

    assert " passed" in output
    assert "failed" not in output
    assert "error" not in output
    assert "mine lacks crashes: it sends no requests" in output


@pytest.mark.ci
def test_a_backend_that_ignores_the_expected_version_fails(run_pytest, tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST.format(imports="", broken=BROKEN))

    output = run_pytest(SUITE, "-q", "-k", "TestConflicts")

    assert "nothing was refused, expected ConcurrentStreamWriteError" in output
