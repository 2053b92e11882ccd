"""Checks that payloads are JSON and load as equal values of the same types."""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

from dynamo_es.portable import reduce_error
from dynamo_es.wording import shown

MAX_INTEGER_BITS: Final = 14_000
"""Longest integer: Python parses at most 4,300 digits (``sys.get_int_max_str_digits``)."""

MAX_DEPTH: Final = 190
"""Most levels of lists and objects. The parser takes 200, and a commit adds some."""

_PLAIN_INTEGER: Final = 1 << 62


class NotJsonError(ValueError):
    """A value that JSON cannot hold, or that would load as another value.

    Attributes:
        reason: what is wrong, and what to do.
        path: keys and indexes that lead to the value, innermost first.
    """

    __reduce__ = reduce_error

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str | int] = []

    def describe(self, root: str) -> str:
        """Return the message for the caller: the path from ``root``, and the reason."""
        return f"{root}{''.join(f'[{step!r}]' for step in reversed(self.path))} {self.reason}"


def check_json(value: Any, depth: int = 0) -> None:
    """Raise `NotJsonError` unless a value consists of JSON's own types, without subclasses.

    A subclass (an enum, a NumPy float), a tuple, or a key that is not text could be stored, but
    would load as another type.
    """
    kind = type(value)
    if kind is str:
        if not value.isascii():
            check_text(value)
    elif kind is int:
        if value.bit_length() > MAX_INTEGER_BITS:
            raise NotJsonError("is an integer of more than 4,000 digits: store it as text.")
    elif kind is dict:
        _check_depth(depth)
        for key, entry in value.items():
            if type(key) is not str:
                raise NotJsonError(f"has the key {shown(key)}, but JSON keys are text: convert it.")
            # Most entries are plain. Checking them here saves a call for each.
            entry_kind = type(entry)
            if key.isascii() and (
                (entry_kind is str and entry.isascii())
                or (entry_kind is int and -_PLAIN_INTEGER < entry < _PLAIN_INTEGER)
                or entry is None
            ):
                continue
            try:
                if not key.isascii():
                    check_text(key)
                check_json(entry, depth + 1)
            except NotJsonError as error:
                error.path.append(key)
                raise
    elif kind is list:
        _check_depth(depth)
        for index, entry in enumerate(value):
            try:
                check_json(entry, depth + 1)
            except NotJsonError as error:
                error.path.append(index)
                raise
    elif kind is float:
        if not isfinite(value):
            raise NotJsonError(f"is {value!r}, which JSON does not have: store None or text.")
    elif value is not None and kind is not bool:
        raise NotJsonError(
            f"is of type {kind.__name__}, which is not JSON: "
            "convert it to a dict, list, str, int, float, bool or None."
        )


def check_text(text: str) -> None:
    """Raise `NotJsonError` if a text holds a lone surrogate, which no encoding can carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotJsonError("holds a lone surrogate, which is not Unicode: replace it.") from None


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise NotJsonError(f"is nested deeper than {MAX_DEPTH} levels: flatten it.")
