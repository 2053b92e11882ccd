"""Names of event classes."""

from __future__ import annotations

import pytest

from dynamo_es import Event, EventRegistry
from dynamo_es.exceptions import DuplicatedEvent, EventDefinitionError
from tests.event_store.accounts import Deposited, Moved


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
    registry.add(One)
    with pytest.raises(DuplicatedEvent, match=r"'twice' is the name of .*One and of .*Two"):
        registry.add(Two)
    with pytest.raises(DuplicatedEvent):
        registry.name_for_type(Two)


def test_an_inherited_name_is_a_duplicate(registry):
    class Base(Event):
        __event_name__ = "inherited"

    class Derived(Base):
        pass

    registry.add(Base)
    with pytest.raises(DuplicatedEvent, match="give each its own __event_name__"):
        registry.add(Derived)


def test_an_alias_that_is_a_name_is_a_duplicate(registry):
    class Taking(Event):
        __event_name__ = "taking"
        __event_aliases__ = ("account.deposited",)

    registry.add(Deposited)
    with pytest.raises(DuplicatedEvent, match=r"account\.deposited"):
        registry.add(Taking)


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


def test_a_name_is_text(registry):
    with pytest.raises(EventDefinitionError, match="__event_name__ is 7"):
        registry.add(type("Odd", (Event,), {"__event_name__": 7}))
