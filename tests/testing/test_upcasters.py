"""check_upcasters: samples of every schema version load into today's classes."""

from __future__ import annotations

from typing import Any

import pytest

from dynamo_es import Event, upcaster
from dynamo_es.exceptions import InputError
from dynamo_es.testing import check_upcasters


class Paid(Event):
    __event_name__ = "testing.paid"
    __event_aliases__ = ("testing.payed",)
    __schema_version__ = 3

    cents: int
    currency: str

    @upcaster(from_version=1)
    @staticmethod
    def in_cents(data: dict[str, Any]) -> dict[str, Any]:
        return {"cents": data["amount"] * 100}

    @upcaster(from_version=2)
    @staticmethod
    def in_euros(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "currency": "EUR"}


EVENTS = [Paid]


def test_samples_of_all_versions_pass():
    check_upcasters({Paid: {1: {"amount": 5}, 2: {"cents": 500}}}, events=EVENTS)


def test_a_version_without_a_sample_fails():
    with pytest.raises(AssertionError, match="Paid: schema version 2 has no sample"):
        check_upcasters({Paid: {1: {"amount": 5}}}, events=EVENTS)


def test_all_defined_classes_need_samples_by_default():
    with pytest.raises(AssertionError, match="Paid: schema version 1 has no sample"):
        check_upcasters({})


def test_a_sample_that_does_not_load_fails_with_its_version():
    with pytest.raises(AssertionError) as failure:
        check_upcasters({Paid: {1: {"sum": 5}, 2: [{"cents": "x"}, {"cents": 5}]}}, events=EVENTS)

    assert "testing.paid, schema version 1: " in str(failure.value)
    assert "upcaster from schema version 1 failed: KeyError" in str(failure.value)
    assert "testing.paid, schema version 2: " in str(failure.value)


def test_a_sample_may_say_what_it_becomes():
    check_upcasters(
        {Paid: {1: ({"amount": 5}, Paid(cents=500, currency="EUR")), 2: {"cents": 1}}},
        events=EVENTS,
    )
    with pytest.raises(AssertionError, match="cents is 500, expected 5"):
        check_upcasters(
            {Paid: {1: ({"amount": 5}, Paid(cents=5, currency="EUR")), 2: {"cents": 1}}},
            events=EVENTS,
        )


def test_a_name_or_an_alias_may_stand_for_the_class():
    check_upcasters(
        {"testing.payed": {1: {"amount": 5}}, "testing.paid": {2: {"cents": 1}}}, events=EVENTS
    )


@pytest.mark.parametrize("version", [0, 4, True, "1"])
def test_a_version_that_is_none_is_refused(version):
    with pytest.raises(InputError, match="schema version must be an integer of 1 to 3"):
        check_upcasters({Paid: {version: {"amount": 5}}}, events=EVENTS)


def test_a_name_that_no_class_has_is_refused():
    with pytest.raises(InputError, match="no event class has the name 'nothing'"):
        check_upcasters({"nothing": {1: {}}}, events=EVENTS)
