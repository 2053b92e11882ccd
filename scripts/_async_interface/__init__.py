"""Writes the classes of `dynamo_es.aio` from the synchronous ones; see scripts/async-interface.

- `classes`: which ones are written, from which.
- `members`: reads the synchronous classes.
- `modules`: writes a module; `methods`: writes a member of its class.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from _async_interface.classes import CLASSES, ROOT
from _async_interface.methods import unused_texts
from _async_interface.modules import module_of

__all__ = ["CLASSES", "main"]


def main() -> int:
    """Write the modules, or with ``--check`` say which are out of date.

    Also fails if a text to be replaced is in no docstring any more.
    """
    stale = []
    for one in CLASSES:
        path, text = one.path, formatted(module_of(one))
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
    unused = unused_texts()
    for text in unused:
        sys.stderr.write(f"No docstring has {text!r}: change it in TEXTS of methods.py.\n")
    if stale and "--check" in sys.argv:
        sys.stderr.write(f"Out of date: {', '.join(stale)}. Run scripts/async-interface.\n")
        return 1
    return 1 if unused else 0


def formatted(text: str) -> str:
    ruff = Path(sys.executable).parent / "ruff"
    command = [str(ruff) if ruff.exists() else "ruff"]
    for step in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(  # noqa: S603 - the formatter of this project
            [*command, *step, "--stdin-filename", str(ROOT / "dynamo_es" / "x.py"), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        if not done.stdout:
            raise RuntimeError(done.stderr)
        text = done.stdout
    return text
