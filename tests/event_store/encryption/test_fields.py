"""Plans find every encrypted value of a class, and leave none in clear."""

# ruff: noqa: S106 - a field is called secret because it is encrypted

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar
from uuid import UUID

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    RootModel,
    SerializeAsAny,
    computed_field,
    field_serializer,
    model_serializer,
)
from pydantic_core import from_json, to_json
from typing_extensions import TypeAliasType, TypedDict

from dynamo_es.event_store.encryption.marks import DataSubject, Encrypted
from dynamo_es.event_store.encryption.plan import Place
from dynamo_es.event_store.encryption.plan_from_marks import encrypted_fields
from dynamo_es.event_store.encryption.service import Encryption
from dynamo_es.exceptions import EncryptedFieldError
from dynamo_es.memory import MemoryKeyStorage
from dynamo_es.values import StreamId

Secret = Annotated[str, Encrypted(mask_value="***")]
Alias = TypeAliasType("Alias", Secret)
T = TypeVar("T")
Pair = TypeAliasType("Pair", tuple[T, Secret], type_params=(T,))
Named = NewType("Named", Secret)


class Address(BaseModel):
    street: Secret
    city: str = "Rome"


class City(BaseModel):
    city: str


class Person(BaseModel):
    id: Annotated[str, DataSubject]
    name: Secret


class Node(BaseModel):
    secret: Secret
    children: "list[Node]" = []
    by_name: "dict[str, Node]" = {}
    next: "Node | None" = None


class Box(BaseModel, Generic[T]):
    held: T


class Secrets(RootModel[list[Secret]]):
    pass


class Frozen(BaseModel, frozen=True):
    secret: Secret


@dataclass
class Record:
    secret: Secret


class Typed(TypedDict):
    secret: Secret


class Tuple(NamedTuple):
    secret: Secret


def json_of(event):
    return from_json(event.__pydantic_serializer__.to_json(event, by_alias=True, round_trip=True))


def sealed(event, data=None, name="stream"):
    """Return the JSON in which each encrypted value is ``<subject>value</>``, and the pointers."""
    pointers = {}

    def seal(leaf, pointer, subject, value):
        pointers[pointer] = leaf.mask
        return f"<{subject}>{to_json(value).decode()}</>"

    plan = encrypted_fields(type(event))
    data = json_of(event) if data is None else data
    return plan.seal(event, data, Place("", name, event, seal, encrypted_fields)), pointers


def model(annotation, **more):
    """Return a class with one field of a type."""
    return type("Sample", (BaseModel,), {"__annotations__": {"field": annotation}, **more})


