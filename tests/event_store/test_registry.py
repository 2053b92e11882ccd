"""Names of event classes."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import pytest
from pydantic import (
    AwareDatetime,
    BaseModel,
    FilePath,
    FutureDate,
    FutureDatetime,
    NewPath,
    PastDate,
)

from dynamo_es import Event, EventRegistry, MemoryBackend, StreamId
from dynamo_es.event_store import registry as registry_module
from dynamo_es.exceptions import DuplicatedEvent, EventDefinitionError
from tests.event_store.accounts import Deposited, Moved
from tests.event_store.shapes import event_class


@pytest.fixture
def registry() -> EventRegistry:
    return EventRegistry()


def test_classes_are_found_without_being_added(registry):
    assert registry.type_for_name("account.deposited") is Deposited
    assert registry.name_for_type(Deposited) == "account.deposited"


def test_a_class_is_found_by_its_aliases_and_named_by_its_name(registry):
    assert registry.type_for_name("bank.Moved") is Moved
    assert registry.name_for_type(Moved) == "account.moved"


def test_a_name_that_no_class_has_is_a_key_error(registry):
    with pytest.raises(KeyError, match="nobody's"):
        registry.type_for_name("nobody's")


def test_add_works_as_a_decorator(registry):
    @registry.add
    class Added(Event):
        __event_name__ = "added"

    assert registry.type_for_name("added") is Added


def test_a_class_is_added_once(registry):
    registry.add(Deposited)

    with pytest.raises(DuplicatedEvent, match=r"accounts\.Deposited is in the registry already"):
        registry.add(Deposited)


def test_two_classes_of_one_name_are_an_error(registry):
    class One(Event):
        __event_name__ = "twice"

    class Two(Event):
        __event_name__ = "twice"

    with pytest.raises(DuplicatedEvent, match=r"several event classes: .*One, .*Two"):
        registry.type_for_name("twice")
    with pytest.raises(DuplicatedEvent, match=r"'twice' is the name of .*One and of .*Two"):
        registry.add(Two)
    with pytest.raises(DuplicatedEvent, match=r"'twice' is the name of .*Two and of .*One"):
        registry.name_for_type(One)


def test_a_second_class_of_a_name_is_noticed_when_it_is_defined_later(registry):
    class One(Event):
        __event_name__ = "later"

    assert registry.name_for_type(One) == "later"

    class Two(Event):
        __event_name__ = "later"

    with pytest.raises(DuplicatedEvent, match=r"'later' is the name of .*Two and of .*One"):
        registry.name_for_type(One)
    del Two


def test_an_inherited_name_is_a_duplicate(registry):
    class Base(Event):
        __event_name__ = "inherited"

    class Derived(Base):
        pass

    with pytest.raises(DuplicatedEvent, match="give each class its own __event_name__"):
        registry.add(Derived)
    assert registry.add(Base) is registry.type_for_name("inherited")


def test_inherited_aliases_are_duplicates(registry):
    class Base(Event):
        __event_name__ = "base"
        __event_aliases__ = ("old base",)

    class Derived(Base):
        __event_name__ = "derived"

    with pytest.raises(DuplicatedEvent, match=r"Derived inherits the aliases of .*Base"):
        registry.add(Derived)
    assert registry.add(Base) is registry.type_for_name("old base")


def test_a_base_class_may_have_names_that_its_subclasses_replace(registry):
    class Base(Event):
        __event_name__ = "named base"
        __event_aliases__: ClassVar[tuple[str, ...]] = ("old base",)

    class Derived(Base):
        __event_name__ = "named derived"
        __event_aliases__ = ()

    assert registry.add(Derived) is registry.type_for_name("named derived")
    assert registry.type_for_name("old base") is Base


def test_a_name_may_come_from_a_class_that_is_no_event(registry):
    class Named:
        __event_name__ = "mixed in"

    class Mixed(Named, Event):
        pass

    assert registry.add(Mixed) is registry.type_for_name("mixed in")


def test_an_alias_that_is_a_name_is_a_duplicate(registry):
    class Taking(Event):
        __event_name__ = "taking"
        __event_aliases__ = ("account.deposited",)

    with pytest.raises(DuplicatedEvent, match=r"account\.deposited"):
        registry.add(Taking)
    with pytest.raises(DuplicatedEvent, match=r"account\.deposited"):
        registry.add(Deposited)


def test_a_class_that_is_defined_again_takes_the_place_of_the_first(registry):
    def define():
        class Again(Event):
            __event_name__ = "again"

        return Again

    first, second = define(), define()
    assert registry.name_for_type(first) == "again"
    assert registry.name_for_type(second) == "again"
    assert registry.type_for_name("again") is second
    assert EventRegistry().type_for_name("again") is second


def test_a_class_that_nothing_refers_to_any_more_has_no_name(registry):
    def define(name):
        return type(name, (Event,), {"__event_name__": "dropped", "__module__": __name__})

    define("First")
    kept = define("Second")

    assert registry.type_for_name("dropped") is kept


@pytest.mark.parametrize("name", [7, None, "", b"x", ["x"]])
def test_a_name_is_text(registry, name):
    with pytest.raises(EventDefinitionError, match=r"__event_name__ must be text"):
        registry.add(type("Odd", (Event,), {"__event_name__": name}))


@pytest.mark.parametrize("aliases", ["bank.Odd", None, 7, ("",), (7,), {"a": 1}, [["x"]]])
def test_aliases_are_a_tuple_of_texts(registry, aliases):
    with pytest.raises(EventDefinitionError, match=r"__event_aliases__ .* a tuple"):
        registry.add(type("Odd", (Event,), {"__event_aliases__": aliases}))
    assert registry.type_for_name("account.deposited") is Deposited


def test_an_alias_without_its_comma_is_told_to_who_loads_its_events(registry):
    class Commaless(Event):
        __event_name__ = "commaless"
        __event_aliases__ = ("bank.Commaless")  # type: ignore[assignment]  # fmt: skip

    with pytest.raises(EventDefinitionError, match=r"write a tuple, \('bank.Commaless',\)"):
        registry.type_for_name("bank.Commaless")
    del Commaless


Content = TypeVar("Content")


class Box(Event, Generic[Content]):
    content: Content


class BoxOfInt(Box[int]):
    """Has a name that every process knows."""


def test_a_generic_class_is_refused_and_a_class_derived_from_it_is_not(registry):
    for generic in (Box, Box[int], Box[str]):
        with pytest.raises(EventDefinitionError, match=r"such as class BoxOfInt\(Box\[int\]\)"):
            registry.add(generic)
    assert registry.type_for_name(registry.name_for_type(BoxOfInt)) is BoxOfInt


class Items(BaseModel):
    each: list[Iterable[int]]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Iterable[int], "x can be iterated only once"),
        (Iterable[str] | None, "x can be iterated only once"),
        (dict[str, Generator[int, None, None]], "x can be iterated only once"),
        (list[Items], "x can be iterated only once"),
        (FutureDate, "x takes future dates only"),
        (list[FutureDatetime], "x takes future dates only"),
        (FilePath | None, "x checks whether a file exists"),
        (NewPath, "x checks whether a file exists"),
    ],
)
def test_a_field_that_cannot_load_later_what_it_stores_is_refused(registry, kind, told):
    with pytest.raises(EventDefinitionError, match=f"Shape.*: the field {told}"):
        registry.add(event_class(kind))


@pytest.mark.parametrize("kind", [list[int], PastDate, AwareDatetime, Path])
def test_fields_that_load_what_they_store_are_not(registry, kind):
    assert registry.add(event_class(kind))


def test_a_type_that_is_not_defined_is_told(registry):
    class Early(Event):
        x: NotYetDefined  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(EventDefinitionError, match="Early: a type in it cannot be resolved"):
        registry.add(Early)


def test_events_that_only_this_process_can_load_are_not_appended():
    backend = MemoryBackend()
    with pytest.raises(EventDefinitionError, match="Box is a generic class"):
        backend.event_store.append(Box(content=1), stream_id=StreamId(category="box"))


def test_a_name_is_looked_for_again_only_when_a_class_was_defined(monkeypatch):
    looked_for: list[str] = []
    search = registry_module._classes_named

    def noting(name: str) -> list[type[Event]]:
        looked_for.append(name)
        return search(name)

    monkeypatch.setattr(registry_module, "_classes_named", noting)
    registry = EventRegistry()

    assert [registry.kind_named("test.registry.late") for _ in range(3)] == [None] * 3
    assert looked_for == ["test.registry.late"]

    class Late(Event):
        __event_name__ = "test.registry.late"

    assert registry.type_for_name("test.registry.late") is Late
    with pytest.raises(KeyError):
        registry.type_for_name(["test.registry.late"])  # type: ignore[arg-type]
