"""A server of sockets that treats each request as its script says."""

from __future__ import annotations

import socket
import struct
import threading
from binascii import crc32
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

Step: TypeAlias = Callable[[socket.socket], bool]
"""Treats one request; returns whether the connection stays open."""

BODY: Final = b'{"TableNames": ["events", "log"]}'
_LONGEST: Final = 10


def message(
    body: bytes = BODY, status: str = "HTTP/1.1 200 OK", *, length: int | None = None, **more: str
) -> bytes:
    """Return a reply as DynamoDB gives it.

    Args:
        body: its body.
        status: its first line.
        length: value of Content-Length; None: the body's.
        more: further headers, with ``_`` for ``-``, or other values of those that there are.
    """
    headers = {
        "Server": "Server",
        "Date": "Thu, 26 Nov 2026 07:00:00 GMT",
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Length": str(len(body) if length is None else length),
        "Connection": "keep-alive",
        "x-amzn-RequestId": "ABC",
        "x-amz-crc32": str(crc32(body)),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    lines = [status, *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(*pieces: bytes) -> Step:
    """Send pieces of a reply, each for itself, and keep the connection."""

    def step(connection: socket.socket) -> bool:
        for piece in pieces:
            connection.sendall(piece)
            threading.Event().wait(0.01 if len(pieces) > 1 else 0)
        return True

    return step


def says_and_closes(*pieces: bytes) -> Step:
    """Send pieces of a reply, and close the connection."""

    def step(connection: socket.socket) -> bool:
        says(*pieces)(connection)
        return False

    return step


def says_and_resets(*pieces: bytes) -> Step:
    """Send pieces of a reply, and reset the connection."""

    def step(connection: socket.socket) -> bool:
        says(*pieces)(connection)
        threading.Event().wait(0.05)  # what was sent would be lost too
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return step


def hangs(*pieces: bytes) -> Step:
    """Send pieces of a reply, and nothing more until the client goes away."""

    def step(connection: socket.socket) -> bool:
        says(*pieces)(connection)
        connection.settimeout(_LONGEST)
        connection.recv(1)
        return False

    return step


class Server:
    """A server that treats the first requests as its steps say, and gives the others a good reply.

    Attributes:
        port: where it listens.
        requests: what came, head and body.
        connections: how many were opened.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._closed = threading.Semaphore(0)
        self._steps = list(steps)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_for_a_close(self) -> None:
        """Wait until a connection was closed."""
        assert self._closed.acquire(timeout=_LONGEST), "no connection was closed"

    def close(self) -> None:
        """Stop listening, and close all connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            stays = True
            while stays and (request := _read_request(connection)):
                self.requests.append(request)
                step = self._steps.pop(0) if self._steps else says(message())
                stays = step(connection)
        except OSError:
            pass
        finally:
            connection.close()
            self._closed.release()


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    fields = (line.partition(b":") for line in head.lower().split(b"\r\n")[1:])
    length = next((int(value) for name, _, value in fields if name == b"content-length"), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(*steps: Step) -> Iterator[Server]:
    """Run a server with these steps."""
    server = Server(steps)
    try:
        yield server
    finally:
        server.close()
