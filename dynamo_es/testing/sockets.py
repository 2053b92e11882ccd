"""Puts a faulty network below the default transport: between its connections and their sockets.

`dynamo_es.dynamodb.wire.boto.sending` writes the bytes of its requests and reads the bytes of the
replies as on AWS. In between, the network decides what happens to each request.
"""

from __future__ import annotations

import io
import socket
import threading
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3.connection import HTTPConnection

_END_OF_HEAD: Final = b"\r\n\r\n"
_PIECE: Final = 65_536


class Below:
    """The layer that sends a network's requests: a socket of the current exchange, or a session.

    Args:
        session: sends requests that do not belong to a connection, such as late ones. If it is not
            a session of botocore, it answers all requests, and no socket is opened.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._exchange = threading.local()
        self.connects = type(session) is URLLib3Session

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request, and return the reply."""
        real: socket.socket | None = getattr(self._exchange, "socket", None)
        if real is None:
            answer: AWSResponse = self._session.send(request)
            self._exchange.reply = bytes_of(answer)
            return answer
        real.sendall(_bytes_of_request(request))
        raw = self._exchange.reply = _read_reply(real)
        return _Received(request.url, raw)

    def close(self) -> None:
        """Close the connections of the session."""
        self._session.close()

    def reply_to(
        self,
        request: AWSPreparedRequest,
        carry: Callable[[AWSPreparedRequest], AWSResponse],
        real: socket.socket | None,
    ) -> Iterator[bytes]:
        """Yield the bytes that arrive when a network carries a request over a socket.

        Raises:
            TimeoutError, ConnectionResetError: the errors that a socket would raise.
        """
        answer, cut = self._exchanged(request, carry, real)
        if not cut:
            yield answer
            return
        yield answer[: len(answer) // 2]
        raise ConnectionResetError("injected")

    def _exchanged(
        self,
        request: AWSPreparedRequest,
        carry: Callable[[AWSPreparedRequest], AWSResponse],
        real: socket.socket | None,
    ) -> tuple[bytes, bool]:
        """Return the bytes of the reply, and whether the connection breaks in their middle."""
        # A plan of faults may send another request in the meantime.
        outer = getattr(self._exchange, "socket", None)
        self._exchange.socket, self._exchange.reply = real, b""
        try:
            answer = carry(request)
        except ReadTimeoutError as error:
            raise TimeoutError("timed out") from error
        except ConnectionClosedError:
            return self._exchange.reply, True
        finally:
            self._exchange.socket = outer
        return (answer.bytes if isinstance(answer, _Received) else bytes_of(answer)), False


class _Received(AWSResponse):
    """A reply with the bytes that were received."""

    def __init__(self, url: str, arrived: bytes) -> None:
        reply = HTTPResponse(_Stored(arrived), method="POST")  # type: ignore[arg-type]
        reply.begin()
        headers = HTTPHeaders.from_pairs(reply.msg.items())
        super().__init__(url, reply.status, headers, _Body(reply.read()))
        self.bytes = arrived


class _Stored:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._content)


class _Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class Socket:
    """The object that a connection uses as its socket.

    Args:
        below: sends the requests that the network lets through.
        carry: the network.
        url: scheme and host, as in a URL.
        real: the socket to the server; None: there is no server.
    """

    def __init__(
        self,
        below: Below,
        carry: Callable[[AWSPreparedRequest], AWSResponse],
        url: str,
        real: socket.socket | None,
    ) -> None:
        self._below = below
        self._carry = carry
        self._url = url
        self._real = real
        # urllib3 asks the operating system whether an idle socket has something to read.
        self._quiet = list(socket.socketpair()) if real is None else []
        self._request = b""

    def settimeout(self, seconds: float | None) -> None:
        """Set the time-out of the socket."""
        if self._real is not None:
            self._real.settimeout(seconds)

    def sendall(self, content: bytes) -> None:
        """Take the bytes of a request. They are sent when the reply is read."""
        self._request += content

    def makefile(self, _: str) -> io.BufferedReader:
        """Return a reader for the next reply."""
        request, self._request = _request_of(self._request, self._url), b""
        return io.BufferedReader(_Arriving(self._below.reply_to(request, self._carry, self._real)))

    def fileno(self) -> int:
        """Return the file descriptor of the socket."""
        return (self._real or self._quiet[0]).fileno()

    def shutdown(self, how: int) -> None:
        """Shut the socket down."""
        if self._real is not None:
            self._real.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        for each in (self._real, *self._quiet):
            if each is not None:
                each.close()


