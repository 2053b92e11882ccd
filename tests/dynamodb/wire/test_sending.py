"""The default transport does what botocore does, with the same requests, errors and retries."""

from __future__ import annotations

import hmac
import os
import socket
import threading
from binascii import crc32
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import HTTPClientError, SSLError

from benchmarks.canned import CA_BUNDLE, canned
from benchmarks.replaying import Reply
from dynamo_es.dynamodb.wire.attempts.watching import attempts
from dynamo_es.dynamodb.wire.client import LazyClient, make_client
from tests.dynamodb.wire.scripted import (
    BODY,
    Step,
    hangs,
    message,
    says,
    says_and_closes,
    says_and_resets,
    serving,
)
from tests.dynamodb.wire.senders import (
    HASTY,
    PATIENT,
    client_at,
    config_at,
    nothing_hooked_in,
    sent_by_botocore,
)

if TYPE_CHECKING:
    from dynamo_es.dynamodb.config import Transport

TRANSPORTS: tuple[Transport, ...] = ("default", "botocore")
GOOD = says(message())
HEAD, _, _ = message().partition(b"\r\n\r\n")
ERROR = b'{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "Oh"}'
REFUSED = (
    b'{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",'
    b' "message": "The conditional request failed"}'
)


# The fixture, by its name.
__all__ = ["nothing_hooked_in"]

pytestmark = pytest.mark.usefixtures("nothing_hooked_in")


@dataclass
class Seen:
    """What came of calls, for the caller and for the server."""

    outcomes: list[Any]
    requests: int
    connections: int
    maybe_landed: list[bool]


def run(transport: Transport, steps: list[Step], calls: int, read_timeout: float = PATIENT) -> Seen:
    outcomes, landed = [], []
    with serving(*steps) as server:
        client = client_at(server.port, transport, read_timeout=read_timeout)
        for _ in range(calls):
            attempts.reset()
            try:
                outcome: Any = client.list_tables()
                headers = outcome["ResponseMetadata"]["HTTPHeaders"]
                # Only newer releases of urllib3 make one line of a value in two.
                headers.update({name: " ".join(value.split()) for name, value in headers.items()})
            except Exception as error:  # noqa: BLE001 - whatever botocore raises
                outcome = type(error).__qualname__, getattr(error, "response", None)
            outcomes.append(outcome)
            landed.append(attempts.maybe_landed)
        if transport == "default":
            assert not sent_by_botocore(client)
        return Seen(outcomes, len(server.requests), server.connections, landed)


FAULTS: dict[str, list[Step]] = {
    "closed before the reply": [says_and_closes(), GOOD],
    "closed before every reply": [says_and_closes()] * 3,
    "reset before the reply": [says_and_resets(), GOOD],
    "closed within the status": [says_and_closes(b"HTTP/1.1 2"), GOOD],
    "closed within the headers": [says_and_closes(HEAD), GOOD],
    "closed within every head": [says_and_closes(HEAD)] * 3,
    "reset within the headers": [says_and_resets(HEAD), GOOD],
    "closed within the body": [says_and_closes(message(BODY[:9], length=len(BODY))), GOOD],
    "closed within every body": [says_and_closes(message(BODY[:9], length=len(BODY)))] * 3,
    "reset within the body": [says_and_resets(message(BODY[:9], length=len(BODY))), GOOD],
    "no body at all": [says_and_closes(message(b"", length=len(BODY))), GOOD],
    "a wrong checksum": [says(message(x_amz_crc32="1")), GOOD],
    "wrong checksums": [says(message(x_amz_crc32="1"))] * 3,
    "a server error": [says(message(ERROR, "HTTP/1.1 500 Internal Server Error")), GOOD],
    "server errors": [says(message(ERROR, "HTTP/1.1 500 Internal Server Error"))] * 3,
    "an error of a gateway": [says(message(b"<html>", "HTTP/1.1 503 Slow Down")), GOOD],
    "a refusal": [says(message(REFUSED, "HTTP/1.1 400 Bad Request"))],
    "a redirect": [says(message(b"", "HTTP/1.1 307 Temporary Redirect", Location="/x"))],
    "nothing": [hangs(), GOOD],
    "nothing, ever": [hangs()] * 3,
    "half of a head": [hangs(HEAD), GOOD],
    "half of a body": [hangs(message(BODY[:9], length=len(BODY))), GOOD],
    "half of each body": [hangs(message(BODY[:9], length=len(BODY)))] * 3,
    "no HTTP": [says_and_closes(b"SSH-2.0-OpenSSH_9.2\r\n"), GOOD],
    "another HTTP": [says_and_closes(message(status="HTTP/2.0 200 OK")), GOOD],
    "no number for a status": [says_and_closes(message(status="HTTP/1.1 two OK")), GOOD],
    "a length that is none": [says_and_closes(message(Content_Length="many")), GOOD],
    "a length below zero": [says_and_closes(message(Content_Length="-1")), GOOD],
    "a broken chunk": [
        says_and_closes(
            message(b"", Transfer_Encoding="chunked").replace(b"Content-Length: 0\r\n", b"")
            + b"20\r\nab"
        ),
        GOOD,
    ],
}


