"""The stacks can be deployed into moto, and work there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# It tests what is deployed or installed, in a process of its own.
pytestmark = pytest.mark.ci


def test_every_stack_can_be_deployed_and_the_tables_be_used():
    done = subprocess.run(
        [sys.executable, "-m", "tests.infra.deployment"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
