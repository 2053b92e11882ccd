"""Events come back equal, types included, or are refused before anything is sent."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID, uuid1, uuid4
from zoneinfo import ZoneInfo

import pytest
from pydantic import (
    AliasChoices,
    AnyUrl,
    BaseModel,
    ByteSize,
    Field,
    Json,
    PlainSerializer,
    PrivateAttr,
    RootModel,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from dynamo_es import (
    Aggregate,
    Context,
    Event,
    MemoryBackend,
    Repository,
    StreamId,
    WrappedEvent,
)
from dynamo_es.exceptions import EventDefinitionError, InvalidEventError
from tests.event_store.shapes import account_of, event_of

NAN = float("nan")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def store():
    """Typed events in memory: what is proved before a storage is asked is the same on all."""
    return MemoryBackend().event_store


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Rights(IntFlag):
    READ = 1
    WRITE = 2


class Animal(BaseModel):
    name: str


class Dog(Animal):
    tricks: int


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Fish(BaseModel):
    kind: Literal["fish"] = "fish"
    fins: int


class Tree(BaseModel):
    leaf: int = 0
    under: list[Tree] = []


class Numbers(RootModel[list[int]]):
    pass


class Open(BaseModel, extra="allow"):
    known: int = 0


class OneWay(BaseModel):
    cents: int = Field(default=0, validation_alias=AliasChoices("amount", "cents_in"))


class OneWayOut(BaseModel):
    cents: int = Field(0, serialization_alias="out")


class BothWays(BaseModel):
    cents: int = Field(0, alias="Cents")


class Hidden(BaseModel):
    seen: int = 1
    hidden: int = Field(default=1, exclude=True)


class Remembering(BaseModel):
    seen: int = 1
    _count: int = PrivateAttr(default=0)


class Computing(BaseModel):
    seen: int = 1

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.seen


class Rounding(BaseModel):
    price: float

    @field_serializer("price")
    def rounded(self, value: float) -> float:
        return round(value, 1)


class Growing(BaseModel):
    size: int

    @field_validator("size")
    @classmethod
    def grown(cls, value: int) -> int:
        return value + 1


class Failing(BaseModel):
    size: str

    @field_validator("size")
    @classmethod
    def looked_up(cls, value: str) -> str:
        return {"big": "large", "large": "large"}[value]


@dataclass
class Point:
    x: int
    note: Any = None


@dataclass(eq=False)
class Identical:
    x: int


@pydantic_dataclass
class Checked:
    x: int


class Pair(NamedTuple):
    left: int
    right: str = ""


class Movie(TypedDict, total=False):
    title: str
    year: int


def remembering(count):
    made = Remembering()
    made._count = count
    return made


def at(hour, tzinfo=None, **rest):
    return datetime(2024, 10, 27, hour, 30, tzinfo=tzinfo, **rest)


STRINGS = {"ser_json_inf_nan": "strings"}

FAITHFUL = {
    "text": (str, "ä\x00\U0001f600"),
    "empty text": (str, ""),
    "integer": (int, -(10**30)),
    "true": (bool, True),
    "float": (float, 0.1 + 0.2),
    "minus zero": (float, -0.0),
    "tiny float": (float, 5e-324),
    "none": (int | None, None),
    "decimal with its zeros": (Decimal, Decimal("1.2300")),
    "infinite float as text": (float, float("-inf"), STRINGS),
    "nan as text": (list[float | None], [NAN, None], STRINGS),
    "complex": (complex, 1 - 2.5j),
    "bytes": (bytes, b"\x00\xff", {"ser_json_bytes": "base64", "val_json_bytes": "base64"}),
    "bytes that are text": (bytes, "ä".encode()),
    "date": (date, date(1, 1, 1)),
    "time": (time, time(1, 2, 3, 4)),
    "time of an offset": (time, time(1, 2, tzinfo=timezone(timedelta(hours=2)))),
    "naive datetime": (datetime, at(2, microsecond=1)),
    "UTC": (datetime, at(2, UTC)),
    "fixed offset": (datetime, at(2, timezone(timedelta(hours=-3, minutes=-30)))),
    "zone that never changes": (datetime, at(2, ZoneInfo("UTC"))),
    "timedelta": (timedelta, timedelta(days=-1, microseconds=1)),
    "timedelta in days": (timedelta, timedelta(days=999, seconds=5, microseconds=7)),
    "uuid": (UUID, UUID(int=7)),
    "uuid of time": (UUID, uuid1()),
    "enum": (Colour, Colour.RED),
    "enums": (list[Level | Word], [Level.LOW, Word.YES]),
    "flags": (Rights, Rights.READ | Rights.WRITE),
    "literal": (Literal["a", 1], "a"),
    "list": (list[int], [1, 2]),
    "tuple": (tuple[int, ...], (1, 2)),
    "mixed tuple": (tuple[int, str, date], (1, "a", date(2024, 1, 1))),
    "set": (set[date], {date(2024, 1, 1), date(2024, 1, 2)}),
    "frozen set": (frozenset[int], frozenset({1, 2})),
    "deque": (deque[int], deque([1, 2])),
    "counter": (Counter[str], Counter("aab")),
    "dict of dates": (dict[date, UUID], {date(2024, 1, 1): UUID(int=1)}),
    "ordered dict": (OrderedDict[str, int], OrderedDict(b=1, a=2)),
    "default dict": (defaultdict[str, list[int]], {"a": [1]}),
    "mapping": (Mapping[str, int], {"a": 1}),
    "sequence": (Sequence[int], [1]),
    "model": (Animal, Animal(name="Rex")),
    "tree": (Tree, Tree(leaf=1, under=[Tree(leaf=2)])),
    "root model": (Numbers, Numbers([1, 2])),
    "tagged union": (
        Annotated[Cat | Fish, Field(discriminator="kind")],
        Fish(fins=2),
    ),
    "smart union of models": (Dog | Animal, Dog(name="Rex", tricks=1)),
    "smart union": (int | float | str, "1"),
    "extras": (Open, Open.model_validate({"more": [1, {"a": None}]})),
    "alias": (BothWays, BothWays(Cents=700)),
    "excluded default": (Hidden, Hidden()),
    "private default": (Remembering, Remembering()),
    "computed": (Computing, Computing(seen=2)),
    "dataclass": (Point, Point(1, "n")),
    "pydantic's dataclass": (Checked, Checked(x=1)),
    "named tuple": (Pair, Pair(1, "b")),
    "typed dict": (Movie, {"title": "t"}),
    "path": (Path, Path("/tmp/x")),  # noqa: S108 - never opened
    "address": (IPv4Address | IPv6Network, IPv6Network("2001:db8::/32")),
    "pattern": (re.Pattern, re.compile("a+")),
    "url": (AnyUrl, AnyUrl("https://example.org/x?y=1")),
    "byte size": (ByteSize, ByteSize(7)),
    "json": (Json[list[int]], "[1, 2]"),
    "anything that is JSON": (Any, {"a": [1, 1.5, "x", None, True, {"b": []}]}),
    "object": (object, ["x"]),
    "stars": (SecretStr, SecretStr("**********")),
}


@pytest.mark.parametrize("case", FAITHFUL.values(), ids=FAITHFUL)
def test_it_comes_back_equal_and_of_its_type(store, stream, case):
    kind, value, *config = case
    event = event_of(kind, value, **(config[0] if config else {}))

    store.append(event, stream_id=stream)

    (loaded,) = store.load_stream(stream)
    assert account_of(loaded.event) == account_of(event)


UNFAITHFUL = {
    "nan": (float | None, NAN, "x is not a finite number, and would load as None: set .*strings"),
    "infinity in a list": (list[float | None], [1.0, float("inf")], r"x\[1\] is not a finite"),
    "nan in anything": (dict[str, Any], {"secret key": [NAN]}, r"x\[…\]\[0\] is not a finite"),
    "secret": (SecretStr, SecretStr("hunter2"), "x is a secret, .* mark the field Encrypted"),
    "secrets": (list[SecretStr], [SecretStr("hunter2")], r"x\[0\] is a secret"),
    "secret bytes": (SecretBytes | None, SecretBytes(b"hunter2"), "x is a secret"),
    "secret anywhere": (Any, {"a": SecretStr("hunter2")}, r"x\[…\] is a secret"),
    "subclass": (Animal, Dog(name="Rex", tricks=3), "x is of type Dog, and would load as Animal"),
    "subclasses": (list[Animal], [Dog(name="Rex", tricks=3)], r"x\[0\] is of type Dog"),
    "model in anything": (Any, Animal(name="Rex"), "of type Animal, and would load as dict"),
    "alias to read": (
        OneWay,
        OneWay.model_validate({"amount": 700}),
        r"x\.cents would load with another value",
    ),
    "alias to write": (OneWayOut, OneWayOut(cents=700), r"x\.cents would load with another"),
    "decimal in anything": (Any, Decimal("1.5"), "of type Decimal, and would load as str"),
    "tuple in anything": (Any, (1, 2), "x is of type tuple, and would load as list"),
    "set in anything": (Any, {1}, "x is of type set, and would load as list"),
    "bytes in anything": (Any, b"a", "x is of type bytes, and would load as str"),
    "datetime in anything": (Any, at(1), "x is of type datetime, and would load as str"),
    "enum in anything": (Any, [Level.LOW], r"x\[0\] is of type Level, and would load as int"),
    "text enum in anything": (Any, Word.YES, "x is of type Word, and would load as str"),
    "number as a key": (dict[Any, int], {1: 1}, "x.* would load with another value"),
    "two keys in one": (dict[Any, int], {1: 1, "1": 2}, "x has keys that are the same"),
    "tuple in a sequence": (Sequence[int], (1, 2), "x is of type tuple, and would load as list"),
    "seconds of an offset": (
        datetime,
        datetime(1890, 1, 1, tzinfo=timezone(timedelta(minutes=53, seconds=28))),
        "x would load with another offset",
    ),
    "zone": (datetime, at(1, BERLIN), "x has a time zone whose offset changes"),
    "time in a zone": (time, time(1, tzinfo=BERLIN), "x has a time zone whose offset changes"),
    "hour that comes twice": (datetime, at(2, BERLIN, fold=1), "x has a time zone"),
    "fold": (datetime, at(2, fold=1), "x would load with another offset or fold"),
    "fold of a time": (time, time(2, fold=1), "x would load with another offset or fold"),
    "flags of a pattern": (re.Pattern, re.compile("a", re.IGNORECASE), "x would load with another"),
    "text that is a number": (Decimal | str, "1.0", "x is of type str, and would load as Decimal"),
    "text that is a date": (date | bytes, b"2024-01-01", "x is of type bytes"),
    "bytes of two modes": (
        Annotated[bytes, PlainSerializer(lambda value: value.hex())],
        b"a",
        "x would load with another value",
    ),
    "serializer": (Rounding, Rounding(price=1.25), r"x\.price would load with another value"),
    "validator": (Growing, Growing(size=1), r"x\.size would load with another value"),
    "excluded": (Hidden, Hidden(hidden=2), r"x\.hidden is excluded from the stored data"),
    "private": (Remembering, remembering(1), r"x\._count is a private attribute"),
    "extra": (Open, Open.model_validate({"at": date(2024, 1, 1)}), r"x\.at is of type date"),
    "dataclass": (Point, Point(1, (1,)), r"x\.note is of type tuple, and would load as list"),
    "no equality": (Identical, Identical(1), "x is of a class without __eq__"),
    "one-shot iterable": (Any, {"a": iter([1])}, r"x\[…\] can be iterated only once"),
    "no JSON": (Any, object(), r"x \(of type object\) cannot be written as JSON"),
    "bytes that are no text": (bytes, b"\xff", r"x \(of type bytes\) cannot be written as JSON"),
}


@pytest.mark.parametrize("case", UNFAITHFUL.values(), ids=UNFAITHFUL)
def test_it_is_refused_in_words_that_name_the_field_and_hold_no_value(store, stream, case):
    kind, value, told = case
    event = event_of(kind, value)

    with pytest.raises(InvalidEventError, match=told) as caught:
        store.append(event, stream_id=stream)

    assert type(event).__name__ in str(caught.value)
    assert not re.search("hunter2|secret key|Rex", str(caught.value))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert store.load_stream(stream) == []


class Changing(Event):
    """Its fields can be given anything after it was validated."""

    number: int | None = 0
    price: float = 0.0
    note: str = ""


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("number", True, "number is of type bool, and would load as int"),
        ("number", 1.0, "number is of type float, and would load as int"),
        ("price", 1, "price is of type int, and would load as float"),
        ("price", "1.5", "price is of type str, and would load as float"),
        ("note", Word.YES, "note is of type Word, and would load as str"),
    ],
)
def test_what_was_changed_to_another_type_is_refused(store, stream, field, value, told):
    event = Changing()
    setattr(event, field, value)

    with pytest.raises(InvalidEventError, match=told):
        store.append(event, stream_id=stream)


def test_a_field_that_was_deleted_is_refused(store, stream):
    event = Changing()
    del event.note

    with pytest.raises(InvalidEventError, match="note"):
        store.append(event, stream_id=stream)


def test_a_validator_that_cannot_take_what_it_returned_is_named_by_its_error(store, stream):
    event: Any = event_of(Failing, Failing(size="big"))
    event.x.size = "hunter2"

    with pytest.raises(InvalidEventError, match="a validator fails with KeyError") as caught:
        store.append(event, stream_id=stream)

    assert "hunter2" not in str(caught.value)


def test_snapshots_are_proved_too(store, stream):
    store.append(Changing(), stream_id=stream)

    with pytest.raises(InvalidEventError, match="x is not a finite number"):
        store.save_snapshot(stream, WrappedEvent(event_of(float | None, NAN), 1))


FAITHFUL_CONTEXTS = {
    "ids": Context(correlation_id=uuid4(), causation_id=uuid4()),
    "nothing": Context(),
    "JSON": Context(user="ann", tries=[1, 2.5, None, {"deep": None}], gone=None),
}


@pytest.mark.parametrize("context", FAITHFUL_CONTEXTS.values(), ids=FAITHFUL_CONTEXTS)
def test_a_context_comes_back_equal(store, stream, context):
    store.append(WrappedEvent(Changing(), context=context), stream_id=stream)

    (loaded,) = store.load_stream(stream)
    assert account_of(loaded.context) == account_of(context)


class Special(Context):
    user: str


UNFAITHFUL_CONTEXTS = {
    "nan": (Context(ratio=NAN), r"context\['ratio'\] is nan"),
    "deep": (Context(all=[{"deep": (1,)}]), r"the context: all\[0\]\[…\] is of type tuple"),
    "datetime": (Context(at=at(1)), "the context: at is of type datetime"),
    "uuid": (Context(request=uuid4()), "the context: request is of type UUID"),
    "secret": (Context(token=SecretStr("hunter2")), "the context: token is a secret"),
    "object": (Context(thing=object()), "the context: thing .* cannot be written as JSON"),
    "subclass": (Special(user="ann"), "the context is of type Special, .* get_context"),
    "dict": ({"user": "ann"}, "the context is of type dict"),
    "none": (None, "the context is of type NoneType"),
    "no id": (Context.model_construct(correlation_id=7), "the context: correlation_id "),
}


@pytest.mark.parametrize("case", UNFAITHFUL_CONTEXTS.values(), ids=UNFAITHFUL_CONTEXTS)
def test_a_context_that_would_load_as_another_is_refused(store, stream, case):
    context, told = case

    with pytest.raises(InvalidEventError, match=told) as caught:
        store.append(WrappedEvent(Changing(), context=context), stream_id=stream)

    assert "hunter2" not in str(caught.value)
    assert store.load_stream(stream) == []


def test_a_created_at_in_a_zone_that_changes_is_refused(store, stream):
    with pytest.raises(InvalidEventError, match="created_at has a time zone whose offset changes"):
        store.append(WrappedEvent(Changing(), created_at=at(2, BERLIN, fold=1)), stream_id=stream)


def test_a_generator_stays_refused_when_the_append_is_tried_again(store, stream):
    event = event_of(Any, (number for number in range(3)))

    for _ in range(2):
        with pytest.raises(InvalidEventError, match="x can be iterated only once"):
            store.append(event, stream_id=stream)


class Basket(Aggregate):
    """Puts the list out of an event into its state, and goes on to change it."""

    category = "basket"

    def __init__(self) -> None:
        self.lines: list[str] = []

    def fill(self, *lines: str) -> None:
        self._emit(Filled(lines=list(lines)))

    def __apply__(self, event: Event) -> None:
        if isinstance(event, Filled):
            self.lines = event.lines
            self.lines.append("from the state")


class Filled(Event):
    lines: list[str]


class Locked(Event):
    _lock: Any = PrivateAttr(default_factory=Lock)


def test_what_is_stored_is_what_was_emitted(store):
    repository = Repository(store, Basket)
    with repository.aggregate("ann") as basket:
        basket.fill("a")
        basket.lines.append("later")
        changes: Any = basket.__changes__
        changes[0].lines.append("by the reader")

    (loaded,) = store.load_stream(StreamId(name="ann", category="basket"))
    assert loaded.event == Filled(lines=["a"])


def test_an_event_of_which_no_copy_can_be_kept_is_not_emitted(store):
    with pytest.raises(EventDefinitionError, match="Locked cannot be copied"):
        Basket()._emit(Locked())
