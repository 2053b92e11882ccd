"""Writes Terraform's language, formatted as `terraform fmt` would do it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP: Final = "  "


class Expression(str):
    """Source text of an expression, which is written without quotes."""

    __slots__ = ()

    @classmethod
    def of(cls, value: Any) -> Expression:
        """Return the expression for a value."""
        return value if isinstance(value, cls) else cls(_value(value))


def quoted(text: str) -> str:
    """Return a text as a string literal in which nothing is interpolated."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def block(
    head: str, body: Mapping[str, Any], inner: Sequence[tuple[str, Mapping[str, Any]]] = ()
) -> str:
    """Return the source of a block, with nested blocks.

    Args:
        head: its first line without the brace, such as ``variable "name"``.
        body: its arguments, by name.
        inner: head and arguments of each nested block.
    """
    lines = _indented(_arguments(body))
    for name, arguments in inner:
        lines += ["", *_indented(block(name, arguments).splitlines())]
    return "\n".join([f"{head} {{", *lines, "}", ""])


def _value(value: Any) -> str:  # noqa: PLR0911 - one for each kind of value
    if isinstance(value, Expression):
        return value
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        if not value:
            return "{}"
        return "\n".join(["{", *_indented(_arguments(value)), "}"])
    if isinstance(value, list):
        if not value:
            return "[]"
        entries = [_value(entry) for entry in value]
        if all("\n" not in entry for entry in entries):
            return f"[{', '.join(entries)}]"
        lines = "\n".join(f"{entry}," for entry in entries).splitlines()
        return "\n".join(["[", *_indented(lines), "]"])
    return json.dumps(value)


def _arguments(body: Mapping[str, Any]) -> list[str]:
    """Return lines, with aligned equals signs in each run of one-line arguments."""
    written = [
        (name if _NAME.fullmatch(name) else quoted(name), _value(value))
        for name, value in body.items()
    ]
    lines: list[str] = []
    for group in _groups(written):
        width = max(len(name) for name, _ in group)
        for name, value in group:
            lines += f"{name:<{width}} = {value}".splitlines()
    return lines


def _groups(written: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Return the runs of arguments to align: an argument of several lines ends a run."""
    groups: list[list[tuple[str, str]]] = [[]]
    for name, value in written:
        if "\n" in value:
            groups += [[(name, value)], []]
        else:
            groups[-1].append((name, value))
    return [group for group in groups if group]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"{_STEP}{line}" if line else line for line in lines]
