"""Makes calls at regular intervals, however long each takes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def latencies(
    call: Callable[[], Awaitable[object]], rate: float, seconds: float
) -> list[float]:
    """Start ``rate`` calls per second; return the latency of each in seconds.

    The latency of a call that starts late counts from the time when it was due.
    """
    took: list[float] = []
    began = time.monotonic()

    async def one(due: float) -> None:
        await call()
        took.append(time.monotonic() - due)

    # Finished tasks are dropped, as a service would do. Thousands of them would trigger a full
    # garbage collection in the middle of the measurement.
    tasks: set[asyncio.Task[None]] = set()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.create_task(one(due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return took
