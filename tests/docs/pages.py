"""The pages of the documentation, and the code blocks in them.

A block of Python or shell is run (`run_page`), all blocks of a page one after the other:

- The Python blocks of a page share a namespace; its shell blocks share a folder and variables.
- A block of ``text`` that is the next one after a block that is run is what that one prints.
- A block with a title, such as ``title="bank.py"``, is a file: it is written into the folder, and
  not run by itself.
- In a shell block, http://127.0.0.1:8000 is an empty emulator, and ``dynamo-es`` works. Commands
  that install or deploy (``python -m venv``, ``pip``, ``aws``, ``sam``) have stand-ins in
  ``commands/``, which check their arguments. What a block starts in the background ends with the
  page.
- A ``…`` in what a block prints stands for anything.
- A comment before a block leaves it out, and says why: ``<!-- not run: needs an AWS account -->``.
- A comment ``<!-- hidden python`` … ``-->`` (or ``sh``) has code that runs, and no reader sees.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
EXAMPLES: Final = DOCS / "examples"
TUTORIAL: Final = DOCS / "tutorial"

PYTHON: Final = frozenset({"python", "py"})
SHELL: Final = frozenset({"sh"})
RUN: Final = PYTHON | SHELL
SHOWN: Final = frozenset({"text", "diff", "ini", "json", "toml", "yaml", "html"})
"""Languages of blocks that are read only."""

_BLOCK: Final = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)(?P=fence) *$"
    r"|^<!-- (?P<hidden>hidden (?:python|sh))\n(?P<secret>.*?)^-->$"
    r"|^ *<!-- not run:(?P<reason>[^\n]*?)-->$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code on a page.

    Attributes:
        language: the first word after the fence.
        code: the code, without the indentation of the fence.
        line: the line of the page that the code begins in, 1-based.
        title: the name of the file that the block shows; empty if it shows none.
        not_run: why the block is not run; None if it is.
        prints: what the block prints, by the next block; None if the page does not show it.
    """

    language: str
    code: str
    line: int
    title: str = ""
    not_run: str | None = None
    prints: str | None = None

    @property
    def is_run(self) -> bool:
        """Whether the test runs the block."""
        return self.language in RUN and self.not_run is None and not self.title


def pages() -> list[Path]:
    """Return the pages of the site, and the README. The example has tests of its own."""
    of_site = [page for page in DOCS.glob("**/*.md") if EXAMPLES not in page.parents]
    return [ROOT / "README.md", *sorted(of_site, key=lambda page: page.as_posix())]


def name_of(page: Path) -> str:
    """Return the name of a page in messages."""
    return page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    return blocks_in(page.read_text(encoding="utf-8"))


def blocks_in(text: str) -> list[Block]:
    """Return the blocks of a text, in order."""
    found: list[Block] = []
    reason: str | None = None
    for match in _BLOCK.finditer(text):
        if match["reason"] is not None:
            reason = match["reason"].strip()
            continue
        group = "secret" if match["hidden"] else "code"
        line = text.count("\n", 0, match.start(group)) + 1
        if match["hidden"]:
            found.append(Block(match["hidden"].split()[1], match["secret"], line))
            continue
        language, _, rest = match["info"].strip().partition(" ")
        code = re.sub(f"^{match['indent']}", "", match["code"], flags=re.MULTILINE)
        if language == "text" and reason is None and found and found[-1].is_run:
            found[-1] = _printing(found[-1], code)
            continue
        title = re.search(r'title="([^"]+)"', rest)
        found.append(Block(language, code, line, title[1] if title else "", reason))
        reason = None
    return found


def _printing(block: Block, text: str) -> Block:
    return Block(block.language, block.code, block.line, prints=text)