S = "<stream>"
FOUND = [
    (Secret, "a", f'{S}"a"</>', ["/field"]),
    (Alias, "a", f'{S}"a"</>', ["/field"]),
    (Named, "a", f'{S}"a"</>', ["/field"]),
    (Secret | None, "a", f'{S}"a"</>', ["/field"]),
    (Secret | None, None, None, []),
    (Alias | None, "a", f'{S}"a"</>', ["/field"]),
    (Annotated[str | None, Encrypted(None)], None, f"{S}null</>", ["/field"]),
    (Secret | int, 5, f"{S}5</>", ["/field"]),
    (Annotated[list[int], Encrypted([])], [1, 2], f"{S}[1,2]</>", ["/field"]),
    (Annotated[list[int], Encrypted([])] | None, [1], f"{S}[1]</>", ["/field"]),
    (Annotated[City, Encrypted({"city": "?"})], City(city="Rome"), S + '{"city":"Rome"}</>', None),
    (Annotated[Any, Encrypted(None)], {"any": 1}, S + '{"any":1}</>', ["/field"]),
    (list[Secret], ["a", "b"], [f'{S}"a"</>', f'{S}"b"</>'], ["/field/0", "/field/1"]),
    (list[Secret | None], [None, "b"], [None, f'{S}"b"</>'], ["/field/1"]),
    (list[list[Secret]], [[], ["b"]], [[], [f'{S}"b"</>']], ["/field/1/0"]),
    (Sequence[Secret], ("a",), [f'{S}"a"</>'], ["/field/0"]),
    (set[Secret], {"a"}, [f'{S}"a"</>'], ["/field/0"]),
    (deque[Secret], deque("a"), [f'{S}"a"</>'], ["/field/0"]),
    (frozenset[Frozen], frozenset({Frozen(secret="a")}), [{"secret": f'{S}"a"</>'}], None),
    (tuple[Secret, ...], ("a",), [f'{S}"a"</>'], ["/field/0"]),
    (tuple[int, Secret], (1, "a"), [1, f'{S}"a"</>'], ["/field/1"]),
    (Pair[int], (1, "a"), [1, f'{S}"a"</>'], ["/field/1"]),
    (dict[str, Secret], {"a/b~": "c"}, {"a/b~": f'{S}"c"</>'}, ["/field/a~1b~0"]),
    (dict[int, Secret], {7: "c"}, {"7": f'{S}"c"</>'}, ["/field/7"]),
    (Mapping[str, Address], {"a": Address(street="s")}, None, ["/field/a/street"]),
    (OrderedDict[str, Secret], OrderedDict(a="c"), {"a": f'{S}"c"</>'}, ["/field/a"]),
    (Address, Address(street="s"), {"street": f'{S}"s"</>', "city": "Rome"}, ["/field/street"]),
    (Address | None, None, None, []),
    (Address | City, City(city="x"), {"city": "x"}, []),
    (Address | City, Address(street="s"), None, ["/field/street"]),
    (list[Address] | dict[str, int], {"a": 1}, {"a": 1}, []),
    (list[Address] | dict[str, int] | None, [Address(street="s")], None, ["/field/0/street"]),
    (list[Address | City], [City(city="x"), Address(street="s")], None, ["/field/1/street"]),
    (Box[Secret], Box[Secret](held="a"), {"held": f'{S}"a"</>'}, ["/field/held"]),
    (Box[Address], Box[Address](held=Address(street="s")), None, ["/field/held/street"]),
    (Secrets, Secrets(["a"]), [f'{S}"a"</>'], ["/field/0"]),
    (Literal["a"] | Secret, "b", f'{S}"b"</>', ["/field"]),
    (Annotated[str, Field(min_length=2), Encrypted("**")], "ab", f'{S}"ab"</>', ["/field"]),
]


@pytest.mark.parametrize(
    ("annotation", "value", "expected", "pointers"), FOUND, ids=[str(case[0]) for case in FOUND]
)
def test_values_are_found_where_they_are(annotation, value, expected, pointers):
    event = model(annotation)(field=value)
    before = json_of(event)
    data = json_of(event)

    done, found = sealed(event, data)

    assert data == before, "the input was changed"
    if expected is not None or value is None:
        assert done == {"field": expected}
    if pointers is not None:
        assert list(found) == pointers
    for pointer, mask in found.items():
        steps = pointer[1:].split("/")
        leaf = encrypted_fields(type(event)).leaf_at(
            [step.replace("~1", "/").replace("~0", "~") for step in steps]
        )
        assert leaf is not None
        assert leaf.mask == mask


def test_a_model_may_hold_itself():
    event = Node(
        secret="a",
        children=[Node(secret="b", by_name={"x": Node(secret="c")})],
        next=Node(secret="d"),
    )

    done, found = sealed(event)

    assert list(found) == [
        "/secret",
        "/children/0/secret",
        "/children/0/by_name/x/secret",
        "/next/secret",
    ]
    assert '"b"' not in str(done["children"][0]["secret"]).replace('<stream>"b"</>', "")


def test_a_plan_is_made_once_and_kept_at_the_class_itself():
    class Sub(Address):
        more: Secret

    assert encrypted_fields(Address) is encrypted_fields(Address)
    assert encrypted_fields(Sub) is not encrypted_fields(Address)
    assert list(sealed(Sub(street="a", more="b"))[1]) == ["/street", "/more"]


def test_a_class_without_marks_has_none():
    assert encrypted_fields(Address).has_encrypted_fields
    assert not encrypted_fields(City).has_encrypted_fields
    assert not encrypted_fields(model(dict[str, Any])).has_encrypted_fields


def test_the_key_in_json_is_the_alias_of_serialization():
    class Event(BaseModel):
        model_config = ConfigDict(alias_generator=str.upper, populate_by_name=True)
        one: Secret
        two: Annotated[str, Encrypted("*"), Field(serialization_alias="zwei")]
        three: Annotated[str, Encrypted("*")] = Field(alias="drei")

    done, found = sealed(Event.model_validate({"ONE": "a", "TWO": "b", "drei": "c"}))

    assert list(found) == ["/ONE", "/zwei", "/drei"]
    assert set(done) == {"ONE", "zwei", "drei"}


# Subjects


