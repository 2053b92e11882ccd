"""A closed backend refuses calls, and leaves no session open."""

from __future__ import annotations

import asyncio

import pytest
from botocore.exceptions import ConnectionClosedError

from dynamo_es import Event, StreamId
from dynamo_es.aio import AsyncMemoryBackend
from dynamo_es.aio.connections import LoopConnections
from dynamo_es.aio.greenlets import GreenletBridge
from dynamo_es.exceptions import InputError
from tests.aio.test_connections import QUICK, signed


class Closed(Event):
    __event_name__ = "closing.closed"


def test_a_closed_backend_refuses_calls_in_any_loop():
    backend = AsyncMemoryBackend()

    async def use() -> None:
        async with backend:
            pass
        with pytest.raises(InputError, match="is closed"):
            await backend.event_store.append(Closed(), stream_id=StreamId())

    for _ in range(2):
        asyncio.run(use())


def test_a_request_under_way_opens_no_session_after_the_backend_was_closed():
    async def use() -> None:
        bridge = GreenletBridge(1)
        connections = LoopConnections("http://127.0.0.1:9", QUICK, bridge)

        def close_and_send() -> None:
            bridge.is_closed = True
            connections.send(signed("http://127.0.0.1:9"))

        with pytest.raises(ConnectionClosedError, match="Connection was closed"):
            await bridge.run(close_and_send)
        assert not connections._sessions

    asyncio.run(use())
