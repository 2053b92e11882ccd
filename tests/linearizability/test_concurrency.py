"""Threads or processes race on the local engine, and lose requests and replies on the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest

from dynamo_es import DynamoBackend, DynamoConfig
from dynamo_es.dynamodb.client import make_client
from dynamo_es.dynamodb.tables import delete_tables
from tests.linearizability.callers import Task, call_together, in_moments, look
from tests.linearizability.histories import Outcome
from tests.linearizability.verdicts import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS: Final = (1, 2, 3)
OPERATIONS: Final = 2_000
WORKERS: Final = "abcde"
STREAMS: Final = 4


@pytest.fixture
def config(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DynamoConfig]:
    endpoint = request.config.getoption("--endpoint")
    if not endpoint:
        pytest.skip("needs an endpoint: the emulator serves one request at a time")
    if "AWS_ACCESS_KEY_ID" not in os.environ:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    prefix = f"linearizability-{uuid4().hex}"
    config = DynamoConfig(
        events_table=f"{prefix}-events",
        log_table=f"{prefix}-log",
        keys_table=f"{prefix}-keys",
        endpoint_url=endpoint,
        region="us-east-1",
    )
    DynamoBackend(config).create_tables()
    yield config
    delete_tables(make_client(config), config)


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
