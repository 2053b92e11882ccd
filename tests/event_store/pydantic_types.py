"""Draws types from all of pydantic, with values and configurations."""

# Types are made of types that are drawn.
# mypy: disable-error-code="valid-type"

from __future__ import annotations

import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import make_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AnyUrl,
    Base64Bytes,
    BaseModel,
    ByteSize,
    Field,
    Json,
    PlainSerializer,
    PrivateAttr,
    RootModel,
    SecretBytes,
    SecretStr,
    SerializeAsAny,
    create_model,
)

Drawn: TypeAlias = tuple[Any, st.SearchStrategy[Any]]
"""A type, and the values that are given to it."""


class Suit(Enum):
    HEARTS = "h"
    SPADES = 2


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Mood(StrEnum):
    GOOD = "1"
    BAD = "2024-01-01"


class Pair(NamedTuple):
    left: int
    right: str


class Base(BaseModel):
    base: int = 0


class Sub(Base):
    sub: str = "s"


class Secretive(BaseModel):
    seen: int = 0
    hidden: int = Field(default=0, exclude=True)
    cents: int = Field(default=0, validation_alias=AliasChoices("cents_in", "amount"))
    _private: int = PrivateAttr(default=0)


class Spread(BaseModel, extra="allow"):
    known: int = 0


_texts = st.one_of(
    st.text(max_size=5), st.sampled_from(["1", "1.0", "true", "null", "NaN", "2024-01-01", "P1D"])
)
_integers = st.one_of(st.integers(-3, 3), st.integers(-(2**70), 2**70))
_zones = st.one_of(
    st.none(),
    st.timezones(),
    st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone),
    st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours))),
)
_atoms = st.one_of(st.none(), st.booleans(), _integers, st.floats(), _texts)


def _private(count: int) -> Secretive:
    made = Secretive()
    made._private = count
    return made


_json = st.recursive(
    _atoms, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2)
)
_datetimes = st.datetimes(timezones=_zones, allow_imaginary=True) | st.builds(
    lambda value, fold: value.replace(fold=fold), st.datetimes(), st.integers(0, 1)
)
_anything = st.one_of(
    _json,
    st.binary(max_size=3),
    st.decimals(),
    _datetimes,
    st.dates(),
    st.tuples(_atoms),
    st.sets(_integers, max_size=2),
    st.sampled_from([*Suit, *Size, *Mood, Base(base=1), Sub(sub="x"), Pair(1, "a")]),
    st.dictionaries(_atoms, _atoms, max_size=2),
    st.uuids(),
    st.just(SecretStr("hunter2")),
    st.builds(iter, st.lists(_integers, max_size=2)),
    st.complex_numbers(),
    st.builds(deque, st.lists(_atoms, max_size=2)),
)

LEAVES: list[Drawn] = [
    (str, _texts),
    (int, _integers),
    (float, st.floats()),
    (bool, st.booleans()),
    (Decimal, st.decimals()),
    (complex, st.complex_numbers()),
    (bytes, st.binary(max_size=4)),
    (date, st.dates()),
    (time, st.times(timezones=_zones)),
    (datetime, _datetimes),
    (timedelta, st.timedeltas()),
    (UUID, st.uuids()),
    (Suit, st.sampled_from(Suit)),
    (Size, st.sampled_from(Size)),
    (Mood, st.sampled_from(Mood)),
    (Literal["a", 1, True, Mood.GOOD], st.sampled_from(["a", 1, True, Mood.GOOD])),
    (PurePosixPath, _texts.map(lambda text: PurePosixPath(text.replace("\0", "")))),
    (IPv4Address | IPv6Address, st.ip_addresses()),
    (IPv6Network, st.just(IPv6Network("2001:db8::/32"))),
    (re.Pattern, st.sampled_from([re.compile("a"), re.compile("a", re.IGNORECASE)])),
    (AnyUrl, st.sampled_from([AnyUrl("https://a.example/ä?b=1"), AnyUrl("x://y")])),
    (ByteSize, st.integers(0, 10**20)),
    (Base64Bytes, st.sampled_from([b"YQ==", b"YWE="])),
    (Json[list[int]], st.sampled_from(["[1]", "[]"])),
    (SecretStr, _texts.map(SecretStr)),
    (SecretBytes, st.binary(max_size=3).map(SecretBytes)),
    (Pair, st.builds(Pair, _integers, _texts)),
    (Base, st.builds(Base, base=_integers) | st.builds(Sub, base=_integers, sub=_texts)),
    (Sub | Base, st.builds(Base, base=_integers) | st.builds(Sub, base=_integers, sub=_texts)),
    (SerializeAsAny[Base], st.builds(Sub, base=_integers, sub=_texts)),
    (
        Secretive,
        st.builds(Secretive, seen=_integers, hidden=st.integers(0, 1), amount=st.integers(0, 1))
        | st.builds(_private, st.integers(0, 1)),
    ),
    (
        Spread,
        st.dictionaries(st.sampled_from(["a", "known"]), _integers).map(Spread.model_validate),
    ),
    (Annotated[float, PlainSerializer(lambda value: round(value, 1))], st.floats(0, 1)),
    (Annotated[bytes, PlainSerializer(lambda value: value.hex())], st.binary(max_size=2)),
    (Any, _anything),
    (object, _anything),
]

