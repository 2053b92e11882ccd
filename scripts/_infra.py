"""What `scripts/infra` runs: writes what is made from the templates, or compares it."""

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
    """Yield each file that is made, with its right text."""
    infra = ROOT / "infra"
    yield infra / "app.yaml", _app_template.text(infra)
    yield infra / "global-event-store.yaml", _global_tables.text(infra)
    module = _terraform_module.Module(_app_template.template(infra))
    for name, text in module.files().items():
        yield infra / "terraform" / name, text


def main() -> int:
    """Write the files; with --check: 1 if one of them is not current."""
    check = "--check" in sys.argv[1:]
    stale = [(path, text) for path, text in made() if not path.exists() or path.read_text() != text]
    for path, text in stale:
        if check:
            sys.stdout.write(f"{path.relative_to(ROOT)} is not current: run scripts/infra.\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