HANGING = {"nothing", "nothing, ever", "half of a head", "half of a body", "half of each body"}
"""In each, a reply never comes to its end. All others must not wait for a time-out."""

SLOW = {"nothing, ever", "half of each body"}
"""Each waits for time-outs, again and again."""

CUT = {"closed within every head", "closed within every body"}
"""Earlier releases of botocore call these a closed connection, not a reply that is too short."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.ci] if name in SLOW else []) for name in FAULTS],
)
def test_a_failure_is_what_it_is_with_botocore(name) -> None:
    wait = HASTY if name in HANGING else PATIENT
    ours, theirs = (run(transport, list(FAULTS[name]), 1, wait) for transport in TRANSPORTS)

    if name in CUT and theirs.outcomes[0][0] == "ConnectionClosedError":
        assert ours.outcomes[0][1]["ResponseMetadata"]["HTTPStatusCode"] == 502
        ours.outcomes = theirs.outcomes
    assert ours == theirs


def chunked(body: bytes) -> bytes:
    head = message(b"", Transfer_Encoding="chunked", x_amz_crc32=str(crc32(body)))
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(x), x) for x in (body[:5], body[5:]))
    return head.replace(b"Content-Length: 0\r\n", b"") + pieces + b"0\r\n\r\n"


def lowered(reply: bytes) -> bytes:
    head, _, body = reply.partition(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    return status + b"\r\n" + headers.lower() + b"\r\n\r\n" + body


REPLIES: dict[str, Step] = {
    "as usual": GOOD,
    "in two pieces": says(HEAD + b"\r\n\r\n", BODY),
    "in many pieces": says(*(message()[at : at + 40] for at in range(0, len(message()), 40))),
    "of length 0": says(message(b"")),
    "without a reason": says(message(status="HTTP/1.1 200 ")),
    "with names in lower case": says(lowered(message())),
    "with blanks around a value": says(message(x_amzn_RequestId=" \t ABC ")),
    "with a header twice": says(message().replace(b"Server: Server", b"Server: A\r\nServer: B")),
    "with a length twice": says(message().replace(b"Server: ", b"Content-Length: 33\r\nServer: ")),
    "with a header in two lines": says(message(Server="a\r\n b")),
    "with an odd name": says(message().replace(b"Server:", b"Ser_ver!:")),
    "with no value": says(message(Server="")),
    "with Latin-1": says(message(Server="x").replace(b"Server: x", b"Server: \xe4")),
    "with a line that is no header": says(message().replace(b"Server: Server", b"Server Server")),
    "with line feeds alone": says(message().replace(b"\r\n", b"\n")),
    "after 100 Continue": says(b"HTTP/1.1 100 Continue\r\n\r\n" + message()),
    "without content": says(message(b"", "HTTP/1.1 204 No Content")),
    "without content, of a length": says(message(b"", "HTTP/1.1 204 No Content", length=5)),
    "in chunks": says(chunked(BODY)),
    "in chunks, of a length": says(
        chunked(BODY).replace(b"Server: ", b"Content-Length: 9\r\nServer: ")
    ),
    "with keep-alive in capitals": says(message(Connection="Keep-Alive")),
    "that closes": says_and_closes(message(Connection="close")),
    "that promises to close": says(message(Connection="close")),
    "of HTTP/1.0": says_and_closes(message(status="HTTP/1.0 200 OK", Connection="close")),
    "without a length": says_and_closes(message().replace(b"Content-Length: 33\r\n", b"")),
    "of many bytes": says(message(BODY + b" " * 300_000)),
    "with long headers": says(message(Server="x" * 20_000)),
}


RETRIED = {
    "of length 0",
    "with a line that is no header",
    "without content",
    "without content, of a length",
}
"""Replies that are none of DynamoDB's."""


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_what_it_is_with_botocore_and_so_is_the_next(name) -> None:
    steps = [REPLIES[name], GOOD, GOOD]

    # No length is read after a line that is no header: the body ends with the time-out.
    wait = HASTY if name == "with a line that is no header" else PATIENT
    ours, theirs = (run(transport, list(steps), 3, wait) for transport in TRANSPORTS)

    assert ours == theirs
    assert ours.requests == (4 if name in RETRIED else 3)
    assert ours.outcomes[1]["TableNames"] == ["events", "log"]


def test_a_connection_that_the_server_has_closed_is_replaced_without_a_retry() -> None:
    for transport in TRANSPORTS:
        with serving(says_and_closes(message()), GOOD) as server:
            client = client_at(server.port, transport)
            client.list_tables()
            server.wait_for_a_close()

            reply = client.list_tables()

            assert reply["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_server_that_is_slow_for_a_moment_changes_nothing() -> None:
    def slowly(connection: socket.socket) -> bool:
        threading.Event().wait(HASTY + 0.1)
        return FAULTS["a length below zero"][0](connection)

    seen = run("botocore", [slowly, GOOD], 1)

    assert (seen.requests, seen.maybe_landed) == (1, [False])


@pytest.mark.ci
def test_a_reply_may_take_as_long_as_configured_and_longer_than_connecting() -> None:
    def slowly(connection: socket.socket) -> bool:
        threading.Event().wait(0.5)
        return GOOD(connection)

    for transport in TRANSPORTS:
        with serving(slowly) as server:
            client = client_at(server.port, transport, connect_timeout=0.2, read_timeout=5)
            assert client.list_tables()["ResponseMetadata"]["RetryAttempts"] == 0


def test_connections_stay_open_and_are_shared_by_threads() -> None:
    with serving() as server:
        client = client_at(server.port, max_pool_connections=4)
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: client.list_tables(), range(40)))

        assert [reply["TableNames"] for reply in replies] == [["events", "log"]] * 40
        assert server.connections <= 4
        assert not sent_by_botocore(client)