def test_the_subject_is_the_marked_field_then_the_one_around_then_the_stream():
    class Order(BaseModel):
        customer: Annotated[UUID, DataSubject]
        note: Secret
        address: Address
        receiver: Person
        signed: Annotated[str, Encrypted("*", subject_field="clerk")]
        clerk: int

    event = Order(
        customer=UUID(int=1),
        note="n",
        address=Address(street="s"),
        receiver=Person(id="p", name="x"),
        signed="y",
        clerk=7,
    )
    done, _ = sealed(event)

    assert done["note"] == f'<{UUID(int=1)}>"n"</>'
    assert done["address"]["street"].startswith(f"<{UUID(int=1)}>")
    assert done["receiver"]["name"] == '<p>"x"</>'
    assert done["signed"] == '<7>"y"</>'


@pytest.mark.parametrize("value", [None, ""])
def test_a_subject_that_is_declared_and_empty_is_none(value):
    class Event(BaseModel):
        who: Annotated[str | None, DataSubject]
        secret: Secret

    assert sealed(Event(who=value, secret="s"))[0]["secret"].startswith("<None>")


def test_the_subject_may_be_marked_within_optional():
    class Event(BaseModel):
        who: Annotated[str, DataSubject] | None
        secret: Secret

    assert sealed(Event(who="w", secret="s"))[0]["secret"].startswith("<w>")


# What is refused when the plan is made


class TwoSubjects(BaseModel):
    one: Annotated[str, DataSubject]
    two: Annotated[str, DataSubject]
    secret: Secret


class SubjectsInList(BaseModel):
    one: list[Annotated[str, DataSubject]]
    secret: Secret


class SecretSubject(BaseModel):
    one: Annotated[str, DataSubject, Encrypted("*")]


class SecretSubjectField(BaseModel):
    one: Annotated[str, Encrypted("*", subject_field="two")]
    two: Secret


class NoSuchField(BaseModel):
    one: Annotated[str, Encrypted("*", subject_field="nobody")]


class ModelSerializer(BaseModel):
    secret: Secret

    @model_serializer
    def ser(self) -> dict[str, Any]:
        return {"x": self.secret}


class FieldSerializer(BaseModel):
    address: Address

    @field_serializer("address")
    def ser(self, value: Any) -> str:
        return str(value)


class Computed(BaseModel):
    x: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def secret(self) -> Secret:
        return self.x


class TypedExtra(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Secret]


class Unresolved(BaseModel):
    next: "Nowhere | None"  # type: ignore[name-defined]  # noqa: F821