class _Arriving(io.RawIOBase):
    """Returns the pieces of an iterator as they are read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if not self._left:
            self._left = next(self._pieces, b"")
        piece, self._left = self._left[: len(into)], self._left[len(into) :]
        into[: len(piece)] = piece
        return len(piece)


def put_below(sender: Any, network: Any, below: Below) -> Callable[[], None]:
    """Make a network carry the requests of a `Sender`; return a function that undoes this."""
    before = sender._pools, sender._session, sender._targets  # noqa: SLF001 - a class of this library
    sender._pools = _pools(before[0], network, below)  # noqa: SLF001
    sender._session = network  # noqa: SLF001
    sender._targets = {}  # noqa: SLF001

    def take_away() -> None:
        sender._pools, sender._session, sender._targets = before  # noqa: SLF001

    return take_away


def _pools(ordinary: Any, network: Any, below: Below) -> Any:
    manager = type(ordinary)(**ordinary.connection_pool_kw)
    manager.pool_classes_by_scheme = {
        scheme: type(
            f"_Unreliable{pool.__name__}",
            (pool,),
            {"ConnectionCls": _connection_class(pool.ConnectionCls, network, below)},
        )
        for scheme, pool in ordinary.pool_classes_by_scheme.items()
    }
    return manager


def _connection_class(
    ordinary: type[HTTPConnection], network: Any, below: Below
) -> type[HTTPConnection]:
    class Unreliable(ordinary):  # type: ignore[valid-type, misc]
        def connect(self) -> None:
            if below.connects:
                super().connect()
            url = f"{'https' if self.default_port == 443 else 'http'}://"  # noqa: PLR2004
            real: Any = vars(self)["sock"]
            self.sock: Any = Socket(below, network.send_directly, url, real)

    return Unreliable


def _request_of(content: bytes, scheme: str) -> AWSPreparedRequest:
    head, _, body = content.partition(_END_OF_HEAD)
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers: Any = HeadersDict(line.split(": ", 1) for line in lines)
    return AWSPreparedRequest(method, f"{scheme}{headers['Host']}{path}", headers, body, False)  # noqa: FBT003


def _bytes_of_request(request: AWSPreparedRequest) -> bytes:
    parts = urlsplit(request.url)
    body: Any = request.body
    kept = {name: _text(value) for name, value in request.headers.items()}
    kept = {name: value for name, value in kept.items() if name.lower() != "content-length"}
    fields = {"Host": parts.netloc, **kept, "Content-Length": len(body)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"{request.method} {parts.path or '/'} HTTP/1.1\r\n{lines}\r\n"
    return head.encode("latin-1") + bytes(body)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def bytes_of(answer: AWSResponse) -> bytes:
    """Return the bytes that a server sends for a reply."""
    body = answer.content
    fields = {name.lower(): value for name, value in answer.headers.items()}
    fields["content-length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {answer.status_code} -\r\n{lines}\r\n".encode("latin-1") + body


def _read_reply(real: socket.socket) -> bytes:
    """Return the bytes of the next reply; fewer if the server closes the connection."""
    arrived = b""
    while _END_OF_HEAD not in arrived:
        piece = real.recv(_PIECE)
        if not piece:
            return arrived
        arrived += piece
    head, _, body = arrived.partition(_END_OF_HEAD)
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields[b"content-length"])
    pieces = [body]
    missing = length - len(body)
    while missing > 0 and (piece := real.recv(_PIECE)):
        pieces.append(piece)
        missing -= len(piece)
    return head + _END_OF_HEAD + b"".join(pieces)
