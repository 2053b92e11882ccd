"""Decisions on a loop begin with saved states, as those of threads do."""

from __future__ import annotations

import asyncio

from dynamo_es.aio import AsyncMemoryBackend
from tests.boundaries.test_saved_states import Command, Join


def test_a_decision_begins_with_a_saved_state():
    async def decide() -> None:
        async with AsyncMemoryBackend() as backend:
            for member in "abcde":
                boundary = backend.boundary("chess", snapshot_every=3)
                await boundary.decide(Join, Command(member))

    asyncio.run(decide())

    assert Join.decided[-1] == [*"abcd"]
    assert Join.applied == ["d"]