REFUSED = {
    "unresolved": Unresolved,
    "in one that is unresolved": model(list[Unresolved]),
    "two models": model(Address | Person),
    "two leaves": model(Secret | Annotated[int, Encrypted(0)]),
    "a leaf and a model": model(Secret | Address),
    "lists of two models": model(list[Address] | list[Person]),
    "keys": model(dict[Secret, int]),
    "within": model(Annotated[Address, Encrypted({"street": "*"})]),
    "twice": model(Annotated[str, Encrypted("a"), Encrypted("b")]),
    "dataclass": model(Record),
    "typed dict": model(Typed),
    "named tuple": model(Tuple),
    "list of dataclasses": model(list[Record]),
    "json": model(Json[Address]),
    "serializer": model(Annotated[Address, PlainSerializer(str)]),
    "serialize as any": model(SerializeAsAny[Address]),
    "type": model(type[Address]),
    "no mask": model(Annotated[str, Encrypted]),
    "mask of another type": model(Annotated[int, Encrypted("***")]),
    "mask None": model(Annotated[str, Encrypted(None)]),
    "mask too short": model(Annotated[str, Field(min_length=4), Encrypted("***")]),
    "mask no JSON": model(Annotated[Any, Encrypted(object())]),
    "two subjects": TwoSubjects,
    "subjects in a list": SubjectsInList,
    "secret subject": SecretSubject,
    "secret subject field": SecretSubjectField,
    "no such field": NoSuchField,
    "model serializer": ModelSerializer,
    "field serializer": FieldSerializer,
    "computed": Computed,
    "typed extra": TypedExtra,
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_what_could_not_be_kept_is_refused(refused):
    with pytest.raises(EncryptedFieldError) as caught:
        encrypted_fields(refused)
    # Mostly the class asked for; for a class inside it, that one.
    assert caught.value.event
    assert f"{caught.value.event}.{caught.value.field}:" in str(caught.value)
    with pytest.raises(EncryptedFieldError):
        encrypted_fields(refused)


def test_the_error_names_class_and_field():
    with pytest.raises(EncryptedFieldError) as caught:
        encrypted_fields(model(Address | Person))
    assert (caught.value.event, caught.value.field) == ("Sample", "field")


@pytest.mark.parametrize(
    ("annotation", "mask", "stored"),
    [
        (date, date(1970, 1, 1), "1970-01-01"),
        (date, "1970-01-01", "1970-01-01"),
        (set[int], {1}, [1]),
        (tuple[int, int], (0, 0), [0, 0]),
        (UUID, UUID(int=0), str(UUID(int=0))),
        (City, City(city="?"), {"city": "?"}),
        (bytes, b"", ""),
    ],
)
def test_a_mask_is_kept_as_json_that_can_be_loaded(annotation, mask, stored):
    event = model(Annotated[annotation, Encrypted(mask)])
    leaf = encrypted_fields(event).leaf_at(["field"])
    assert leaf is not None
    assert leaf.mask == stored
    event.model_validate_json(to_json({"field": leaf.mask}))


def test_a_mask_of_a_strict_class_is_validated_as_strictly():
    strict = ConfigDict(strict=True)
    with pytest.raises(EncryptedFieldError, match="mask_value"):
        encrypted_fields(model(Annotated[int, Encrypted("5")], model_config=strict))


# What is refused when an event is walked


@pytest.mark.parametrize(
    "annotation",
    [Any, object, dict, dict[str, Any], list[Any], Any | None, SerializeAsAny[BaseModel], Box],
)
def test_a_secret_in_a_value_of_any_type_is_refused(annotation):
    held = Address(street="s")
    value: Any = held
    if "dict" in str(annotation):
        value = {"a": [held]}
    elif "list" in str(annotation):
        value = [{"a": (held,)}]
    elif annotation is Box:
        value = Box(held=held)
    event = model(annotation).model_construct(field=value)
    service = Encryption(MemoryKeyStorage())
    with pytest.raises(EncryptedFieldError, match="in clear"):
        service.encrypt(event, {}, StreamId(name="s"), UUID(int=1))


def test_a_secret_in_any_value_beside_marked_ones_is_refused():
    class Event(BaseModel):
        model_config = ConfigDict(extra="allow")
        secret: Secret
        more: Any = None

    with pytest.raises(EncryptedFieldError, match="in clear"):
        sealed(Event(secret="s", more=[Address(street="x")]))
    with pytest.raises(EncryptedFieldError, match="in clear"):
        sealed(Event.model_validate({"secret": "s", "other": Address(street="x")}))
    assert (
        sealed(Event.model_validate({"secret": "s", "more": {"a": 1}, "other": 2}))[0]["other"] == 2
    )


def test_a_subclass_in_the_place_of_its_base_is_read_as_what_it_is():
    class Longer(Address):
        more: Secret = "m"

    event = model(Address)(field=Longer(street="s"))
    assert list(sealed(event)[1]) == ["/field/street"]
    data = {"field": {"street": "s", "city": "x", "more": "m"}}
    assert list(sealed(event, data)[1]) == ["/field/street", "/field/more"]


@pytest.mark.parametrize(
    ("annotation", "value", "data"),
    [
        (Secret, "a", {}),
        (Secret, "a", {"FIELD": "a"}),
        (Address, Address(street="s"), {"field": {}}),
        (Address, Address(street="s"), {"field": "s"}),
        (Address, {"street": "s"}, {"field": {"street": "s"}}),
        (list[Secret], ["a"], {"field": []}),
        (list[Secret], ["a"], {"field": {"0": "a"}}),
        (dict[str, Secret], {"a": "b"}, {"field": {}}),
        (tuple[int, Secret], (1, "a"), {"field": [1]}),
    ],
)
def test_json_that_is_not_of_the_class_is_refused(annotation, value, data):
    event = model(annotation).model_construct(field=value)
    with pytest.raises(EncryptedFieldError, match="does not have the form"):
        sealed(event, data)


def test_a_field_that_is_excluded_need_not_be_there():
    class Event(BaseModel):
        secret: Annotated[str, Encrypted("*"), Field(exclude=True)]

    assert sealed(Event(secret="s")) == ({}, {})


def test_marks_can_be_shown_and_compared():
    assert repr(DataSubject) == "DataSubject"
    assert Encrypted([1]) == Encrypted([1]) != Encrypted([2])
    assert hash(Encrypted([1])) == hash(Encrypted([2]))
