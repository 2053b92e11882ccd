"""Escapes text that a page or a form would change, such as control characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

EXACT: Final = "*"
"""Suffix of the name of a form field that holds a text percent-encoded.

A browser changes NUL, tabs and line ends in the value of a plain field. So a form that shows such a
text in the field ``name`` also has it in the hidden field ``name*``.
"""


def visible(text: object) -> str:
    """Return text with control characters and lone surrogates written as escapes."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in shown)


def on_one_line(text: object) -> str:
    """Return text for the value of a form field: like `visible`, with line ends as escapes too."""
    return visible(text).replace("\n", "\\n")


def is_changed_by_forms(text: str) -> bool:
    """Return whether a browser would change a text, so that a form needs an encoded field too."""
    return on_one_line(text) != text


def encoded(text: str) -> str:
    """Return a text for an encoded field."""
    return quote(text, safe="", errors="replace")


def value_of(fields: Mapping[str, str], name: str) -> str | None:
    """Return the value of a field; its encoded field wins if the user did not edit the text."""
    value = fields.get(name)
    exact = fields.get(f"{name}{EXACT}")
    if exact is not None:
        text = unquote(exact, errors="replace")
        if value is None or value == on_one_line(text):
            return text
    return value


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
