"""Finds header values that a signature would change before it signs them."""

from __future__ import annotations


def has_blanks(value: str) -> bool:
    """Return whether a header's value has spaces that a signature would trim or collapse."""
    return " " in value or not value.isprintable()
