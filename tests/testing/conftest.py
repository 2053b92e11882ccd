"""Runs pytest as a project that uses dynamo_es does, in a process and a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run_pytest(tmp_path: Path) -> Callable[..., str]:
    """Run pytest on a file of tests, in a process and a folder of its own; return its output."""

    def run(source: str, *options: str) -> str:
        (tmp_path / "test_it.py").write_text(source)
        environ = {name: value for name, value in os.environ.items() if "ENDPOINT" not in name}
        loaded = [] if is_installed() else ["-p", "dynamo_es.testing.plugin"]
        outcome = subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *loaded, *options, "."],
            cwd=tmp_path,
            env={**environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return outcome.stdout + outcome.stderr

    return run


def is_installed() -> bool:
    """Whether pytest finds the plugin by itself, by its entry point."""
    return any(one.value == "dynamo_es.testing.plugin" for one in entry_points(group="pytest11"))
