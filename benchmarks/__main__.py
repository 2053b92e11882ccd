"""Runs the benchmarks; see `scripts/bench` for its options."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.engine import open_engine
from benchmarks.page import write_page
from benchmarks.runs import sections
from benchmarks.scale import FULL, QUICK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.report import Section

_DOCS: Final = Path(__file__).parents[1] / "docs" / "explanation"


def main(argv: Sequence[str] | None = None) -> int:
    """Run all benchmarks; return 1 if a quick run misses a goal by far.

    Args:
        argv: arguments of the command; None for those of the process.
    """
    arguments = _parse(argv)
    scale = QUICK if arguments.quick else FULL
    measured: list[Section] = []
    began = time.monotonic()
    with open_engine(arguments.endpoint, arguments.engine) as engine:
        for title, measure in sections(engine, scale, arguments.history):
            _tell(f"{time.monotonic() - began:5.0f} s  {title} …")
            measured.append(measure())
    _tell(f"{time.monotonic() - began:5.0f} s  done")
    for section in measured:
        sys.stdout.write(f"\n{section.markdown('benchmarks')}\n")
    if arguments.write or not arguments.quick:
        _tell(f"Written: {write_page(measured, arguments.engine, arguments.into)}")
    return _judge(measured) if arguments.quick else 0


def _judge(measured: Sequence[Section]) -> int:
    missed = [goal for section in measured for goal in section.goals if not goal.met_loosely]
    for goal in missed:
        _tell(f"Missed by far: {goal.name}: {goal.figure:.2f}, but the goal is {goal.limit:.2f}")
    return 1 if missed else 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--endpoint", required=True, help="URL of DynamoDB or an emulator")
    parser.add_argument("--engine", required=True, help="name of what runs there")
    parser.add_argument("--quick", action="store_true", help="a small run; fails if far off a goal")
    parser.add_argument(
        "--history", type=Path, help="events for the log, in the format of `dynamo-es import`, gzip"
    )
    parser.add_argument("--write", action="store_true", help="write the page after a quick run")
    parser.add_argument("--into", type=Path, default=_DOCS, help="folder of the page")
    return parser.parse_args(argv)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
