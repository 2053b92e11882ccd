"""Threads or processes race on the local engine while requests and replies get lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from tests.linearizability import tasks
from tests.linearizability.callers import Task, call_together, in_moments, look
from tests.linearizability.histories import Outcome
from tests.linearizability.verdicts import verify

if TYPE_CHECKING:
    from dynamo_es import DynamoConfig

SEEDS: Final = range(1, 5)
OPERATIONS: Final = 2_000
WORKERS: Final = "abcde"
STREAMS: Final = 4


@pytest.mark.concurrent
@pytest.mark.parametrize("seed", SEEDS)
def test_what_concurrent_callers_see_is_linearizable(
    config: DynamoConfig, request: pytest.FixtureRequest, seed: int
) -> None:
    operations = OPERATIONS * 10 if request.config.getoption("--long") else OPERATIONS
    calls = operations // len(WORKERS)
    tasks = [Task(config, seed, letter, STREAMS, calls) for letter in WORKERS]

    history = call_together(tasks, processes=request.config.getoption("--processes"))
    history += look(config, STREAMS)

    assert len(history) == operations + 2 * STREAMS
    assert {one.outcome for one in history} >= {Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN}
    verify(in_moments(history), seed)


@pytest.mark.ci
@pytest.mark.concurrent
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_what_tasks_of_one_loop_see_is_linearizable_although_some_are_cancelled(
    config: DynamoConfig, seed: int
) -> None:
    calls = OPERATIONS // len(WORKERS)
    over_aiohttp = replace(config, transport="default")
    to_do = [Task(over_aiohttp, seed, letter, STREAMS, calls) for letter in WORKERS]

    history, cancelled = asyncio.run(tasks.call_together(to_do))
    history += look(config, STREAMS)

    assert cancelled > OPERATIONS // 20
    assert {one.outcome for one in history} >= {Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN}
    verify(in_moments(history), seed)
