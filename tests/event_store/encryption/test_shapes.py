"""A class of any shape: marked values are stored encrypted, or nothing is stored."""

import typing
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import (  # noqa: UP035 - the old names are shapes of their own
    Annotated,
    Any,
    Dict,
    Generic,
    List,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
)

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    Json,
    JsonValue,
    PlainSerializer,
    PydanticUserError,
    RootModel,
    SerializeAsAny,
    SkipValidation,
    WrapSerializer,
    computed_field,
    field_serializer,
    model_serializer,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypeAliasType, TypedDict

from dynamo_es import Context, Encrypted, Event, StreamId, WrappedEvent
from dynamo_es.exceptions import EncryptedFieldError, EventStoreError, InvalidEventError
from dynamo_es.memory import MemoryBackend

CLEAR = "in clear 7f3a"
STREAM = StreamId(name="person")

T = TypeVar("T")
Secret = Annotated[str, Encrypted("*")]
B = TypeVar("B", bound=Secret)
Alias = TypeAliasType("Alias", Secret)
Pair = TypeAliasType("Pair", tuple[T, Secret], type_params=(T,))
Tree = TypeAliasType("Tree", "dict[str, Tree] | list[Tree] | Address")
Named = NewType("Named", Secret)


class Address(BaseModel, frozen=True):
    street: Secret = CLEAR


class Plain(BaseModel, frozen=True):
    street: str = CLEAR


class MarkedPlain(Plain, frozen=True):
    street: Secret = CLEAR


class Box(BaseModel, Generic[T]):
    held: T


class Bound(BaseModel, Generic[B]):
    held: B


class Root(RootModel[T], Generic[T]):
    pass


class OpenModel(BaseModel, extra="allow"):
    pass


class Outer(BaseModel):
    inner: Any


@dataclass(frozen=True)
class Record:
    street: Secret = CLEAR


@dataclass
class Holder:
    held: Any = field(default_factory=Address)


@pydantic_dataclass(frozen=True)
class Checked:
    street: Secret = CLEAR


@dataclass(frozen=True)
class BelowChecked(Checked):
    more: Secret = CLEAR


@dataclass
class GenericRecord(Generic[T]):
    held: T


class Typed(TypedDict):
    street: Secret


class GenericTyped(TypedDict, Generic[T]):
    held: T


class Place(NamedTuple):
    street: Secret = CLEAR


class Choice(Enum):
    ONE = Record()


class Own:
    """A class of its own, which tells pydantic how it is stored."""

    street: Secret

    def __init__(self) -> None:
        self.street = CLEAR

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from pydantic_core import core_schema

        return core_schema.any_schema(
            serialization=core_schema.plain_serializer_function_ser_schema(lambda one: one.street)
        )


class BelowOwn(Own):
    """A class of its own, whose base says what it is made of."""


class Untold:
    """A class of its own, of which no annotation says what it is made of."""

    def __init__(self) -> None:
        self.held = Address()

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from pydantic_core import core_schema

        return core_schema.any_schema(
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda one: one.held.street
            )
        )


