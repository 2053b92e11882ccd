"""Makes wheels of what dynamo_es needs, each with one module, so that no test downloads any.

A program, too: ``python -m tests.packaging.wheels FOLDER``.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def make_wheels(folder: Path) -> None:
    """Make a folder of wheels for the runtimes that tests package for."""
    folder.mkdir()
    for name in ("boto3", "tenacity"):
        wheel(folder, name, "py3-none-any")
    for machine in ("aarch64", "x86_64"):
        for python in ("311", "313"):
            tag = f"cp{python}-cp{python}-manylinux_2_17_{machine}.manylinux2014_{machine}"
            wheel(folder, "pydantic", tag)
        # Newer than what pip takes without being told.
        wheel(folder, "cryptography", f"cp311-abi3-manylinux_2_34_{machine}")


def wheel(folder: Path, name: str, tag: str) -> None:
    """Make a wheel with one module, and a licence."""
    info = f"{name}-99.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-99.0-{tag}.whl", "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"built_for = {tag!r}\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.4\nName: {name}\nVersion: 99.0\n"
        )
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/licenses/LICENSE", "MIT")
        archive.writestr(f"{info}/RECORD", "")


if __name__ == "__main__":
    make_wheels(Path(sys.argv[1]))
