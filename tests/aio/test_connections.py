"""Connections of aiohttp fail as botocore's do, and none is used after an interrupted request."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

from benchmarks.canned import certify
from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge
from dynamo_es.aio.transport.aiohttp_connections import LoopConnections
from dynamo_es.dynamodb.wire.errors import may_have_landed
from dynamo_es.dynamodb.wire.lean.connections import Signed
from tests.dynamodb.wire.both_transports import CONFIG
from tests.dynamodb.wire.socket_server import OK, Connected, answering, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dynamo_es import DynamoConfig

QUICK = replace(CONFIG, connect_timeout=2.0, read_timeout=3.0, max_attempts=1)
HASTY = replace(QUICK, read_timeout=0.1)


def signed(url: str, body: bytes = b'{"a": 1}', **headers: str) -> Signed:
    return Signed(f"{url}/", {"X-Amz-Target": "DynamoDB_20120810.PutItem", **headers}, body)


def sending(
    url: str, send: Callable[[Any], Any], config: DynamoConfig = QUICK, **given: Any
) -> Any:
    """Return what a coroutine function of the connections and their bridge's `run` returns."""

    async def use() -> Any:
        bridge = GreenletBridge(1)
        connections = LoopConnections(url, config, bridge, **given)

        async def one(body: bytes = b'{"a": 1}', **headers: str) -> Any:
            return await bridge.run(connections.send, signed(url, body, **headers))

        try:
            return await send(one)
        finally:
            await connections.aclose()

    return asyncio.run(use())


def test_a_request_is_sent_whole_with_host_and_length():
    heard = []

    def listen(connected: Connected, _: int) -> None:
        heard.append(connected.socket.recv(65536))
        connected.reply()

    with serving(listen) as server:
        reply = sending(server.url, lambda one: one())
        host = server.url.removeprefix("http://")
    assert (reply.status_code, reply.content) == (200, b"{}")
    assert reply.headers["x-amzn-RequestId"] == "ABCDEF"
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert body == b'{"a": 1}'
    assert head.decode().split("\r\n") == [
        "POST / HTTP/1.1",
        f"Host: {host}",
        "Accept-Encoding: identity",
        "X-Amz-Target: DynamoDB_20120810.PutItem",
        "Content-Length: 8",
    ]


def test_a_large_body_is_sent_whole_with_its_length():
    heard: list[bytes] = []

    def listen(connected: Connected, _: int) -> None:
        heard.append(connected.request())
        connected.reply()

    body = b"x" * 3_000_000
    with serving(listen) as server:
        sending(server.url, lambda one: one(body))
    assert heard == [body]


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb"])
def test_a_header_with_a_line_break_is_not_sent(value):
    with serving(answering) as server, pytest.raises(HTTPClientError):
        sending(server.url, lambda one: one(**{"X-Amz-Security-Token": value}))


def test_connections_are_used_again_and_no_more_are_open_than_configured():
    async def many(one: Any) -> None:
        await asyncio.gather(*(one() for _ in range(20)))
        await asyncio.gather(*(one() for _ in range(20)))

    with serving(answering) as server:
        sending(server.url, many, replace(QUICK, max_pool_connections=3))
    assert server.accepted == 3


def test_no_server_means_that_nothing_was_sent():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(EndpointConnectionError) as raised:
        sending(f"http://127.0.0.1:{port}", lambda one: one())
    assert not may_have_landed(raised.value, None)


def _silent(connected: Connected) -> None:
    time.sleep(1)
    connected.close()


FAILURES: dict[str, tuple[Callable[[Connected], None], type[Exception]]] = {
    "no reply": (_silent, ReadTimeoutError),
    "closed": (lambda connected: connected.close(), ConnectionClosedError),
    "cut in the head": (lambda connected: connected.reply(OK[:30]), ConnectionClosedError),
    "cut in the body": (lambda connected: connected.reply(OK[:-1]), ConnectionClosedError),
    "no HTTP": (lambda connected: connected.reply(b"What?\r\n\r\n"), HTTPClientError),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_after_the_request_was_sent_may_have_landed(case):
    fail, expected = FAILURES[case]

    def serve(connected: Connected, _: int) -> None:
        connected.request()
        fail(connected)

    with serving(serve) as server:
        with pytest.raises(expected) as raised:
            sending(server.url, lambda one: one(), HASTY)
        assert may_have_landed(raised.value, None)


def test_a_certificate_of_somebody_else_is_refused(tmp_path: Path, monkeypatch):
    certified = certify(tmp_path)
    with serving(answering, certified) as server:
        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            sending(server.url, lambda one: one())
        reply = sending(server.url, lambda one: one(), ca_bundle=str(certified[0]))
    assert reply.status_code == 200


def test_the_connection_of_a_cancelled_request_is_not_used_again():
    def slow_at_first(connected: Connected, number: int) -> None:
        while connected.request():
            if number == 0:
                time.sleep(0.2)
                connected.reply(OK.replace(b"ABCDEF", b"OTHERS"))
            else:
                connected.reply()

    async def cancel_one(one: Any) -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await one()
        await asyncio.sleep(0.2)
        return await one()

    with serving(slow_at_first) as server:
        reply = sending(server.url, cancel_one)
    assert reply.headers["x-amzn-RequestId"] == "ABCDEF"
    assert server.accepted == 2


def test_connections_are_opened_anew_after_they_were_closed_and_in_another_loop():
    bridge = GreenletBridge(1)
    with serving(answering) as server:
        connections = LoopConnections(server.url, QUICK, bridge)

        async def between() -> None:
            for _ in range(2):
                await bridge.run(connections.send, signed(server.url))
                connections.before_snapshot()
            await connections.aclose()

        for _ in range(2):
            asyncio.run(between())
    assert server.accepted == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own():
    bridge = GreenletBridge(1)
    with serving(answering) as server:
        connections = LoopConnections(server.url, QUICK, bridge)

        async def send() -> int:
            reply = await bridge.run(connections.send, signed(server.url))
            return int(reply.status_code)

        async def forking() -> int:
            assert await send() == 200
            child = os.fork()
            if child == 0:
                os._exit(_in_child(send))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])  # noqa: ASYNC222 - it is short
            assert await send() == 200
            await connections.aclose()
            return code

        assert asyncio.run(forking()) == 0
    assert server.accepted == 2


def _in_child(send: Callable[[], Any]) -> int:
    asyncio.events._set_running_loop(None)
    try:
        return int(asyncio.run(send()) != 200)
    except BaseException:  # noqa: BLE001 - the parent sees the code
        return 1
