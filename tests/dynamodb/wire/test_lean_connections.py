"""Connections of the lean transport fail as botocore's do, and no reply goes to another request."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from botocore import httpsession
from botocore.exceptions import (
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

from benchmarks.canned import certify
from dynamo_es.dynamodb.wire import connections as module
from dynamo_es.dynamodb.wire.lean.connections import (
    Connections,
    Signed,
    trusted_certificates,
)
from tests.dynamodb.wire.both_transports import CONFIG, of_botocore, of_lean, outcome
from tests.dynamodb.wire.socket_server import OK, Connected, Server, answering, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dynamo_es import DynamoConfig

PUT: dict[str, Any] = {"TableName": "events", "Item": {"stream_key": {"S": "a"}}}
QUICK = replace(CONFIG, connect_timeout=2.0, read_timeout=3.0, max_attempts=1)
HASTY = replace(QUICK, read_timeout=0.1)
REQUEST = Signed("http://x/", {"X-Amz-Target": "DynamoDB_20120810.PutItem"}, b'{"a": 1}')


def connections_to(server: Server, config: DynamoConfig = QUICK, **given: Any) -> Connections:
    return Connections(server.url, config, **given)


def by_both(url: str, monkeypatch: Any, config: DynamoConfig = QUICK) -> list[dict[str, Any]]:
    """Return what a put comes to, by botocore and by the lean transport."""
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    ordinary = of_botocore(None, replace(config, endpoint_url=url))
    lean = of_lean(Connections(url, config), config)
    return [outcome(client, "put_item", PUT) for client in (ordinary, lean)]


# --- one exchange after another


def test_a_connection_is_used_again():
    with serving(answering) as server:
        connections = connections_to(server)
        for _ in range(5):
            reply = connections.send(REQUEST)
            assert (reply.status_code, reply.content) == (200, b"{}")
            assert reply.headers["x-amzn-RequestId"] == "ABCDEF"
    assert server.accepted == 1


def test_a_request_is_sent_whole_with_host_and_length():
    heard = []

    def listen(connected: Connected, _: int) -> None:
        heard.append(connected.socket.recv(65536))
        connected.reply()

    with serving(listen) as server:
        connections_to(server).send(REQUEST)
        host = server.url.removeprefix("http://")
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert body == b'{"a": 1}'
    assert head.decode().split("\r\n") == [
        "POST / HTTP/1.1",
        f"Host: {host}",
        "Accept-Encoding: identity",
        "X-Amz-Target: DynamoDB_20120810.PutItem",
        "Content-Length: 8",
    ]


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb"])
def test_a_header_with_a_line_break_is_not_sent(value):
    with serving(answering) as server, pytest.raises(HTTPClientError, match="line break"):
        connections_to(server).send(Signed("", {"X-Amz-Security-Token": value}, b""))


def test_a_connection_that_the_server_closed_meanwhile_is_replaced():
    def once(connected: Connected, _: int) -> None:
        connected.request()
        connected.reply()

    with serving(once) as server:
        connections = connections_to(server)
        for _ in range(3):
            assert connections.send(REQUEST).status_code == 200
            time.sleep(0.05)  # for the end to arrive
    assert server.accepted == 3


@pytest.mark.parametrize("extra", [b"x", OK])
def test_a_connection_with_bytes_that_nobody_asked_for_is_not_used_again(extra):
    def too_much(connected: Connected, number: int) -> None:
        while connected.request():
            connected.reply()
            if number == 0:
                time.sleep(0.02)
                connected.reply(extra)

    with serving(too_much) as server:
        connections = connections_to(server)
        connections.send(REQUEST)
        time.sleep(0.05)
        assert connections.send(REQUEST).content == b"{}"
    assert server.accepted == 2


def test_a_reply_that_ends_the_connection_is_the_last_on_it():
    def ending(connected: Connected, _: int) -> None:
        while connected.request():
            connected.reply(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    with serving(ending) as server:
        connections = connections_to(server)
        for _ in range(2):
            connections.send(REQUEST)
    assert server.accepted == 2


def test_a_reply_in_chunks_is_put_together():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"

    def chunks(connected: Connected, _: int) -> None:
        while connected.request():
            connected.reply(chunked)

    with serving(chunks) as server:
        connections = connections_to(server)
        assert [connections.send(REQUEST).content for _ in range(2)] == [b"{}"] * 2
    assert server.accepted == 1


def test_a_connection_whose_reply_did_not_come_is_not_used_again():
    late = threading.Event()

    def slow(connected: Connected, number: int) -> None:
        connected.request()
        if number == 0:
            late.wait(5)
        connected.reply(OK.replace(b"ABCDEF", b"%06d" % number))

    with serving(slow) as server:
        connections = connections_to(server, HASTY)
        with pytest.raises(ReadTimeoutError):
            connections.send(REQUEST)
        late.set()
        assert connections.send(REQUEST).headers["x-amzn-RequestId"] == "000001"


def test_an_interrupt_during_a_reply_does_not_leave_the_connection_to_another_request(monkeypatch):
    with serving(answering) as server:
        connections = connections_to(server)
        connections.send(REQUEST)
        with monkeypatch.context() as patch:
            patch.setattr(module, "_usual_head", Mock(side_effect=SystemExit))
            with pytest.raises(SystemExit):
                connections.send(REQUEST)
        connections.send(REQUEST)
    assert server.accepted == 2


# --- failures, beside botocore's


def pause(seconds: float) -> None:
    """Wait, also where `time.sleep` is replaced."""
    threading.Event().wait(seconds)


def closes_at_once(connected: Connected, _: int) -> None:
    """Close without reading."""


def closes_after_the_request(connected: Connected, _: int) -> None:
    connected.request()


def resets(connected: Connected, _: int) -> None:
    connected.request()
    connected.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connected.socket.close()


def cuts_the_head(connected: Connected, _: int) -> None:
    connected.request()
    connected.reply(OK[:30])


def says_nothing(connected: Connected, _: int) -> None:
    connected.request()
    pause(1)


def stops_in_the_body(connected: Connected, _: int) -> None:
    connected.request()
    connected.reply(OK[:-1])
    pause(1)


def speaks_another_language(connected: Connected, _: int) -> None:
    connected.request()
    connected.reply(b"SSH-2.0-OpenSSH_9.6\r\n")


@pytest.mark.parametrize(
    "handle",
    [
        closes_at_once,
        closes_after_the_request,
        resets,
        cuts_the_head,
        says_nothing,
        stops_in_the_body,
        speaks_another_language,
    ],
    ids=lambda handle: handle.__name__,
)
def test_a_failure_is_the_one_of_botocore(monkeypatch, handle: Callable[[Connected, int], None]):
    with serving(handle) as server:
        waits_in_vain = handle in {says_nothing, stops_in_the_body}
        config = HASTY if waits_in_vain else QUICK
        theirs, ours = by_both(server.url, monkeypatch, config)
    assert ours["raised"] == theirs["raised"]
    assert ours["attempts"] == theirs["attempts"] == (1, True)


def test_a_cut_body_is_a_failure_by_both(monkeypatch):
    def cuts(connected: Connected, _: int) -> None:
        connected.request()
        connected.reply(OK[:-1])

    with serving(cuts) as server:
        theirs, ours = by_both(server.url, monkeypatch)
    assert theirs["response"]["Error"]["Code"] == ours["response"]["Error"]["Code"] == "BadReply"
    assert ours["attempts"] == theirs["attempts"] == (1, True)


def test_a_port_where_nobody_listens_is_known_not_to_have_carried_it_out(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    theirs, ours = by_both(url, monkeypatch)
    assert ours["raised"] == theirs["raised"] == "EndpointConnectionError"
    assert ours["attempts"] == theirs["attempts"] == (1, False)


def test_a_name_that_does_not_exist_is_known_not_to_have_carried_it_out():
    with pytest.raises(EndpointConnectionError):
        Connections("http://dynamodb.invalid", QUICK).send(REQUEST)


# --- TLS


@pytest.fixture(scope="module")
def certified(tmp_path_factory) -> tuple[Path, Path]:
    return certify(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("installed", [True, False])
def test_the_certificates_are_those_that_botocore_trusts(monkeypatch, installed):
    if not installed:
        monkeypatch.setitem(sys.modules, "certifi", None)
    theirs = httpsession.where() if installed else httpsession.DEFAULT_CA_BUNDLE

    assert trusted_certificates() == theirs


def test_a_certificate_that_is_trusted_is_taken(certified):
    with serving(answering, certified) as server:
        connections = connections_to(server, ca_bundle=str(certified[0]))
        for _ in range(3):
            assert connections.send(REQUEST).content == b"{}"
    assert server.accepted == 1


def test_a_certificate_that_nobody_signed_is_refused(monkeypatch, certified):
    with serving(answering, certified) as server:
        theirs, ours = by_both(server.url, monkeypatch)
        assert ours["raised"] == theirs["raised"] == "SSLError"
        assert ours["attempts"] == theirs["attempts"]


def test_a_certificate_of_another_host_is_refused(certified):
    with serving(answering, certified) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with pytest.raises(SSLError):
            Connections(url, QUICK, str(certified[0])).send(REQUEST)


def test_a_server_without_tls_is_refused():
    with serving(answering) as server, pytest.raises(HTTPClientError):
        quick = replace(QUICK, connect_timeout=0.2)
        Connections(server.url.replace("http:", "https:"), quick).send(REQUEST)


@pytest.mark.ci
def test_a_handshake_that_takes_too_long_fails_as_botocores(monkeypatch):
    def silent(connected: Connected, _: int) -> None:
        pause(1)

    with serving(silent) as server:
        url = server.url.replace("http:", "https:")
        quick = replace(QUICK, connect_timeout=0.3)
        ordinary = of_botocore(None, replace(quick, endpoint_url=url))
        lean = of_lean(Connections(url, quick), quick)
        theirs, ours = (outcome(client, "put_item", PUT) for client in (ordinary, lean))
    assert ours["raised"] == theirs["raised"]
    assert ours["attempts"] == theirs["attempts"]


# --- threads and forks


def test_threads_share_connections_and_no_more_stay_open_than_configured():
    together = threading.Barrier(6)

    def echo(connected: Connected, _: int) -> None:
        while body := connected.request():
            together.wait(10)
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            connected.reply(head + body)

    with serving(echo) as server:
        connections = connections_to(server, replace(QUICK, max_pool_connections=2))

        def send(number: int) -> bool:
            body = b"%d" % number
            return connections.send(Signed("", {}, body)).content == body

        with ThreadPoolExecutor(6) as threads:
            for _ in range(3):
                assert all(threads.map(send, range(6)))
        assert server.accepted == 6 + 4 + 4
        connections.close()
        together.abort()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own():
    with serving(answering) as server:
        connections = connections_to(server)
        connections.send(REQUEST)
        child = os.fork()
        if not child:
            os._exit(0 if connections.send(REQUEST).content == b"{}" else 1)
        assert os.waitpid(child, 0)[1] == 0
        connections.send(REQUEST)
    assert server.accepted == 2
