"""Generates the parts of the site's pages that describe the program itself.

Each part replaces a comment such as ``<!-- generated: command line -->`` of a page.
"""

from __future__ import annotations

import inspect
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PLACE = re.compile(r"^<!-- generated: (.+) -->$", re.MULTILINE)
_PICTURE = re.compile(r"^!\[([^\]]+)\]\((pictures/[\w-]+\.svg)\)$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Return a page with each such comment replaced by its part; mkdocs calls this hook."""
    markdown = _PLACE.sub(lambda found: PARTS[found[1]](), markdown)
    folder = Path(page.file.abs_src_path).parent

    def inline(found: re.Match[str]) -> str:
        picture = folder / found[2]
        if not picture.exists():
            from mkdocs.exceptions import PluginError

            raise PluginError(f"{page.file.src_uri} shows {found[2]}, but there is no such file.")
        return _inline(picture, found[1])

    return _PICTURE.sub(inline, markdown)


def _inline(picture: Path, alternative: str) -> str:
    """Return a picture as inline SVG, so that it follows the page's colours."""
    svg = " ".join(picture.read_text(encoding="utf-8").split())
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alternative)}" ', 1)


def command_line() -> str:
    """Return the reference of the command ``dynamo-es``, with a section for each command."""
    import typer

    from dynamo_es.cli.application import application

    program = typer.main.get_command(application)
    top = typer.Context(program, info_name="dynamo-es")
    parts = [_described(program, top), *_options(program, top)]
    for command, context in _commands(program, top):
        parts += [f"## {context.command_path}", *_usage(command, context)]
        parts += [_described(command, context), *_options(command, context)]
    return "\n\n".join(parts)


def _commands(group: Any, context: Any) -> Iterator[tuple[Any, Any]]:
    for name, command in group.commands.items():
        below = type(context)(command, info_name=name, parent=context)
        if hasattr(command, "commands"):
            yield from _commands(command, below)
        else:
            yield command, below


def _usage(command: Any, context: Any) -> list[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    return [f"```text\n{context.command_path} {pieces}\n```"]


def _described(command: Any, _: Any) -> str:
    return inspect.cleandoc(command.help or "")


def _options(command: Any, context: Any) -> list[str]:
    rows = [
        f"| `{_cell(names)}` | {_cell(text)} |"
        for names, text in filter(None, (one.get_help_record(context) for one in command.params))
    ]
    return ["\n".join(["| option | meaning |", "|---|---|", *rows])] if rows else []


def _cell(text: str) -> str:
    """Return text escaped for a table's cell; ``[default: 4]`` must not become a link."""
    return " ".join(text.split()).replace("|", "\\|").replace("[", "\\[")


def tree_of_errors() -> str:
    """Return the tree of errors from the docstring of their module."""
    from dynamo_es import exceptions

    block = inspect.getdoc(exceptions).split("::\n\n", 1)[1]
    lines = [line for line in block.split("\n\n")[0].splitlines() if line]
    return "\n".join(["```text", *(line.removeprefix("    ") for line in lines), "```"])


PARTS: dict[str, Callable[[], str]] = {
    "command line": command_line,
    "tree of errors": tree_of_errors,
}
