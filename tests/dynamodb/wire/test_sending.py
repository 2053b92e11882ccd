"""The default transport does what botocore does, with the same requests, errors and retries."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import botocore.handlers
import botocore.loaders
import botocore.session
import pytest

from dynamo_es import DynamoConfig
from dynamo_es.dynamodb.wire.attempts import attempts, watch
from dynamo_es.dynamodb.wire.client import make_client
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

# A client takes long to make when it reads the descriptions of the services itself.
_LOADER = botocore.loaders.create_loader()
GOOD = says(message())
HEAD, _, _ = message().partition(b"\r\n\r\n")
ERROR = b'{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "Oh"}'
REFUSED = (
    b'{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",'
    b' "message": "The conditional request failed"}'
)


@pytest.fixture(autouse=True)
def alone(monkeypatch) -> None:
    """Leave out the handler that moto gives to every client once it is imported; never wait."""
    handlers = [entry for entry in botocore.handlers.BUILTIN_HANDLERS if entry[0] != "before-send"]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr(botocore.session, "create_loader", lambda _: _LOADER)
    for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(variable, raising=False)


def client_at(port: int, transport: Any = "default", **settings: Any) -> Any:
    config = DynamoConfig(
        events_table="events",
        log_table="log",
        keys_table="keys",
        endpoint_url=f"http://127.0.0.1:{port}",
        region="eu-central-1",
        transport=transport,
        **{"read_timeout": 0.3, "max_attempts": 3, **settings},
    )
    client = make_client(config)
    watch(client)
    return client


def sent_by_botocore(client: Any) -> bool:
    """Whether botocore used connections of its own."""
    return len(client._endpoint.http_session._manager.pools) > 0


@dataclass
class Seen:
    """What came of calls, for the caller and for the server."""

    outcomes: list[Any]
    requests: int
    connections: int
    maybe_landed: list[bool]


def run(transport: str, steps: list[Step], calls: int) -> Seen:
    outcomes, landed = [], []
    with serving(*steps) as server:
        client = client_at(server.port, transport)
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


@pytest.mark.parametrize("steps", FAULTS.values(), ids=FAULTS)
def test_a_failure_is_what_it_is_with_botocore(steps) -> None:
    ours, theirs = (run(transport, list(steps), 1) for transport in ("default", "botocore"))

    assert ours == theirs


def chunked(body: bytes) -> bytes:
    head = message(b"", Transfer_Encoding="chunked", x_amz_crc32="4165096033")
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
    "in chunks": says(chunked(BODY)),
    "with keep-alive in capitals": says(message(Connection="Keep-Alive")),
    "that closes": says_and_closes(message(Connection="close")),
    "of HTTP/1.0": says_and_closes(message(status="HTTP/1.0 200 OK", Connection="close")),
    "without a length": says_and_closes(message().replace(b"Content-Length: 33\r\n", b"")),
    "with more than its body": says(message() + b"more"),
    "of many bytes": says(message(BODY + b" " * 300_000)),
    "with long headers": says(message(Server="x" * 20_000)),
}


@pytest.mark.parametrize("step", REPLIES.values(), ids=REPLIES)
def test_a_reply_is_what_it_is_with_botocore_and_so_is_the_next(step) -> None:
    steps = [step, GOOD, GOOD]

    ours, theirs = (run(transport, list(steps), 3) for transport in ("default", "botocore"))

    assert ours == theirs
    assert ours.outcomes[1]["TableNames"] == ["events", "log"]


def test_a_connection_that_the_server_has_closed_is_replaced_without_a_retry() -> None:
    for transport in ("default", "botocore"):
        with serving(says_and_closes(message()), GOOD) as server:
            client = client_at(server.port, transport)
            client.list_tables()
            socket.create_connection(("127.0.0.1", server.port)).close()  # it has gone around

            reply = client.list_tables()

            assert reply["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_server_that_does_not_listen_cannot_have_carried_out_a_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    found = []
    for transport in ("default", "botocore"):
        attempts.reset()
        with pytest.raises(Exception, match="connect to the endpoint") as raised:
            client_at(port, transport).list_tables()
        found.append((raised.type, attempts.count, attempts.maybe_landed))

    assert found[0] == found[1]
    assert found[0][1:] == (3, False)
