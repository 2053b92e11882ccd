"""A saved state is never for a model that differs in anything from that which it was saved for."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import InitVar, dataclass
from datetime import datetime, time
from enum import KEEP, Flag
from functools import reduce
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, PrivateAttr

from dynamo_es import DecisionModel, Query
from dynamo_es.boundaries.fingerprints import fingerprint
from dynamo_es.exceptions import DecisionDefinitionError

QUERY = Query(types=["test.joined"])


class Holder(DecisionModel):
    value: Any


def holding(value):
    model = Holder()
    model.value = value
    return model


@dataclass(slots=True)
class InSlots(DecisionModel):
    most: int


class Hidden(BaseModel):
    least: int = 0
    _most: int = PrivateAttr(0)

    @classmethod
    def of(cls, most):
        made = cls()
        made._most = most
        return made


@dataclass
class Doubled:
    most: InitVar[int]

    def __post_init__(self, most):
        self.double = 2 * most


class Labels(list[str]):
    most = 0


def labels(most):
    made = Labels()
    made.most = most
    return made


class Bits(Flag, boundary=KEEP):
    FIRST = 1


ZONES = [ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Paris")]

DIFFERENT = {
    "a slot": InSlots,
    "a private attribute": lambda most: holding(Hidden.of(most)),
    "an attribute that is no field": lambda most: holding(Doubled(most)),
    "an attribute of a list": lambda most: holding(labels(most)),
    "a time zone": lambda most: holding(datetime(2030, 1, 1, tzinfo=ZONES[most - 1])),
    "the second of an hour that comes twice": lambda most: holding(time(2, fold=most - 1)),
    "bits without a name": lambda most: holding(Bits(8 * most)),
    "an integer of many digits": lambda most: holding(10**5000 + most),
    "a lone surrogate": lambda most: holding({chr(0xD800 + most): 1}),
    "the order of a dictionary that keeps it": lambda most: holding(
        OrderedDict.fromkeys(["a", "b"][:: 3 - 2 * most])
    ),
    "a value of 200 levels": lambda most: holding(
        reduce(lambda inner, _: [inner], range(200), most)
    ),
}


@pytest.mark.parametrize("make", DIFFERENT.values(), ids=DIFFERENT)
def test_models_differ_by_what_is_not_in_their_dictionaries(make):
    one, same, other = make(1), make(1), make(2)
    assert fingerprint(one, QUERY) == fingerprint(same, QUERY)
    assert fingerprint(one, QUERY) != fingerprint(other, QUERY)


def test_which_fields_of_a_value_were_given_does_not_count():
    keys = {fingerprint(holding(v), QUERY) for v in (Hidden(), Hidden(least=0))}
    assert len(keys) == 1


@pytest.mark.parametrize("depth", [0, 100_000])
def test_an_attribute_without_an_end_is_refused(depth):
    nested: list[Any] = []
    if depth == 0:
        nested.append(nested)
    for _ in range(depth):
        nested = [nested]
    with pytest.raises(DecisionDefinitionError, match=r"Holder\.value contains itself or"):
        fingerprint(holding(nested), QUERY)
