"""Appends with an asynchronous backend, many at a time, and prints the time as a line of JSON.

Its arguments are the event loop (asyncio or uvloop), the endpoint, the number of parallel appends,
the seconds, and for a steady load the appends per second.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from importlib import import_module
from typing import Any

from benchmarks.programs import steady
from dynamo_es import DynamoConfig, Event, StreamId
from dynamo_es.aio import AsyncDynamoBackend, AsyncEventStore


class Moved(Event):
    """A typical event of an application."""

    __event_name__ = "bench.moved"

    from_place: str
    to_place: str
    minutes: int


def main() -> None:
    """Append, and print the result."""
    loop, endpoint, at_once, seconds, *rate = sys.argv[1:]
    measuring = _measure(endpoint, int(at_once), float(seconds), *map(float, rate))
    with asyncio.Runner(loop_factory=import_module(loop).new_event_loop) as runner:
        found = runner.run(measuring)
    sys.stdout.write(f"{json.dumps(found)}\n")


async def _measure(
    endpoint: str, at_once: int, seconds: float, rate: float | None = None
) -> dict[str, Any]:
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "bench")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "bench")
    config = DynamoConfig(
        events_table="events",
        log_table="log",
        keys_table="keys",
        endpoint_url=endpoint,
        region="us-east-1",
        max_pool_connections=max(at_once, 50),
    )
    async with AsyncDynamoBackend(config) as backend:
        store = backend.event_store
        await asyncio.gather(*(_append(store) for _ in range(2 * at_once)))  # opens connections
        if rate is None:
            return await _as_fast_as_it_goes(store, at_once, seconds)
        return {"latencies": await steady.latencies(lambda: _append(store), rate, seconds)}


async def _append(store: AsyncEventStore) -> None:
    await store.append(
        Moved(from_place="Oslo", to_place="Bergen", minutes=50), stream_id=StreamId()
    )


async def _as_fast_as_it_goes(
    store: AsyncEventStore, at_once: int, seconds: float
) -> dict[str, Any]:
    end = time.monotonic() + seconds
    done = 0

    async def run() -> None:
        nonlocal done
        while time.monotonic() < end:
            await _append(store)
            done += 1

    began, cpu = time.monotonic(), time.process_time()
    await asyncio.gather(*(run() for _ in range(at_once)))
    return {
        "appends": done,
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
    }


if __name__ == "__main__":
    main()
