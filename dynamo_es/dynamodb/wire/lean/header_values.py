"""Tells which values of headers a signature covers as they are."""

from __future__ import annotations


def has_blanks(value: str) -> bool:
    """Whether a header's value holds blanks: a signature covers one in the place of several."""
    return " " in value or not value.isprintable()
