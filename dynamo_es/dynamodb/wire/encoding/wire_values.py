"""Checks attribute values in DynamoDB's wire format: ``{"S": "text"}``, ``{"N": "12"}``."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

_DEPTH: Final = 32
"""The most nested levels of lists and maps that DynamoDB accepts."""
_DIGITS: Final = 38
_KINDS: Final = '{"S": "text"}, {"N": "12"} or another kind of value'


class NotWireError(ValueError):
    """A parameter that DynamoDB's API refuses. The message completes a sentence about it."""


def check_attributes(name: str, attributes: Any) -> None:
    """Raise `NotWireError` unless a parameter is a dict of attribute values by name.

    The message names the attribute and never quotes its value.

    Args:
        name: the parameter, such as ``Item``.
        attributes: the value of the parameter.
    """
    if not isinstance(attributes, dict) or not attributes:
        raise NotWireError(f"has {name} that is not a dict of attributes, or is empty.")
    for attribute, value in attributes.items():
        if not isinstance(attribute, str) or not attribute:
            raise NotWireError(f"has an attribute in {name} whose name is not text, or is empty.")
        _check_value(f"{name}[{attribute!r:.80}]", value, 0)


def _check_value(path: str, value: Any, depth: int) -> None:
    if depth > _DEPTH:
        raise NotWireError(f"has {path}, which is nested deeper than {_DEPTH} levels.")
    if not isinstance(value, dict) or len(value) != 1:
        raise NotWireError(f"has {path} that is not an attribute value: write {_KINDS}.")
    ((kind, content),) = value.items()
    if kind == "L":
        _check_list(path, content, depth + 1)
    elif kind == "M":
        _check_map(path, content, depth + 1)
    elif kind in {"SS", "NS", "BS"}:
        _check_set(path, kind, content)
    else:
        _check_scalar(path, kind, content)


def _check_list(path: str, content: Any, depth: int) -> None:
    if not isinstance(content, list | tuple):
        raise NotWireError(f"has {path} that is not a list of attribute values.")
    for index, entry in enumerate(content):
        _check_value(f"{path}[{index}]", entry, depth)


def _check_map(path: str, content: Any, depth: int) -> None:
    if not isinstance(content, dict):
        raise NotWireError(f"has {path} that is not a map of attribute values.")
    for key, entry in content.items():
        if not isinstance(key, str) or not key:
            raise NotWireError(f"has {path} with a key that is not text, or is empty.")
        _check_value(f"{path}[{key!r:.80}]", entry, depth)


def _check_set(path: str, kind: str, content: Any) -> None:
    if not isinstance(content, list | tuple | set | frozenset) or not content:
        raise NotWireError(f"has {path} that is not a set, or is empty.")
    for entry in content:
        _check_scalar(path, kind[0], entry)
    if len(set(map(bytes, content) if kind == "BS" else content)) < len(content):
        raise NotWireError(f"has {path}, a set with a repeated entry.")


def _check_scalar(path: str, kind: Any, content: Any) -> None:
    if kind == "S":
        sound = isinstance(content, str) and _is_unicode(content)
    elif kind == "N":
        sound = isinstance(content, str) and _is_number(content)
    elif kind == "B":
        sound = isinstance(content, bytes | bytearray | memoryview)
    elif kind == "BOOL":
        sound = isinstance(content, bool)
    elif kind == "NULL":
        sound = content is True
    else:
        raise NotWireError(f"has {path} of the kind {kind!r:.20}: write {_KINDS}.")
    if not sound:
        hint = ": write the number as text" if kind == "N" else ""
        raise NotWireError(f"has {path} whose value is not of the kind {kind}{hint}.")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    digits = number.as_tuple().digits
    return number.is_finite() and len(digits) <= _DIGITS
