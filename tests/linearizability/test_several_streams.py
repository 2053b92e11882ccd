"""Appends to several streams, and to some while others stay, are linearizable over all of them.

The search looks at the streams together. So two appends that each check the stream of the other are
never both explained: that is write skew.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from dynamo_es import ExplicitVersioning, MemoryBackend, StreamId
from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.memory.appends import MemoryAppends
from tests import variants_of_several as variants
from tests.linearizability.callers import Task, call_together, in_moments, look, make
from tests.linearizability.conditions import Conditions
from tests.linearizability.histories import AppendAll, Operation, Outcome
from tests.linearizability.joint_checker import verify_jointly
from tests.linearizability.joint_model import JointModel
from tests.linearizability.joint_schedule import JointSchedule
from tests.linearizability.joint_workload import JointWorker
from tests.linearizability.local import events_table, fresh_tables
from tests.variants_of_several import OF_SEVERAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dynamo_es import DynamoConfig, StorageStrategy

SEEDS: Final = range(300)
QUICK: Final = 25
CHUNK: Final = 25
OPERATIONS: Final = 60
RARE: Final = {variants.moved_check_no_conflict, variants.events_of_one_stream_vouch_for_all}
"""Stores that hundreds of histories do not show."""

WORKERS: Final = "abcde"
STREAMS: Final = 3
RACED: Final = 1_000
"""Operations of a history of threads."""


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


each_variant = pytest.mark.parametrize(
    "variant",
    [
        pytest.param(variant, marks=[pytest.mark.ci] if variant in RARE else [])
        for variant in OF_SEVERAL
    ],
    ids=lambda variant: variant.__name__,
)


@each_variant
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


def call_memory(seed: int, letter: str, storage: StorageStrategy) -> list[Operation]:
    """Make the calls of one thread, each of which begins at once."""
    worker = JointWorker(letter, Random(f"{seed} {letter}"), STREAMS)
    seen = []
    for _ in range(RACED // len(WORKERS)):
        stream, call = worker.next_call()
        seen += make(storage, Operation(letter, stream, call, time.monotonic_ns()))
        worker.learn(seen[-1])
    return seen


def race_in_memory(seed: int) -> None:
    """Check a history of threads that share a storage in memory."""
    storage = MemoryBackend().storage
    with (
        switching_often(),
        ThreadPoolExecutor(len(WORKERS)) as executor,
    ):
        threads = [executor.submit(call_memory, seed, letter, storage) for letter in WORKERS]
        history = [one for thread in threads for one in thread.result(60)]
    refused = [one for one in history if one.outcome is Outcome.REFUSED]
    assert 10 < len(refused) < len(history) - 10
    verify_jointly(in_moments(history), seed, STREAMS)


@contextmanager
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.000_005)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@pytest.mark.concurrent
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.ci)])
def test_what_threads_see_in_memory_is_linearizable(seed: int) -> None:
    race_in_memory(seed)


@pytest.mark.ci
@pytest.mark.concurrent
def test_threads_find_a_memory_that_does_not_check(monkeypatch: pytest.MonkeyPatch) -> None:
    right = MemoryAppends._check

    def of_nothing(storage: MemoryAppends, appends: Sequence[StreamAppend], _: object) -> bool:
        return right(storage, appends, [StreamCheck(StreamId(), ExplicitVersioning(0))])

    monkeypatch.setattr(MemoryAppends, "_check", of_nothing)
    with pytest.raises(AssertionError, match="no order explains"):
        race_in_memory(1)


def race(endpoint: str, seed: int, operations: int, *, processes: bool = False) -> None:
    """Check a history of threads, or processes, on an engine."""
    with fresh_tables(endpoint) as config:
        calls = operations // len(WORKERS)
        tasks = [Task(config, seed, letter, STREAMS, calls, jointly=True) for letter in WORKERS]
        history = call_together(tasks, processes=processes) + look(config, STREAMS)
    outcomes = {one.outcome for one in history if isinstance(one.call, AppendAll)}
    assert outcomes >= {Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN}
    verify_jointly(in_moments(history), seed, STREAMS)


@pytest.mark.concurrent
@pytest.mark.parametrize("seed", range(1, 3))
def test_what_concurrent_callers_see_of_several_streams_is_linearizable(
    endpoint: str, request: pytest.FixtureRequest, seed: int
) -> None:
    operations = RACED * (20 if request.config.getoption("--long") else 2)
    race(endpoint, seed, operations, processes=request.config.getoption("--processes"))


@pytest.mark.concurrent
@pytest.mark.parametrize(
    "variant",
    [variant for variant in OF_SEVERAL if variant not in RARE],
    ids=lambda variant: variant.__name__,
)
def test_injected_races_find_a_broken_append_to_several_streams(
    config: DynamoConfig,
    variant: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = None
    with monkeypatch.context() as patch:
        variant(patch)
        for seed in range(60):
            try:
                inject(config, seed)
            except AssertionError:
                found = seed
                break

    assert found is not None, "no seed shows it"
    inject(config, found)  # the whole store passes where the broken one fails


def inject(config: DynamoConfig, seed: int) -> None:
    """Check a history whose requests come in the order that a seed decides."""
    with events_table(config) as dynamo:
        conditions = conditions_of(seed)
        history = JointSchedule(seed, conditions, dynamo).run(OPERATIONS)
    model = JointModel(conditions.model)
    verify_jointly(history, f"{seed} under {conditions}", conditions.streams, model)
