"""A loop over events may end early: nothing goes on after it, and the backend closes at once."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.aio import AsyncDynamoBackend, AsyncMemoryBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from dynamo_es.aio import AsyncBackend

STREAM = StreamId(name="iterated")


class Iterated(Event):
    __event_name__ = "iterating.iterated"

    text: str


WAYS: dict[str, Callable[[AsyncBackend], AsyncIterator[Any]]] = {
    "stream": lambda backend: backend.event_store.iter_stream(STREAM, page_size=2),
    "subscription": lambda backend: aiter(backend.subscriber.after(0)),
    "records": lambda backend: aiter(backend.subscriber.after(0).build_iter(1)),
    "batches": lambda backend: aiter(backend.subscriber.after(0).build_batch(2, 1)),
}


@pytest.fixture(params=["memory", pytest.param("moto", marks=pytest.mark.ci)])
def backend(request: pytest.FixtureRequest) -> AsyncBackend:
    return AsyncMemoryBackend() if request.param == "memory" else AsyncDynamoBackend.local()


async def _filled(backend: AsyncBackend) -> None:
    for version in range(9):
        await backend.event_store.append(
            Iterated(text="x" * 1000), stream_id=STREAM, expected_version=version
        )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("closes", [False, True], ids=["break", "aclose"])
def test_a_loop_that_ends_early_leaves_no_task(backend, way, closes):
    async def use() -> None:
        async with backend:
            await _filled(backend)
            found = WAYS[way](backend)
            taken = 0
            async for _ in found:
                taken += 1
                if taken == 3:
                    break
            if closes and hasattr(found, "aclose"):
                await found.aclose()
            del found
            gc.collect()
            async with asyncio.timeout(2):
                while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - a page that is read ahead
                    await asyncio.sleep(0.005)

    asyncio.run(use(), debug=True)


@pytest.mark.ci
def test_a_subscription_that_is_cancelled_goes_on_where_it_was(backend):
    async def use() -> list[int]:
        async with backend:
            await _filled(backend)
            seen: list[int] = []
            subscription = backend.subscriber.after(0).build_iter(1)

            async def follow() -> None:
                async for recorded in subscription:
                    seen.extend([] if recorded is None else [recorded.position])

            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await follow()
            await backend.event_store.append(
                Iterated(text=""), stream_id=STREAM, expected_version=9
            )
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.7):
                    await follow()
            return seen

    assert asyncio.run(use()) == list(range(1, 11))
