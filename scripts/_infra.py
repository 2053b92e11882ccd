"""Runs as `scripts/infra`: generates files from the templates, or checks them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
import _app_template
import _global_tables
import _terraform_module

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]


def made() -> Iterator[tuple[Path, str]]:
    """Yield the path of each generated file, with its current text."""
    infra = ROOT / "infra"
    yield infra / "app.yaml", _app_template.text(infra)
    yield infra / "global-event-store.yaml", _global_tables.text(infra)
    module = _terraform_module.Module(_app_template.template(infra))
    for name, text in module.files().items():
        yield infra / "terraform" / name, text


def main() -> int:
    """Write the files; with ``--check``, return 1 if one of them is out of date."""
    check = "--check" in sys.argv[1:]
    stale = [(path, text) for path, text in made() if not path.exists() or path.read_text() != text]
    for path, text in stale:
        if check:
            sys.stdout.write(f"{path.relative_to(ROOT)} is out of date: run scripts/infra.\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
