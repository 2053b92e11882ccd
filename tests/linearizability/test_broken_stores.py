"""On the local engine too, races find every store without one of its guards.

Races of threads happen by chance, and prove nothing if an engine lets threads take turns. So
injected races must find each store too: a seed puts the requests in an order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests import variants
from tests.linearizability.callers import Task, call_together, in_moments, look
from tests.linearizability.local import events_table, fresh_tables
from tests.linearizability.scheduler import Schedule
from tests.linearizability.test_concurrency import STREAMS, WORKERS
from tests.linearizability.test_interleavings import RACES
from tests.linearizability.verdicts import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es import DynamoConfig

    Variant = Callable[[pytest.MonkeyPatch], None]

BY_THREADS: Final = [race for race in RACES if race is not variants.sweep_from_the_bottom_up]
"""A deletion in batches has one moment between two requests that shows a wrong order. Injected
races meet it, and threads too rarely."""
INJECTED: Final = 60
"""Operations of a history whose races are injected."""
RACED: Final = 500
"""Operations of a history of threads."""

pytestmark = pytest.mark.concurrent

each_variant = pytest.mark.parametrize("variant", RACES, ids=lambda variant: variant.__name__)


def inject(config: DynamoConfig, seed: int) -> None:
    """Check a history whose requests come in the order that a seed decides."""
    with events_table(config) as dynamo:
        schedule = Schedule(seed, dynamo=dynamo)
        history = schedule.run(INJECTED)
    verify(history, f"{seed} under {schedule.conditions}", schedule.conditions.model)


def race(endpoint: str, seed: int) -> None:
    """Check a history of threads."""
    with fresh_tables(endpoint) as config:
        calls = RACED // len(WORKERS)
        tasks = [Task(config, seed, letter, STREAMS, calls) for letter in WORKERS]
        history = call_together(tasks) + look(config, STREAMS)
    verify(in_moments(history), seed)


def first_found(check: Callable[[int], None], seeds: range) -> int:
    """Return the first seed whose history cannot be explained."""
    for seed in seeds:
        try:
            check(seed)
        except AssertionError:
            return seed
    pytest.fail(f"none of {len(seeds)} seeds shows it")


@each_variant
def test_injected_races_find_a_store_without_one_of_its_guards(
    config: DynamoConfig, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        variant(patch)
        found = first_found(lambda seed: inject(config, seed), range(60))

    inject(config, found)  # the whole store passes where the broken one fails


@pytest.mark.parametrize("variant", BY_THREADS, ids=lambda variant: variant.__name__)
def test_threads_find_a_store_without_one_of_its_guards(
    endpoint: str, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant(monkeypatch)
    first_found(lambda seed: race(endpoint, seed), range(1, 7))
