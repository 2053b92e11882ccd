"""The loop goes on while large events are written and read."""

from __future__ import annotations

import asyncio
import os
import random
import time
from asyncio import events
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import uuid4

import pytest

from dynamo_es import DynamoConfig, Event, StreamId
from dynamo_es.aio import AsyncDynamoBackend
from tests.without_moto import without_moto

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS, SIZE = 100, 300_000
LONGEST = 0.020


class Photographed(Event):
    __event_name__ = "loop.photographed"

    text: str


@contextmanager
def longest_callback() -> Iterator[list[float]]:
    """Measure the CPU time of each callback: on a busy machine, others take the rest."""
    longest = [0.0]
    own: Any = vars(events.Handle)["_run"]

    def run(handle: Any) -> None:
        begin = time.thread_time()
        own(handle)
        longest[0] = max(longest[0], time.thread_time() - begin)

    with patch.object(events.Handle, "_run", run):
        yield longest


@pytest.fixture
def config(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> DynamoConfig:
    endpoint = request.config.getoption("--endpoint")
    if not endpoint:
        pytest.skip("needs an endpoint: moto works in this process, and holds it up itself")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", os.environ.get("AWS_ACCESS_KEY_ID", "local"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", os.environ.get("AWS_SECRET_ACCESS_KEY", "local"))
    prefix = f"loop-{uuid4().hex}"
    return DynamoConfig(
        events_table=f"{prefix}-events",
        log_table=f"{prefix}-log",
        keys_table=f"{prefix}-keys",
        endpoint_url=endpoint,
        region="us-east-1",
        read_timeout=30,
    )


def text(number: int) -> str:
    """Return a text that hardly gets smaller when it is compressed, as photographs do."""
    return random.Random(number).randbytes(SIZE // 2).hex()


@pytest.mark.ci
@pytest.mark.endpoint
def test_no_callback_takes_long_while_large_events_are_written_and_read(config):
    texts = [text(number) for number in range(EVENTS)]

    async def write_and_read() -> tuple[float, int]:
        with without_moto():
            backend = AsyncDynamoBackend(config)
            await backend.create_tables()
            await backend.prepare()
        async with backend:
            store, stream = backend.event_store, StreamId()
            await store.append(Photographed(text="small"), stream_id=stream)
            async for _ in store.iter_stream(stream):  # loads what it needs, once
                await store.load_stream(stream)
            with longest_callback() as longest:
                for version, one in enumerate(texts, start=1):
                    await store.append(
                        Photographed(text=one), stream_id=stream, expected_version=version
                    )
                found = await store.load_stream(stream)
                iterated = 0
                async for stored in store.iter_stream(stream):
                    iterated += 1
                    assert stored.version == iterated
            assert [one.event.text for one in found[1:]] == texts
            return longest[0], iterated

    longest, iterated = asyncio.run(write_and_read())
    assert iterated == EVENTS + 1
    assert longest < LONGEST
