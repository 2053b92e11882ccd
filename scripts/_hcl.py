"""Writes Terraform's language, in the form that `terraform fmt` gives it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP: Final = "  "


class Expression(str):
    """Text of an expression, which is written as it is."""

    __slots__ = ()

    @classmethod
    def of(cls, value: Any) -> Expression:
        """Return the expression of a value."""
        return value if isinstance(value, cls) else cls(_value(value))


def quoted(text: str) -> str:
    """Return a text as a literal, without interpolation."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def block(
    head: str, body: Mapping[str, Any], inner: Sequence[tuple[str, Mapping[str, Any]]] = ()
) -> str:
    """Return a block, with blocks in it.

    Args:
        head: such as ``variable "name"``.
        body: its arguments.
        inner: heads and arguments of the blocks in it.
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
    """Return lines, where the signs of neighbours that fit in one line stand below each other."""
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
    """Return runs of arguments that are aligned: one with several lines ends a run."""
    groups: list[list[tuple[str, str]]] = [[]]
    for name, value in written:
        if "\n" in value:
            groups += [[(name, value)], []]
        else:
            groups[-1].append((name, value))
    return [group for group in groups if group]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"{_STEP}{line}" if line else line for line in lines]
