"""Writes the part of ``docs/reference/engines.md`` that comes from the probes.

Run ``.venv/bin/python -m tests.engines.document``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.engine import LOCAL, MOTO
from tests.engines.probes import BY_SUBJECT

if TYPE_CHECKING:
    from tests.engines.probe import Probe

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "engines.md"

_BEGIN = "<!-- made of tests/engines/probes: change nothing from here -->\n"
_END = "<!-- to here -->\n"


def current(text: str) -> str:
    """Return the document with the part that is made of the probes made anew."""
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}\n{_deviations()}\n{_agreement()}\n{_END}{after}"


def _deviations() -> str:
    lines = ["## Where they differ", ""]
    lines += ["| what is done | DynamoDB | moto | dynoxide |", "|---|---|---|---|"]
    for subject, probes in BY_SUBJECT.items():
        rows = [_row(probe) for probe in probes if probe.instead]
        if rows:
            lines += [f"| **{subject}** | | | |", *rows]
    return "\n".join([*lines, ""])


def _row(probe: Probe) -> str:
    moto, local = (
        _cell(probe.instead[name]) if name in probe.instead else "same" for name in (MOTO, LOCAL)
    )
    return f"| {_cell(probe.name)} | {_cell(probe.answer)} | {moto} | {local} |"


def _agreement() -> str:
    lines = ["## Where both are as DynamoDB", ""]
    for subject, probes in BY_SUBJECT.items():
        names = "; ".join(probe.name for probe in probes if not probe.instead)
        lines.append(f"- **{subject}**: {names}.")
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _main() -> None:
    DOCUMENT.write_text(current(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    _main()
