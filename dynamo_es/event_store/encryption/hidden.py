"""Refuses values that have encrypted fields although the type of their field does not say so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from dynamo_es.event_store.encryption.annotations import PLAIN, Holds, search
from dynamo_es.exceptions import EncryptedFieldError

if TYPE_CHECKING:
    from collections.abc import Callable

    IsMarked = Callable[[type[BaseModel]], bool]

_ATOMS: Final = frozenset({str, int, float, bool, bytes, type(None)})
_CONTAINERS: Final = frozenset({dict, list, tuple, set, frozenset})

_marked: Final[WeakKeyDictionary[type, bool]] = WeakKeyDictionary()
"""For each class that is not a model: whether it has encrypted fields."""


def refuse_marked(value: Any, label: tuple[str, str], is_marked: IsMarked) -> None:
    """Raise `EncryptedFieldError` if a value has encrypted fields, at any depth.

    Args:
        value: a value of any type.
        label: class and field of the value.
        is_marked: returns whether a model has encrypted fields.

    Raises:
        EncryptedFieldError: the value holds an object with encrypted fields, or an iterator.
    """
    if type(value) not in _ATOMS:
        _Walk(is_marked).visit(value, label)


def have_subclasses(classes: tuple[type, ...]) -> bool:
    """Return whether one of these classes has subclasses."""
    return any(one.__subclasses__() for one in classes)


class _Walk:
    """One walk through a value; visits each object once."""

    def __init__(self, is_marked: IsMarked) -> None:
        self._is_marked_model = is_marked
        self._visited: set[int] = set()

    def visit(self, value: Any, label: tuple[str, str]) -> None:
        kind = type(value)
        if kind in _ATOMS or id(value) in self._visited:
            return
        if isinstance(value, Enum):
            self.visit(value.value, label)
            return
        if isinstance(value, PLAIN):
            return
        self._visited.add(id(value))
        if kind not in _CONTAINERS and self._is_marked(kind):
            raise EncryptedFieldError(
                *label,
                f"it holds a {kind.__qualname__}, which has encrypted fields, but its type "
                "does not say so: they would be stored in clear. Name the class in the type.",
            )
        if isinstance(value, Iterator):
            raise EncryptedFieldError(
                *label,
                f"it holds a {kind.__qualname__}, which can be read only once and so "
                "cannot be checked for encrypted fields: give a list.",
            )
        for name, member in _members(value):
            self.visit(member, label if name is None else (kind.__qualname__, name))

    def _is_marked(self, kind: type) -> bool:
        if issubclass(kind, BaseModel):
            return self._is_marked_model(kind)
        marked = _marked.get(kind)
        if marked is None:
            marked = _marked[kind] = Holds.MARKS in search(kind)
        return marked


def _members(value: Any) -> Iterable[tuple[str | None, Any]]:
    """Return the members of a value, with the names of its fields if it has any."""
    if isinstance(value, BaseModel):
        return (*value.__dict__.items(), *(value.model_extra or {}).items())
    if isinstance(value, Mapping):
        return ((None, one) for entry in value.items() for one in entry)
    if isinstance(value, Collection):
        return ((None, one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return ((one.name, getattr(value, one.name, None)) for one in fields(value))
    return getattr(value, "__dict__", {}).items() if not isinstance(value, type) else ()
