"""A server of raw sockets: each connection is handled by a function of the test."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CRC_OF_EMPTY: Final = 2745614147
OK: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n"
    b"x-amzn-RequestId: ABCDEF\r\nx-amz-crc32: %d\r\n\r\n{}" % CRC_OF_EMPTY
)


class Connected:
    """A connection that a client has opened."""

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self._file = accepted.makefile("rb")

    def request(self) -> bytes:
        """Read a request, and return its body; nothing if the client has closed."""
        length = 0
        while (line := self._file.readline()) not in {b"", b"\r\n"}:
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return self._file.read(length)

    def reply(self, message: bytes = OK) -> None:
        """Send bytes."""
        self.socket.sendall(message)

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        with suppress(OSError):  # the client was faster
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Server:
    """Where it listens, and how many connections it has accepted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.accepted = 0


@contextmanager
def serving(
    handle: Callable[[Connected, int], None], certified: tuple[Path, Path] | None = None
) -> Iterator[Server]:
    """Serve until the context ends; the function gets each connection, and its number from 0.

    Args:
        handle: runs in a thread; when it returns, the connection is closed.
        certified: files of certificate and key, for TLS.
    """
    tls = None
    if certified is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*certified)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        scheme = "http" if tls is None else "https"
        server = Server(f"{scheme}://127.0.0.1:{listening.getsockname()[1]}")

        def accept() -> None:
            while True:
                try:
                    accepted, _ = listening.accept()
                except OSError:
                    return  # the end of the context
                number, server.accepted = server.accepted, server.accepted + 1
                threading.Thread(target=serve, args=(accepted, number), daemon=True).start()

        def serve(accepted: socket.socket, number: int) -> None:
            try:
                if tls is not None:
                    accepted = tls.wrap_socket(accepted, server_side=True)
                connected = Connected(accepted)
                try:
                    handle(connected, number)
                finally:
                    connected.close()
            except OSError:
                accepted.close()  # the client left

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def answering(connected: Connected, _: int = 0) -> None:
    """Answer every request."""
    while connected.request():
        connected.reply()
