"""Faster urllib3 connections, for requests whose body is bytes and whose replies are read whole.

A request is written in one piece. A reply in the form that DynamoDB uses is read here; Python's
HTTP client reads every other form.
"""

from __future__ import annotations

import re
from http.client import HTTPResponse
from ssl import SSLWantReadError
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import urllib3
from botocore import exceptions as botocore_errors
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry
from urllib3 import exceptions as urllib3_errors
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_USUAL_REPLY: Final = re.compile(
    rb"HTTP/1\.1 ([245]\d\d) [^\r\n]*\r\n((?:[A-Za-z0-9-]+:[^\r\n]*\r\n)+)\r\n"
)
_NEW_LINE: Final = re.compile(r"[ \t]*\r\n[ \t]+")
_NO_CONTENT: Final = 204
_FIRST_FINAL: Final = 200
_MOST_DIGITS: Final = 9
"""The most digits of a length. DynamoDB's replies have at most 16 MB."""

_ERRORS: Final = (
    (urllib3_errors.SSLError, botocore_errors.SSLError),
    (urllib3_errors.NewConnectionError, botocore_errors.EndpointConnectionError),
    (urllib3_errors.ConnectTimeoutError, botocore_errors.ConnectTimeoutError),
    (urllib3_errors.ReadTimeoutError, botocore_errors.ReadTimeoutError),
    (urllib3_errors.ProtocolError, botocore_errors.ConnectionClosedError),
)
"""botocore's error for each error of urllib3, in the order in which botocore compares them."""


class _Answer:
    """A reply that was read whole, with the members that urllib3's pools need of a response."""

    version = 11
    version_string = "HTTP/1.1"
    length_remaining = 0
    retries: Retry | None = None

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = body

    def stream(self) -> Iterator[bytes]:
        """Return the body in one piece."""
        yield self.data


class _Head(NamedTuple):
    """Status and headers of a reply in the usual form.

    Attributes:
        size: number of bytes up to the body.
        status: the HTTP status.
        headers: the headers, by their names as received.
        length: number of bytes of the body.
    """

    size: int
    status: int
    headers: dict[str, str]
    length: int


class _Direct(HTTPConnection):
    """A connection for requests whose body is bytes, and whose replies are read whole."""

    def request(  # type: ignore[override]
        self, method: str, url: str, body: bytes, headers: Mapping[str, str | bytes], **_: Any
    ) -> None:
        """Send the head and the body of a request in one piece."""
        if self.sock is not None:
            self.sock.settimeout(self.timeout)  # the time-out for connecting, as in urllib3
        self.send(_request_head(method, url, headers) + body)

    def getresponse(self) -> Any:
        """Read the reply."""
        self.sock.settimeout(self.timeout)
        reply = HTTPResponse(self.sock, method="POST")
        try:
            # Python's HTTP client reads headers with its e-mail parser, which takes as long as TLS.
            # `peek` consumes nothing, so that client can still read a reply of another form.
            start = reply.fp.peek()
            head = _usual_head(start)
            if head is None:
                return self._answer_of(reply)
            reply.fp.read(head.size)
            body = reply.fp.read(head.length)
            missing = head.size + head.length - len(start)
            exact = missing == 0 or (missing > 0 and not self._has_more(reply.fp))
        finally:
            reply.close()
        if not exact or len(body) < head.length:
            self.close()  # More or fewer bytes came than belong to this reply.
        return _Answer(head.status, head.headers, body)

    def _has_more(self, reader: Any) -> bool:
        """Return whether more bytes wait, even in the buffers of Python and TLS."""
        self.sock.settimeout(0)
        try:
            return bool(reader.peek())
        except SSLWantReadError:
            return False
        except OSError:
            return True

    def _answer_of(self, reply: HTTPResponse) -> _Answer:
        reply.begin()
        length = reply.length
        # As in botocore, a body that is shorter than announced is not an error here.
        body = reply.read() if length is None else reply.read(length)
        if reply.will_close or reply.status < _FIRST_FINAL or len(body) < (length or 0):
            self.close()  # Any further bytes would not be the reply to the next request.
        # A value may continue on the next line, and a header may come more than once.
        headers = ((name, _NEW_LINE.sub(" ", value)) for name, value in reply.msg.items())
        return _Answer(reply.status, urllib3.HTTPHeaderDict(headers), body)


class _DirectTls(_Direct, HTTPSConnection):
    """A `_Direct` connection over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Direct  # type: ignore[assignment]


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _DirectTls  # type: ignore[assignment]


def _request_head(method: str, url: str, headers: Mapping[str, str | bytes]) -> bytes:
    fields = [
        f"{name}: {value if isinstance(value, str) else value.decode('latin-1')}\r\n"
        for name, value in headers.items()
    ]
    head = f"{method} {url} HTTP/1.1\r\n{''.join(fields)}\r\n"
    if not head.count("\r") == head.count("\n") == len(fields) + 2:
        raise ValueError("A header of the request has a line break.")
    return head.encode("latin-1")


def _usual_head(start: bytes) -> _Head | None:
    """Return status and headers of a reply; None if they are incomplete or in another form."""
    found = _USUAL_REPLY.match(start)
    if found is None or int(found[1]) == _NO_CONTENT:
        return None
    headers: dict[str, str] = {}
    lowered: dict[str, str] = {}
    lines = found[2].decode("latin-1").split("\r\n")[:-1]
    for line in lines:
        name, _, value = line.partition(":")
        headers[name] = lowered[name.lower()] = value.lstrip(" \t")
    length = lowered.get("content-length", "")
    if (
        len(lowered) < len(lines)
        or not (length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS)
        or "transfer-encoding" in lowered
        or lowered.get("connection", "keep-alive") != "keep-alive"
    ):
        return None
    return _Head(found.end(), int(found[1]), headers, int(length))


def direct_pools(settings: Mapping[str, Any]) -> PoolManager:
    """Return pools of the connections of this module.

    Args:
        settings: the settings that `PoolManager` gives its pools: certificates, time-outs, sizes.
    """
    manager = PoolManager(**settings)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def as_botocore(error: Exception, url: str) -> botocore_errors.BotoCoreError:
    """Return the error that botocore raises for an error of urllib3."""
    for kind, theirs in _ERRORS:
        if isinstance(error, kind):
            return theirs(endpoint_url=url, error=error)
    return botocore_errors.HTTPClientError(error=error)
