"""Makes calls at even distances, however long each takes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def latencies(
    call: Callable[[], Awaitable[object]], rate: float, seconds: float
) -> list[float]:
    """Begin a call at each of so many moments a second; return how long each took, in seconds.

    A call that begins late counts from the moment when it was due.
    """
    took: list[float] = []
    began = time.monotonic()

    async def one(due: float) -> None:
        await call()
        took.append(time.monotonic() - due)

    # Tasks that are done are let go, as a service does. Thousands of them would make the garbage
    # collector search everything in the middle of the measurement.
    tasks: set[asyncio.Task[None]] = set()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.create_task(one(due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return took
