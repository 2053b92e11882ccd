"""Boundaries are linearizable, and a boundary without one of its guards is found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from dynamo_es import DynamoBackend
from dynamo_es.contracts.consumers.workers import in_thread
from dynamo_es.dynamodb.streams.appending import commits
from dynamo_es.dynamodb.tag_index import reading
from tests.linearizability.boundary_workload import BoundaryWorker
from tests.linearizability.broken_boundaries import BOUNDARIES
from tests.linearizability.callers import Task, call_together, in_moments, look
from tests.linearizability.conditions import Conditions
from tests.linearizability.histories import Outcome, stream_id
from tests.linearizability.scheduler import Schedule
from tests.linearizability.test_concurrency import OPERATIONS, STREAMS, WORKERS
from tests.linearizability.test_interleavings import SMALL_ITEM
from tests.linearizability.verdicts import verify
from tests.without_moto import without_moto

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from dynamo_es import DynamoConfig

INTERLEAVED: Final = 60
"""Operations of a history that is interleaved request by request."""
SEEDS: Final = range(250)
QUICK: Final = 25


CALM: Final = Conditions(fault_rate=0.01, crash_rate=0, deletions=4)
"""A history without an explanation takes a search of all its orders: few outcomes are unknown."""


def run(seed: int, operations: int = INTERLEAVED, conditions: Conditions | None = None) -> None:
    schedule = Schedule(seed, conditions, worker=BoundaryWorker)
    history = schedule.run(operations)
    verify(history, f"{seed} under {schedule.conditions}", schedule.conditions.model)


chunks = pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(at, at + QUICK), marks=[pytest.mark.ci] if at else [], id=f"from {at}")
        for at in range(0, len(SEEDS), QUICK)
    ],
)


@chunks
def test_every_interleaving_is_linearizable(seeds: range) -> None:
    for seed in seeds:
        run(seed)


@pytest.mark.ci
@chunks
def test_so_is_every_one_where_appends_are_transactions(
    seeds: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "SAFE_ITEM_BYTES", SMALL_ITEM)
    for seed in seeds:
        run(seed, 40)


@pytest.mark.ci
@pytest.mark.parametrize("variant", BOUNDARIES, ids=lambda variant: variant.__name__)
def test_a_boundary_without_one_of_its_guards_is_found(
    variant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = None
    with monkeypatch.context() as patch:
        variant(patch)
        for seed in SEEDS:
            try:
                run(seed, conditions=CALM)
            except AssertionError:
                found = seed
                break

    assert found is not None, f"none of {len(SEEDS)} seeds shows it"
    run(found, conditions=CALM)  # the whole store passes where the broken one fails


@pytest.mark.concurrent
@pytest.mark.ci
@pytest.mark.parametrize("seed", [1, 2])
def test_what_concurrent_callers_see_is_linearizable(
    config: DynamoConfig, request: pytest.FixtureRequest, seed: int
) -> None:
    calls = OPERATIONS // len(WORKERS)
    tasks = [Task(config, seed, letter, STREAMS, calls, boundaries=True) for letter in WORKERS]

    history = call_together(tasks, processes=request.config.getoption("--processes"))
    history += look(config, STREAMS)

    assert len(history) >= OPERATIONS + 2 * STREAMS
    assert {one.outcome for one in history} >= {Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN}
    verify(in_moments(history), seed)


INDEXED_OPERATIONS: Final = 700
"""Operations of a history whose readers use the tag index: each read takes several requests."""


@pytest.mark.concurrent
@pytest.mark.ci
@pytest.mark.parametrize("seed", [4])
def test_so_is_what_they_see_by_a_tag_index_that_is_written_meanwhile(
    config: DynamoConfig, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(reading, "_READ_UNIT", 1)  # Else such short streams are read as a whole.
    by_index = replace(config, tag_index=True)
    calls = INDEXED_OPERATIONS // len(WORKERS)
    tasks = [Task(by_index, seed, letter, STREAMS, calls, boundaries=True) for letter in WORKERS]

    with in_thread(lambda stop: _index_all(config, stop), "Indexing"):
        history = call_together(tasks)
    history += look(config, STREAMS)

    assert {one.outcome for one in history} >= {Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN}
    verify(in_moments(history), seed)


def _index_all(config: DynamoConfig, stop: Event) -> None:
    indexed = 0
    with without_moto():
        while not stop.is_set():
            storage = DynamoBackend(config).storage
            for number in range(1, STREAMS + 1):
                indexed += storage.index_tags(stream_id(number), 3)
    assert indexed > STREAMS
