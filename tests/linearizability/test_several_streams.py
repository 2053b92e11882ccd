"""Appends to several streams, and to some while others stay, are linearizable over all of them.

The search looks at the streams together. So two appends that each check the stream of the other are
never both explained: that is write skew.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from tests.linearizability.conditions import Conditions
from tests.linearizability.joint_checker import verify_jointly
from tests.linearizability.joint_model import JointModel
from tests.linearizability.joint_schedule import JointSchedule
from tests.variants_of_several import OF_SEVERAL

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS: Final = range(300)
QUICK: Final = 50
CHUNK: Final = 50
OPERATIONS: Final = 60


def conditions_of(seed: int) -> Conditions:
    """Return the conditions of a seed, with two streams or three."""
    return replace(Conditions.any(Random(f"several {seed}")), streams=2 + seed % 2)


def run(seed: int, operations: int = OPERATIONS) -> None:
    conditions = conditions_of(seed)
    history = JointSchedule(seed, conditions).run(operations)
    model = JointModel(conditions.model)
    verify_jointly(history, f"{seed} under {conditions}", conditions.streams, model)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        seeds = range(10_000) if metafunc.config.getoption("--long") else SEEDS
        chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
        marked = [
            pytest.param(chunk, marks=pytest.mark.ci) if chunk[0] >= QUICK else chunk
            for chunk in chunks
        ]
        metafunc.parametrize("seeds", marked, ids=lambda chunk: f"{chunk[0]}-{chunk[-1]}")


def test_every_interleaving_of_appends_to_several_streams_is_linearizable(seeds: range) -> None:
    for seed in seeds:
        run(seed)


@pytest.mark.parametrize("variant", OF_SEVERAL, ids=lambda variant: variant.__name__)
def test_a_store_with_a_broken_append_to_several_streams_is_found(
    variant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = None
    with monkeypatch.context() as patch:
        variant(patch)
        for seed in SEEDS:
            try:
                run(seed)
            except AssertionError:
                found = seed
                break

    assert found is not None, f"none of {len(SEEDS)} seeds shows it"
    run(found)  # the whole store passes where the broken one fails