class Hidden:
    """A class whose schema has a mark that no annotation shows."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(
            lambda _: cls(),
            handler.generate_schema(Secret),
            serialization=core_schema.to_string_ser_schema(),
        )

    def __str__(self) -> str:
        return CLEAR


@pydantic_dataclass
class HoldsHidden:
    held: Hidden = field(default_factory=Hidden)


class SeenAndHidden(BaseModel):
    seen: Secret = "x"
    held: Hidden = Field(default_factory=Hidden)


def each(one):
    yield one


a = Address()
SHAPES: dict[str, tuple[Any, Any]] = {
    # Marked text
    "marked": (Secret, CLEAR),
    "alias": (Alias, CLEAR),
    "alias with a parameter": (Pair[int], (1, CLEAR)),
    "new type": (Named, CLEAR),
    "nested Annotated": (Annotated[Annotated[Secret, Field(min_length=1)], "more"], CLEAR),
    "Annotated around a union": (Annotated[Secret | None, "more"], CLEAR),
    "marked Any": (Annotated[Any, Encrypted(None)], {CLEAR: [CLEAR]}),
    "optional": (Optional[Secret], CLEAR),  # noqa: UP045
    "Union": (Union[int, Secret], CLEAR),  # noqa: UP007
    "literal or marked": (Literal["x"] | Secret, CLEAR),
    "List of marked": (List[Secret], [CLEAR]),  # noqa: UP006
    "Dict of marked": (Dict[str, Secret], {"a": CLEAR}),  # noqa: UP006
    "Tuple of marked": (Tuple[Secret, ...], (CLEAR,)),  # noqa: UP006
    "forward": (list["Secret"], [CLEAR]),
    "marked keys": (dict[Secret, int], {CLEAR: 1}),
    "marked keys in a list": (list[dict[Secret, int]], [{CLEAR: 1}]),
    "iterable of marked": (Iterable[Secret], [CLEAR]),
    "generator of marked": (Generator[Secret, None, None], [CLEAR]),
    "deque": (deque[Secret], deque([CLEAR])),
    "defaultdict": (
        defaultdict[str, Annotated[Secret, Field(default_factory=str)]],
        {"a": CLEAR},
    ),
    "counter": (typing.Counter[Secret], {CLEAR: 1}),
    "json of marked": (Json[list[Secret]], f'["{CLEAR}"]'),
    "recursive alias": (Tree, {"a": [a]}),
    # Classes with marks, named
    "model": (Address, a),
    "forward to a model": ("Address", a),
    "dataclass": (Record, Record()),
    "dataclass of pydantic": (Checked, Checked()),
    "dataclass below one of pydantic": (BelowChecked, BelowChecked()),
    "typed dict": (Typed, {"street": CLEAR}),
    "named tuple": (Place, Place()),
    "root model": (Root[Secret], Root[Secret](CLEAR)),
    "root of models": (Root[list[Address]], Root[list[Address]]([a])),
    "generic": (Box[Secret], Box[Secret](held=CLEAR)),
    "generic of a generic": (Box[Box[Address]], Box[Box[Address]](held=Box[Address](held=a))),
    "bound": (Bound, Bound(held=CLEAR)),
    "generic dataclass": (GenericRecord[Secret], GenericRecord(CLEAR)),
    "generic typed dict": (GenericTyped[Secret], {"held": CLEAR}),
    "class of models": (Type[Address], Address),  # noqa: UP006
    "instance of": (InstanceOf[Address], a),
    "skipped validation": (SkipValidation[Address], a),
    "serialized as any": (SerializeAsAny[Address], a),
    "serializer": (Annotated[Address, PlainSerializer(lambda one: one.street)], a),
    "wrap serializer": (Annotated[list[Address], WrapSerializer(lambda one, _: str(one))], [a]),
    "subclass": (Plain, MarkedPlain()),
    "list of a subclass": (list[Plain], [MarkedPlain()]),
    "own class": (Own, Own()),
    "class below one of its own": (BelowOwn, BelowOwn()),
    "own class that is not told": (Untold, Untold()),
    "mark in the schema only": (Hidden, Hidden()),
    "mark in the schema only, in a dataclass": (Any, HoldsHidden()),
    "mark in the schema only, beside one that shows": (SeenAndHidden, SeenAndHidden()),
    # Values of any type
    "Any": (Any, a),
    "object": (object, a),
    "bare list": (list, [a]),
    "bare List": (List, [a]),  # noqa: UP006
    "bare Dict": (Dict, {"a": a}),  # noqa: UP006
    "bare dict": (dict, {"a": a}),
    "bare Sequence": (typing.Sequence, [a]),
    "bare Sequence of abc": (Sequence, [a]),
    "bare Mapping": (typing.Mapping, {"a": a}),
    "bare Mapping of abc": (Mapping, {"a": a}),
    "bare Tuple": (Tuple, (a,)),  # noqa: UP006
    "bare tuple": (tuple, (a,)),
    "bare Set": (typing.Set, {a}),  # noqa: UP006
    "bare FrozenSet": (typing.FrozenSet, frozenset({a})),  # noqa: UP006
    "bare Deque": (typing.Deque, deque([a])),  # noqa: UP006
    "bare OrderedDict": (typing.OrderedDict, OrderedDict(a=a)),
    "bare Iterable": (Iterable, [a]),
    "bare Collection": (Collection, [a]),
    "Optional bare List": (Optional[List], [a]),  # noqa: UP006, UP045
    "list of bare List": (list[List[Any]], [[a]]),  # noqa: UP006
    "bare generic": (Box, Box(held=a)),
    "bare generic dataclass": (GenericRecord, GenericRecord(a)),
    "list of any": (list[Any], [[{"a": (a,)}]]),
    "dict of any": (dict[str, Any], {"a": {"b": [a]}}),
    "json value": (JsonValue, a),
    "any dataclass": (Any, Record()),
    "any dataclass of pydantic": (Any, Checked()),
    "any dataclass that holds one": (Any, Holder()),
    "any named tuple": (Any, Place()),
    "any root model": (Any, Root[Secret](CLEAR)),
    "any list of dataclasses": (Any, [Record()]),
    "keys of any": (dict[Any, int], {Place(): 1}),
    "keys of a dict in Any": (Any, {Place(): 1}),
    "keys of any beside marked values": (dict[Any, Address], {Place(): a}),
    "enum of dataclasses": (Choice, Choice.ONE),
    "any enum": (Any, Choice.ONE),
    "any generator": (Any, each(a)),
    "generator in a list": (list[Any], [each(a)]),
    "iterator": (Any, iter([a])),
    "map": (Any, map(str, [a])),
    "own class in any": (Any, Own()),
    "union of any": (Address | list[Any], [Address()]),
    "union of a subclass": (Address | Plain, MarkedPlain()),
    "model with any field": (OpenModel, OpenModel.model_validate({"x": a})),
    "model that holds any": (Outer, Outer(inner=a)),
    "base of models": (BaseModel, a),
    "any of SerializeAsAny": (SerializeAsAny[BaseModel], a),
    "user list": (Any, UserList([a])),
    "user dict": (Any, UserDict({"a": a})),
    "chain map": (Any, ChainMap({"a": a})),
    "counter of named tuples": (Any, Counter([Place()])),
}


def event_of(annotation, value):
    namespace = {
        "__module__": __name__,
        "__annotations__": {"field": annotation},
        "model_config": ConfigDict(arbitrary_types_allowed=True),
    }
    kind: Any = type("Shape", (Event,), namespace)
    try:
        return kind(field=value)
    except ValueError:
        return kind.model_construct(field=value)


def stored(event, context=None):
    """Return what a store has after an append, all of it as text; None if it was refused."""
    backend = MemoryBackend()
    try:
        wrapped = WrappedEvent(event) if context is None else WrappedEvent(event, context=context)
        backend.event_store.append(wrapped, stream_id=STREAM)
    except EventStoreError as error:
        assert CLEAR not in str(error)
        assert backend.storage.fetch_events(STREAM) == []
        return None
    return repr(backend.storage.fetch_events(STREAM))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("annotation", "value"), SHAPES.values(), ids=SHAPES)
def test_no_shape_stores_what_is_marked_in_clear(annotation, value):
    try:
        event = event_of(annotation, value)
    except EventStoreError:
        return  # refused when the class was defined
    text = stored(event)
    assert text is None or CLEAR not in text


def test_what_can_be_kept_is_kept():
    kept = {
        "marked",
        "alias",
        "alias with a parameter",
        "new type",
        "nested Annotated",
        "marked Any",
        "optional",
        "List of marked",
        "Dict of marked",
        "Tuple of marked",
        "forward",
        "deque",
        "defaultdict",
        "model",
        "root model",
        "root of models",
        "generic",
        "generic of a generic",
    }
    for name in kept:
        text = stored(event_of(*SHAPES[name]))
        assert text is not None, name
        assert "$encrypted" in text, name


@pytest.mark.parametrize("held", [a, Record(), Place(), {"a": [a]}], ids=repr)
def test_the_refusal_names_what_is_held_and_where(held):
    event = event_of(Any, held)
    # Which of the two it is depends on whether it would load as another type.
    with pytest.raises((EncryptedFieldError, InvalidEventError), match=r"Shape.*field") as refused:
        MemoryBackend().event_store.append(event, stream_id=STREAM)
    assert "in clear" not in str(refused.value)


def test_a_generator_is_refused_even_if_nothing_is_marked():
    event = event_of(Any, each(1))
    with pytest.raises(EventStoreError):
        MemoryBackend().event_store.append(event, stream_id=STREAM)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Any, {"a": [1, "b", None, {"c": 2.5}]}),
        (List, [1, [2]]),  # noqa: UP006
        (Dict, {"a": 1}),  # noqa: UP006
        (JsonValue, {"a": [1]}),
        (list[JsonValue], [{"a": [1]}]),
        (Plain, Plain(street="x")),
        (list[Plain], [Plain(street="x")]),
        (Box[int], Box[int](held=1)),
        (dict[str, Box[int]], {"a": Box[int](held=1)}),
    ],
    ids=repr,
)
def test_what_has_no_marks_is_stored_as_before(annotation, value):
    assert stored(event_of(annotation, value)) is not None


# Serializers and computed fields


class Computed(Event):
    x: str = CLEAR[:-1]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def secret(self) -> Secret:
        return self.x + CLEAR[-1]


class FieldSerializer(Event):
    address: Any = a

    @field_serializer("address")
    def ser(self, value: Any) -> Secret:
        return str(value.street)


class ModelSerializer(Event):
    x: int = 1

    @model_serializer
    def ser(self) -> dict[str, Secret]:
        return {"x": CLEAR}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", [Computed, FieldSerializer, ModelSerializer])
def test_a_mark_on_what_a_function_returns_is_refused(kind):
    assert stored(kind()) is None


# Metadata


class MarkedContext(Context):
    email: Secret = CLEAR


@pytest.mark.parametrize(
    "context",
    [Context(user=a), Context(users=[{"x": Record()}]), MarkedContext()],
    ids=["a model", "a dataclass", "a class of its own"],
)
def test_a_context_has_no_encrypted_fields(context):
    assert stored(event_of(int, 1), context) is None


# Any shape, nested


class Shape(NamedTuple):
    """A type and a value of it; whether only the type says what is marked in it."""

    kind: Any
    value: Any
    by_type: bool


def of(generic: Any, *arguments: Any) -> Any:
    """Return a type with arguments that are known when the test runs."""
    return generic[arguments if len(arguments) > 1 else arguments[0]]


NESTINGS = (
    (lambda one: of(list, one), lambda value: [value]),
    (lambda one: of(list, one), lambda value: [value]),
    (lambda one: of(dict, str, one), lambda value: {"key": value}),
    (lambda one: of(dict, str, one), lambda value: {"key": value}),
    (lambda one: of(tuple, int, one), lambda value: (1, value)),
    (lambda one: of(tuple, one, ...), lambda value: (value,)),
    (lambda one: of(Optional, one), lambda value: value),
    (lambda one: of(Union, int, one, None), lambda value: value),
    (lambda one: of(Union, one, list[Any]), lambda value: value),
    (lambda one: of(Annotated, one, Field(description="d")), lambda value: value),
    (lambda one: TypeAliasType("Local", one), lambda value: value),
    (lambda one: of(Box, one), lambda value: Box(held=value)),
    (lambda one: of(Root, one), Root),
    (lambda one: of(GenericRecord, one), GenericRecord),
    (lambda one: of(Sequence, one), lambda value: [value]),
    (lambda one: of(Iterable, one), lambda value: [value]),
    (lambda one: of(SerializeAsAny, one), lambda value: value),
)
LOSING_THE_TYPE = (
    (List, lambda value: [value]),  # noqa: UP006
    (typing.Mapping, lambda value: {"key": value}),
    (Any, lambda value: value),
    (Box, lambda value: Box(held=value)),
    (GenericRecord, GenericRecord),
)


def nested(shape):
    kinds = [(wrap(shape.kind), make) for wrap, make in NESTINGS]
    if not shape.by_type:
        kinds += LOSING_THE_TYPE
    return st.sampled_from(kinds).map(
        lambda pair: Shape(pair[0], pair[1](shape.value), shape.by_type)
    )


LEAVES = st.sampled_from(
    [
        Shape(Secret, CLEAR, by_type=True),
        Shape(Alias, CLEAR, by_type=True),
        Shape(Typed, {"street": CLEAR}, by_type=True),
        Shape(Address, a, by_type=False),
        Shape(Record, Record(), by_type=False),
        Shape(Checked, Checked(), by_type=False),
        Shape(Place, Place(), by_type=False),
        Shape(Any, Record(), by_type=False),
        Shape(Root[Secret], Root[Secret](CLEAR), by_type=False),
        Shape(Plain, MarkedPlain(), by_type=False),
    ]
)


@st.composite
def shapes(draw):
    shape = draw(LEAVES)
    for _ in range(draw(st.integers(0, 4))):
        shape = draw(nested(shape))
    return shape


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=200, deadline=None)
@given(shapes())
def test_however_it_is_nested_what_is_marked_is_never_stored_in_clear(shape):
    try:
        event = event_of(shape.kind, shape.value)
    except (EventStoreError, PydanticUserError, TypeError):
        return  # no type at all, or refused when the class was defined
    text = stored(event)
    assert text is None or CLEAR not in text
