"""No reply is taken for that of another request, whatever servers, threads and signals do."""

from __future__ import annotations

import gzip
import io
import json
import logging
import os
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import parse_headers
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es.dynamodb.wire.boto.sending import sender_of
from dynamo_es.dynamodb.wire.client import LazyClient, make_client
from dynamo_es.dynamodb.wire.connections import direct_pools
from tests.dynamodb.wire.scripted import BODY, Step, message, says, says_and_closes, serving
from tests.dynamodb.wire.senders import client_at, config_at, nothing_hooked_in, sent_by_botocore
from tests.dynamodb.wire.test_sending import TRANSPORTS, run

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

# The fixture, by its name.
__all__ = ["nothing_hooked_in"]

pytestmark = pytest.mark.usefixtures("nothing_hooked_in")

STALE = message(b'{"TableNames": ["stale"]}')
ORDINARY = ["events", "log"]


def tables(client: Any) -> list[str]:
    names: list[str] = client.list_tables()["TableNames"]
    return names


# --- a reply and what comes after it


@pytest.mark.parametrize("more", [STALE, b"x", b"\r\n", STALE[:40]], ids=len)
def test_a_connection_that_gave_more_than_a_reply_is_not_used_again(more: bytes) -> None:
    with serving(says(message() + more)) as server:
        client = client_at(server.port)

        assert [tables(client) for _ in range(3)] == [ORDINARY] * 3
        assert (len(server.requests), server.connections) == (3, 2)


def test_a_rest_that_comes_later_is_not_the_next_reply() -> None:
    with serving(says(message(), STALE)) as server:
        client = client_at(server.port)
        first = tables(client)
        threading.Event().wait(0.05)

        assert [first, tables(client)] == [ORDINARY] * 2
        assert server.connections == 2


def test_a_reply_that_was_too_short_ends_the_connection() -> None:
    cut = says_and_closes(message(BODY[:9], length=len(BODY)))
    with serving(cut) as server:
        client = client_at(server.port)
        pool = next_pool(client)

        assert tables(client) == ORDINARY
        assert len(server.requests) == server.connections == 2
        assert [each.sock is not None for each in idle(pool)] == [True]


def next_pool(client: Any) -> Any:
    return sender_of(client)._target(client.meta.endpoint_url + "/").pool  # type: ignore[union-attr]


def idle(pool: Any) -> list[Any]:
    return [each for each in pool.pool.queue if each is not None]


class Pieces(io.RawIOBase):
    """Gives the pieces of a reply, each for itself."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        piece = self._pieces.pop(0) if self._pieces else b""
        if len(piece) > len(into):
            self._pieces.insert(0, piece[len(into) :])
            piece = piece[: len(into)]
        into[: len(piece)] = piece
        return len(piece)


class Given:
    """A socket to read from, without a network."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    def settimeout(self, _: float) -> None:
        """Do nothing."""

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(Pieces(*self._pieces))

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("length", [9, 8_000, 20_000])
@pytest.mark.parametrize("more", [b"", STALE], ids=["exact", "more"])
@pytest.mark.parametrize("size", [100, 8_192, 100_000])
def test_bytes_after_a_reply_are_seen_wherever_they_wait(
    length: int, more: bytes, size: int
) -> None:
    # Python's buffer holds 8 KB. That of TLS holds 16 KB, and the system does not see it.
    arrived = message(b"x" * length) + more
    pieces = [arrived[at : at + size] for at in range(0, len(arrived), size)]
    connection: Any = direct_pools({}).connection_from_url("http://a").ConnectionCls("a")
    connection.sock = Given(*pieces)

    assert connection.getresponse().data == b"x" * length
    # A reply whose head comes in pieces is read by Python's client.
    assert (connection.sock is None) == bool(more) or size == 100


def read(*pieces: bytes) -> tuple[int, dict[str, str], bytes]:
    connection: Any = direct_pools({}).connection_from_url("http://a").ConnectionCls("a")
    connection.sock = Given(*pieces)
    answer = connection.getresponse()
    return answer.status, dict(answer.headers), answer.data


