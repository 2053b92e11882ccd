"""Compares an event with the one that would be loaded: values and types, at every depth."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from math import copysign, isnan
from types import NoneType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SECRETS: Final = (SecretStr, SecretBytes, Secret)
"""Types whose values pydantic writes to JSON as asterisks."""

_PLAIN: Final[frozenset[type]] = frozenset({str, int, bool, NoneType, bytes, date, timedelta, UUID})
"""Types for which ``==`` is enough: equal values do not differ in any other way."""

_MISSING: Final = object()
_CHANGED: Final = (
    "would load with another value: its serializer, validators, aliases or configuration change it."
)
_ZONE: Final = (
    "has a time zone whose offset changes, but JSON holds only the offset: convert it with "
    ".astimezone(UTC), and keep the zone's name in a field of its own."
)
_OFFSET: Final = (
    "would load with another offset or fold: JSON holds offsets of whole minutes. Convert it with "
    ".astimezone(UTC)."
)
_ASTERISKS: Final = (
    "is a secret, which JSON holds as asterisks: mark the field Encrypted(mask_value=…), which "
    "stores the secret itself encrypted."
)
_NOT_FINITE: Final = (
    "is not a finite number, and would load as None: set "
    'model_config = ConfigDict(ser_json_inf_nan="strings"), or store None or text.'
)
_PRIVATE: Final = (
    "is a private attribute and is not stored, so it would load with another value: make it a "
    "field, or leave it out."
)
_ONE_SHOT: Final = (
    "can be iterated only once, and is empty when the append is tried again: make the event with a "
    "list or a tuple."
)
_IDENTITY: Final = "is of a class without __eq__, so no loaded value equals it: define __eq__."


@dataclass(slots=True)
class Difference:
    """A part of an event that would load with another value or type.

    Attributes:
        reason: the problem and what to do, without any value.
        steps: path to the part, innermost step first: field names and indexes, but no keys of
            dicts, which are values.
    """

    reason: str
    steps: list[str] = field(default_factory=list)

    def below(self, step: str) -> Difference:
        """Return this difference with one more outer step of the path."""
        self.steps.append(step)
        return self

    def __str__(self) -> str:
        path = "".join(reversed(self.steps)).lstrip(".")
        return f"{path or 'the event'} {self.reason}"


def find_difference(given: BaseModel, loaded: BaseModel) -> Difference | None:
    """Return the first difference between two models; None if they are the same.

    It is stricter than ``==``, because it compares types too: 1, 1.0 and True differ, and so do a
    list and a tuple, a model and its base class, 0.0 and -0.0. Two nan are the same. Time zones are
    the same if their offsets are.

    Args:
        given: the event to be stored.
        loaded: the event that would be loaded instead.
    """
    if type(given) is not type(loaded):
        return _other_type(given, loaded)
    own, others = given.__dict__, loaded.__dict__
    for name, value in own.items():
        other = others.get(name, _MISSING)
        kind = type(value)
        # Most fields are plain. Comparing them here saves a call for each.
        if kind is type(other) and kind in _PLAIN and value == other:
            continue
        if found := _compare_field(type(given), name, value, other):
            return found.below(f".{name}")
    if own.keys() != others.keys():
        for name in type(given).model_fields:
            if name not in own:
                return Difference("is not set: give it a value.").below(f".{name}")
    if (
        given.__pydantic_extra__
        or given.__pydantic_private__
        or loaded.__pydantic_extra__
        or loaded.__pydantic_private__
    ):
        return _compare_unnamed(given, loaded)
    return None


def has_changing_offset(moment: datetime | time) -> bool:
    """Return whether a time zone's offset changes; only an offset is stored."""
    zone = getattr(moment, "tzinfo", None)
    return zone is not None and zone is not UTC and zone.utcoffset(None) is None


def _compare_field(model: type[BaseModel], name: str, value: Any, other: Any) -> Difference | None:
    info = model.model_fields.get(name)
    if info is None:  # a cached property
        return None
    found = _compare(value, other)
    if found is not None and (info.exclude or getattr(info, "exclude_if", None) is not None):
        return Difference("is excluded from the stored data: remove exclude, or leave its default.")
    return found


def _compare_unnamed(given: BaseModel, loaded: BaseModel) -> Difference | None:
    if found := _compare_names(given.__pydantic_extra__ or {}, loaded.__pydantic_extra__ or {}):
        return found
    found = _compare_names(given.__pydantic_private__ or {}, loaded.__pydantic_private__ or {})
    if found is not None:
        found.reason = _PRIVATE
    return found


def _compare_names(given: Mapping[str, Any], loaded: Mapping[str, Any]) -> Difference | None:
    for name in {**given, **loaded}:
        value, other = given.get(name, _MISSING), loaded.get(name, _MISSING)
        if found := _compare(value, other):
            return found.below(f".{name}")
    return None


def _compare(given: Any, loaded: Any) -> Difference | None:
    if given is loaded:
        return None
    kind = type(given)
    if kind is not type(loaded):
        return _other_type(given, loaded)
    compare = _BY_TYPE.get(kind)
    if compare is not None:
        return compare(given, loaded)
    for base, compare in _BY_BASE:
        if isinstance(given, base):
            return compare(given, loaded) or _compare_attributes(given, loaded)
    return (_compare_dataclasses if is_dataclass(given) else _compare_others)(given, loaded)


