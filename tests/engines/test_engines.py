"""The engines of our tests differ from DynamoDB exactly as the probes say.

No test may rely on an answer that differs from DynamoDB's.
"""

from __future__ import annotations

import pytest

from tests.engine import LOCAL, MOTO, Capability, needs
from tests.engines.probe import Probe, ask, objection
from tests.engines.probes import PROBES

# It tests the engines.
pytestmark = pytest.mark.ci


@needs(Capability.REQUESTS)
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_it_answers_as_dynamodb_does_or_as_it_is_known_to(probe, engine, lab):
    if wrong := objection(probe, engine.name, ask(probe, lab)):
        pytest.fail(wrong, pytrace=False)


# The list


def test_each_probe_has_a_name_of_its_own():
    names = [probe.name for probe in PROBES]
    assert sorted(set(names)) == sorted(names)


def test_what_an_engine_answers_instead_is_something_else():
    assert not [probe.name for probe in PROBES if probe.answer in probe.instead.values()]


def test_only_engines_that_are_asked_are_in_the_list():
    assert {name for probe in PROBES for name in probe.instead} <= {MOTO, LOCAL}


# How answers are judged

PROBE = Probe(
    name="two and two",
    does=lambda lab: "4",
    answer="4",
    source="arithmetic",
    instead={"moto": "5"},
)


def test_an_answer_that_is_known_is_no_objection():
    assert objection(PROBE, "moto", "5") is None
    assert objection(PROBE, LOCAL, "4") is None


@pytest.mark.parametrize(
    ("name", "found", "advice"),
    [
        (LOCAL, "5", "put it into `instead`"),
        ("moto", "4", "Take its line out of `instead`"),
        ("moto", "6", "Bring `instead` of the probe up to date"),
    ],
)
def test_any_other_answer_is_one_and_says_what_to_do(name, found, advice):
    assert advice in (objection(PROBE, name, found) or "")