def chunked() -> bytes:
    head = message(b"", Transfer_Encoding="chunked").replace(b"Content-Length: 0\r\n", b"")
    return head + b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:])


@pytest.mark.parametrize(
    "reply",
    [message(), chunked(), b"HTTP/1.1 100 Continue\r\n\r\n" + message(Server="a\r\n b")],
    ids=["usual", "chunked", "continued"],
)
def test_a_reply_may_be_split_at_any_byte(reply: bytes) -> None:
    whole = read(reply)
    assert whole[2] == BODY

    for place in range(1, len(reply)):
        assert read(reply[:place], reply[place:]) == whole
    assert read(*(reply[place : place + 1] for place in range(len(reply)))) == whole


OTHERWISE: dict[str, Step] = {
    # botocore takes them for replies of 0 bytes, and what follows for the next reply.
    "early hints": says(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", STALE),
    "early hints at once": says(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + STALE),
    "another protocol": says(message(b"", "HTTP/1.1 101 Switching Protocols"), STALE),
    # botocore reads until the connection ends.
    "a length beyond numbers": says_and_closes(message(Content_Length="9" * 30)),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_is_no_final_reply_ends_the_connection(name: str) -> None:
    with serving(OTHERWISE[name]) as server:
        client = client_at(server.port)

        assert [tables(client) for _ in range(2)] == [ORDINARY] * 2
        assert (len(server.requests), server.connections) == (3, 2)


# --- interruptions


@pytest.mark.parametrize("at", ["head", "body", "sending"])
def test_an_interrupted_request_leaves_no_connection_that_gives_its_reply(
    monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    with serving() as server:
        client = client_at(server.port)
        tables(client)
        connection = idle(next_pool(client))[0]
        monkeypatch.setattr(connection, "sock", Interrupted(connection.sock, at))

        with pytest.raises(KeyboardInterrupt):
            client.list_tables(ExclusiveStartTableName="interrupted")

        assert [tables(client) for _ in range(2)] == [ORDINARY] * 2
        assert connection.sock is None or not isinstance(connection.sock, Interrupted)
        assert server.connections == 2


class Interrupted:
    """A socket at which a request is interrupted."""

    def __init__(self, real: socket.socket, at: str) -> None:
        self._real = real
        self._at = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def sendall(self, content: bytes) -> None:
        self._real.sendall(content if self._at != "sending" else content[:100])
        if self._at == "sending":
            raise KeyboardInterrupt

    def makefile(self, mode: str) -> Any:
        if self._at == "head":
            raise KeyboardInterrupt
        head = message().partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return io.BufferedReader(_Interrupting(head))


class _Interrupting(Pieces):
    def readinto(self, into: Any) -> int:
        return super().readinto(into) or _interrupt()


def _interrupt() -> int:
    raise KeyboardInterrupt


# --- threads


@contextmanager
def echoing(closes_after: int | None) -> Iterator[int]:
    """Serve replies that name what was asked for; close each connection after so many of them."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            done = 0
            while done != closes_after and self.rfile.readline():
                headers = parse_headers(self.rfile)
                asked = json.loads(self.rfile.read(int(headers["Content-Length"])))
                name = asked["ExclusiveStartTableName"]
                self.wfile.write(message(json.dumps({"TableNames": [name]}).encode()))
                done += 1

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:
            """Say nothing: a client may close its connections."""

    with Threads(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.ci
@pytest.mark.parametrize("closes_after", [None, 1, 3])
def test_each_thread_gets_the_replies_to_its_own_requests(closes_after: int | None) -> None:
    with echoing(closes_after) as port:
        client = client_at(port, max_pool_connections=10, max_attempts=10, read_timeout=20)

        def ask(number: int) -> bool:
            name = f"table-{number}"
            return client.list_tables(ExclusiveStartTableName=name)["TableNames"] == [name]

        with ThreadPoolExecutor(50) as threads:
            assert all(threads.map(ask, range(1_000 if closes_after is None else 300)))
        assert not sent_by_botocore(client)


# --- forks and copies


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_client_of_the_library_that_was_given_to_another_backend_is_forked_too() -> None:
    with serving() as server:
        first = make_client(config_at(f"http://127.0.0.1:{server.port}"))
        client = LazyClient(config_at(f"http://127.0.0.1:{server.port}"), first)
        client().list_tables()
        before = server.connections

        child = os.fork()
        if not child:
            try:
                client().list_tables()
                os._exit(0)
            finally:
                os._exit(9)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        client().list_tables()

        assert status == 0
        assert (before, server.connections) == (1, 2)


def test_the_client_for_users_sends_in_the_same_way() -> None:
    with serving() as server:
        client = LazyClient(config_at(f"http://127.0.0.1:{server.port}"), None)
        tables(client())

        assert tables(client.for_users()) == ORDINARY
        assert server.connections == 1
        assert not sent_by_botocore(client.for_users())


# --- what a user turns on later


def test_botocores_log_shows_the_request_and_the_reply(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server:
        client = client_at(server.port)
        with caplog.at_level(logging.DEBUG):
            assert tables(client) == ORDINARY

        assert BODY.decode() in caplog.text
        assert '"POST / HTTP/1.1" 200' in caplog.text
        assert not sent_by_botocore(client)


def test_credentials_that_are_renewed_sign_the_next_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expired = message(
        b'{"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "expired"}',
        "HTTP/1.1 503 Service Unavailable",
    )
    with serving(says(expired)) as server:
        client = client_at(server.port)
        keys = iter(["OLD", "NEW"])
        signer = client._request_signer
        make = type(signer._credentials).get_frozen_credentials

        def renewed(self: Any) -> Any:
            return make(self)._replace(access_key=next(keys, "NEW"))

        monkeypatch.setattr(type(signer._credentials), "get_frozen_credentials", renewed)

        assert tables(client) == ORDINARY
        seen = [b"Credential=NEW/" in request for request in server.requests]
        assert seen == [False, True]


HOSTILE: dict[str, Step] = {
    "compressed": says(message(gzip.compress(BODY), Content_Encoding="gzip")),
    "of more bytes than there are": says_and_closes(message(length=10**9)),
    "of a length beyond digits": says_and_closes(message(Content_Length="9" * 5_000)),
    "of a length with a sign": says(message(Content_Length=f"+{len(BODY)}")),
    "of two lengths": says_and_closes(message(Content_Length=f"{len(BODY)}, {len(BODY)}")),
    "with a header of 100 KB": says_and_closes(message(Server="x" * 100_000)),
    "with a NUL in a header": says(message(Server="a\0b")),
    "with a line feed in a header": says(message(Server="a\nx-amz-crc32: 1")),
    "with a carriage return in a header": says(message(Server="a\rx-amz-crc32: 1")),
    "with a blank before a colon": says(message().replace(b"x-amz-crc32:", b"x-amz-crc32 :")),
    "with no checksum": says(message(x_amz_crc32="")),
    "with a checksum twice": says(message().replace(b"Server: ", b"X-Amz-Crc32: 1\r\nServer: ")),
    "of four digits": says_and_closes(message(status="HTTP/1.1 2000 OK")),
    "in three digits of another script": says_and_closes(
        message(status="HTTP/1.1 \u0662\u0660\u0660 OK")
    ),
    "in a chunk of no end": says_and_closes(chunked()[:-5]),
    "in chunks, with trailers": says(chunked()[:-2] + b"x-amz-crc32: 1\r\n\r\n"),
    "in chunks that are none": says_and_closes(chunked().replace(b"\r\n5\r\n", b"\r\n-5\r\n")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_is_what_it_is_with_botocore_and_so_is_the_next(name: str) -> None:
    ours, theirs = (run(transport, [HOSTILE[name]], 3) for transport in TRANSPORTS)

    assert ours.outcomes == theirs.outcomes
    assert ours.outcomes[-1]["TableNames"] == ORDINARY
    assert (ours.requests, ours.maybe_landed) == (theirs.requests, theirs.maybe_landed)