CONFIGURATIONS = st.fixed_dictionaries(
    {},
    optional={
        "ser_json_bytes": st.sampled_from(["utf8", "base64", "hex"]),
        "val_json_bytes": st.sampled_from(["utf8", "base64", "hex"]),
        "ser_json_timedelta": st.sampled_from(["iso8601", "float"]),
        "ser_json_inf_nan": st.sampled_from(["null", "constants", "strings"]),
        "use_enum_values": st.booleans(),
        "strict": st.booleans(),
        "coerce_numbers_to_str": st.booleans(),
        "revalidate_instances": st.sampled_from(["never", "always", "subclass-instances"]),
    },
)


def _hashable(drawn: Drawn) -> bool:
    kind, _ = drawn
    return kind in {str, int, float, bool, bytes, date, datetime, time, UUID, Suit, Size}


def _wrapped(inner: Drawn, other: Drawn) -> st.SearchStrategy[Drawn]:
    kind, values = inner
    rest, others = other
    lists = st.lists(values, max_size=3)
    record = make_dataclass("Record", [("member", kind)])
    model = create_model("Model", member=(kind, Field(alias="Member")))
    root: Any = RootModel[kind]
    found: list[Drawn] = [
        (kind | None, values | st.none()) if not isinstance(kind, str) else inner,
        (list[kind], lists),
        (tuple[kind, ...], lists.map(tuple)),
        (tuple[kind, rest], st.tuples(values, others)),
        (Sequence[kind], lists | lists.map(tuple) | lists.map(deque)),
        (deque[kind], lists.map(lambda items: deque(items, maxlen=5)) | lists.map(deque)),
        (dict[str, kind], st.dictionaries(_texts, values, max_size=2)),
        (Mapping[str, kind], st.dictionaries(_texts, values, max_size=2).map(OrderedDict)),
        (OrderedDict[str, kind], st.dictionaries(_texts, values, max_size=2).map(OrderedDict)),
        (
            defaultdict[str, list[kind]],
            lists.map(lambda items: defaultdict(list, {"a": items})),
        ),
        (kind | rest, values | others),
        (record, values.map(record)),
        (model, values.map(lambda value: model.model_construct(member=value))),
        (root, values.map(lambda value: root.model_construct(root=value))),
    ]
    if _hashable(inner):
        found += [
            (set[kind], st.sets(values, max_size=3)),
            (frozenset[kind], st.frozensets(values, max_size=3)),
            (dict[kind, int], st.dictionaries(values, _integers, max_size=3)),
            (Counter[kind], lists.map(Counter)),
        ]
    return st.sampled_from(found)


_leaves = st.sampled_from(LEAVES)
TYPES: st.SearchStrategy[Drawn] = st.recursive(
    _leaves,
    lambda inner: st.tuples(inner, _leaves).flatmap(lambda pair: _wrapped(*pair)),
    max_leaves=3,
)