def _other_type(given: Any, loaded: Any) -> Difference:
    if loaded is _MISSING:
        return Difference("would be missing after loading: it is not stored.")
    if given is _MISSING:
        return Difference("would be added by loading.")
    if isinstance(given, SECRETS):
        return Difference(_ASTERISKS)
    if isinstance(given, Iterator):
        return Difference(_ONE_SHOT)
    if type(given) is float and loaded is None:
        return Difference(_NOT_FINITE)
    kind, other = type(given).__qualname__, type(loaded).__qualname__
    if isinstance(given, BaseModel) and isinstance(given, type(loaded)):
        advice = f"Name {kind} in the type of the field, in a union with a discriminator."
    else:
        advice = f"Declare the field as {kind}, or convert the value."
    return Difference(f"is of type {kind}, and would load as {other}. {advice}")


def _compare_floats(given: float, loaded: float) -> Difference | None:
    same = copysign(1, given) == copysign(1, loaded) if given == loaded else False
    return None if same or (isnan(given) and isnan(loaded)) else Difference(_CHANGED)


def _compare_texts_of(given: Any, loaded: Any) -> Difference | None:
    return None if repr(given) == repr(loaded) else Difference(_CHANGED)


def _compare_times(given: datetime | time, loaded: datetime | time) -> Difference | None:
    zone = given.tzinfo
    if has_changing_offset(given):
        return Difference(_ZONE)
    same = (
        given == loaded
        and given.utcoffset() == loaded.utcoffset()
        and (zone is not None or given.fold == loaded.fold)
    )
    return None if same else Difference(_OFFSET if zone or given.fold else _CHANGED)


def _compare_secrets(given: Any, loaded: Any) -> Difference | None:
    found = _compare(given.get_secret_value(), loaded.get_secret_value())
    return None if found is None else Difference(_ASTERISKS)


def _compare_sequences(given: Sequence[Any], loaded: Sequence[Any]) -> Difference | None:
    if len(given) != len(loaded):
        return Difference(_CHANGED)
    for index, (one, other) in enumerate(zip(given, loaded, strict=True)):
        if found := _compare(one, other):
            return found.below(f"[{index}]")
    if isinstance(given, deque) and given.maxlen != loaded.maxlen:  # type: ignore[attr-defined]
        return Difference(_CHANGED)
    return None


def _compare_sets(given: AbstractSet[Any], loaded: AbstractSet[Any]) -> Difference | None:
    if len(given) != len(loaded):
        return Difference(_CHANGED)
    twins = {one: one for one in loaded}
    return _compare_twins(given, twins)


def _compare_twins(given: Iterable[Any], twins: Mapping[Any, Any]) -> Difference | None:
    for one in given:
        if one not in twins:
            return Difference(_CHANGED).below("[…]")
        if found := _compare(one, twins[one]):
            return found.below("[…]")
    return None


def _compare_mappings(given: Mapping[Any, Any], loaded: Mapping[Any, Any]) -> Difference | None:
    if len(given) != len(loaded):
        return Difference("has keys that are the same in JSON: give each its own text.")
    if any(type(key) is not str for key in given) and (
        found := _compare_twins(given, {key: key for key in loaded})
    ):
        return found
    for key, value in given.items():
        found = _compare(value, loaded[key]) if key in loaded else Difference(_CHANGED)
        if found is not None:
            return found.below("[…]")
    return _compare_order_and_factory(given, loaded)


def _compare_order_and_factory(given: Any, loaded: Any) -> Difference | None:
    if isinstance(given, OrderedDict) and list(given) != list(loaded):
        return Difference(_CHANGED)
    if isinstance(given, defaultdict):
        return _compare_others(given.default_factory, loaded.default_factory)
    return None


def _compare_dataclasses(given: Any, loaded: Any) -> Difference | None:
    for one in fields(given):
        value, other = getattr(given, one.name, _MISSING), getattr(loaded, one.name, _MISSING)
        if found := _compare(value, other):
            return found.below(f".{one.name}")
    found = _compare_attributes(given, loaded)
    return Difference(_IDENTITY) if found is None and _is_identical_only(given) else found


def _compare_attributes(given: Any, loaded: Any) -> Difference | None:
    """Compare the attributes of objects whose class is not a model."""
    own, others = (getattr(one, "__dict__", {}) for one in (given, loaded))
    if isinstance(given, BaseModel) or not (own or others):
        return None
    for name in {**own, **others}:
        derived = isinstance(getattr(type(given), name, None), cached_property)
        if not (derived or name == "__orig_class__") and (
            found := _compare(own.get(name, _MISSING), others.get(name, _MISSING))
        ):
            return found.below(f".{name}")
    return None


def _compare_others(given: Any, loaded: Any) -> Difference | None:
    if given is not loaded and _is_identical_only(given):
        return Difference(_IDENTITY)
    try:
        same = bool(given == loaded)
    except Exception:  # noqa: BLE001 - values that cannot be compared may differ
        same = False
    return None if same else Difference(_CHANGED)


def _is_identical_only(given: Any) -> bool:
    own: Any = type(given).__eq__
    return own is object.__eq__


_BY_TYPE: Final[dict[type, Callable[[Any, Any], Difference | None]]] = {
    **dict.fromkeys(_PLAIN, _compare_others),
    list: _compare_sequences,
    tuple: _compare_sequences,
    dict: _compare_mappings,
    set: _compare_sets,
    frozenset: _compare_sets,
    float: _compare_floats,
    complex: _compare_texts_of,
    Decimal: _compare_texts_of,
    datetime: _compare_times,
    time: _compare_times,
}

_BY_BASE: Final[tuple[tuple[Any, Callable[[Any, Any], Difference | None]], ...]] = (
    (BaseModel, find_difference),
    (SECRETS, _compare_secrets),
    ((str, bytes), _compare_others),
    (float, _compare_floats),
    ((complex, Decimal), _compare_texts_of),
    ((datetime, time), _compare_times),
    (Mapping, _compare_mappings),
    (AbstractSet, _compare_sets),
    ((Sequence, deque), _compare_sequences),
)