def test_no_more_connections_stay_open_than_configured() -> None:
    with serving() as server:
        client = client_at(server.port, max_pool_connections=1)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: client.list_tables(), range(40)))
        before = server.connections

        for _ in range(3):
            client.list_tables()

        assert server.connections == before


def fields_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_a_request_has_the_headers_of_botocore() -> None:
    changing = {"authorization", "x-amz-date", "amz-sdk-invocation-id", "host"}
    seen = {}
    for transport in TRANSPORTS:
        with serving() as server:
            client = client_at(server.port, transport)
            for _ in range(2):
                client.list_tables(ExclusiveStartTableName="ä" * 100)
            seen[transport] = [fields_of(request) for request in server.requests]
            bodies = {request.partition(b"\r\n\r\n")[2] for request in server.requests}
            assert len(bodies) == 1
            assert all(one["host"] == f"127.0.0.1:{server.port}" for one in seen[transport])

    for ours, theirs in zip(seen["default"], seen["botocore"], strict=True):
        assert ours.keys() == theirs.keys()
        kept = theirs.keys() - changing
        assert {name: ours[name] for name in kept} == {name: theirs[name] for name in kept}


def test_a_request_is_signed_as_it_is_sent(monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token/+=")
    with serving() as server:
        client = client_at(server.port)
        for text in ("", "ä" * 100, "b"):
            client.list_tables(ExclusiveStartTableName=text)

        assert not sent_by_botocore(client)
        for request in server.requests:
            assert fields_of(request)["authorization"].endswith(signature_of(request, "secret"))


def signature_of(request: bytes, secret: str) -> str:
    """Return what AWS works out from the request as it came."""
    fields, body = fields_of(request), request.partition(b"\r\n\r\n")[2]
    credential, names, _ = fields["authorization"].partition(" ")[2].split(", ")
    scope = credential.partition("/")[2]
    signed = names.partition("=")[2].split(";")
    lines = [f"{name}:{fields[name]}" for name in signed]
    canonical = ["POST", "/", "", *lines, "", ";".join(signed), sha256(body).hexdigest()]
    digest = sha256("\n".join(canonical).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"),):
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join(["AWS4-HMAC-SHA256", fields["x-amz-date"], scope, digest])
    return hmac.digest(key, text.encode(), "sha256").hex()


def test_a_path_of_the_endpoint_is_kept() -> None:
    for transport in TRANSPORTS:
        with serving() as server:
            endpoint = f"http://127.0.0.1:{server.port}/stage/x"
            client = make_client(config_at(endpoint, transport))
            client.list_tables()
            client.list_tables()

            assert {one.partition(b" HTTP")[0] for one in server.requests} == {b"POST /stage/x"}


def test_a_line_break_in_a_header_is_refused_as_by_botocore() -> None:
    for transport in TRANSPORTS:
        with serving() as server:
            client = client_at(server.port, transport)

            def smuggle(request, **_):
                request.headers["X-Trace"] = "a\r\nX-Other: b"

            client.meta.events.register("before-sign.dynamodb", smuggle)
            with pytest.raises(HTTPClientError):
                client.list_tables()

            assert server.requests == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own() -> None:
    with serving() as server:
        client = LazyClient(config_at(f"http://127.0.0.1:{server.port}"), None)
        client().list_tables()
        before = server.connections

        child = os.fork()
        if not child:
            try:
                client().list_tables()
                os._exit(int(sent_by_botocore(client())))
            finally:
                os._exit(9)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        client().list_tables()

        assert status == 0
        assert (before, server.connections) == (1, 2)


def test_over_tls_a_certificate_is_checked(monkeypatch) -> None:
    with canned([Reply(200, {}, BODY)]) as (endpoint,):
        trusting = make_client(config_at(endpoint))
        assert trusting.list_tables()["TableNames"] == ["events", "log"]
        assert not sent_by_botocore(trusting)
        monkeypatch.delenv(CA_BUNDLE)
        for transport in TRANSPORTS:
            with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
                make_client(config_at(endpoint, transport)).list_tables()


def test_a_server_that_does_not_listen_cannot_have_carried_out_a_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    found = []
    for transport in TRANSPORTS:
        attempts.reset()
        with pytest.raises(Exception, match="connect to the endpoint") as raised:
            client_at(port, transport).list_tables()
        found.append((raised.type, attempts.count, attempts.maybe_landed))

    assert found[0] == found[1]
    assert found[0][1:] == (3, False)
