"""Measures the size of the installed package."""

from __future__ import annotations

import compileall
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.report import Section, Table

_ROOT: Final = Path(__file__).parents[1]
_SOURCES: Final = ("dynamo_es", "infra", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True, slots=True)
class Found:
    """Sizes in bytes.

    Attributes:
        wheel: size of the wheel.
        installed: size in site-packages, without bytecode.
        with_bytecode: size in site-packages, with bytecode.
        without_cli: the same, without the command line and its sample.
    """

    wheel: int
    installed: int
    with_bytecode: int
    without_cli: int


def measure() -> Found:
    """Build the wheel, unpack it as an installer does, and compile it."""
    with TemporaryDirectory() as scratch:
        # Built from a copy, so that the build leaves nothing in the checkout.
        source, target = Path(scratch) / "source", Path(scratch) / "site-packages"
        source.mkdir()
        for name in _SOURCES:
            path = _ROOT / name
            if path.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(path, source / name, ignore=ignore)
            else:
                shutil.copy(path, source / name)
        subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(source)],
            check=True,
            capture_output=True,
            timeout=120,
        )
        (wheel,) = (source / "dist").glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
        package = target / "dynamo_es"
        installed = _size(package)
        compileall.compile_dir(package, quiet=2)
        whole = _size(package)
        return Found(wheel.stat().st_size, installed, whole, whole - _size(package / "cli"))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def section(found: Found) -> Section:
    """Return the section on the size."""
    rows = [
        ["wheel", _kilobytes(found.wheel)],
        ["installed", _kilobytes(found.installed)],
        ["installed, with bytecode", _kilobytes(found.with_bytecode)],
        ["the same, without the command line and its sample", _kilobytes(found.without_cli)],
    ]
    how = "The wheel of this checkout, and `site-packages/dynamo_es` alone, without dependencies."
    return Section("Size", how, [Table(["", "KB"], rows)])


def _kilobytes(size: int) -> str:
    return f"{size / 1024:.0f}"
