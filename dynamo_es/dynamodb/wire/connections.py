"""Open connections to one endpoint: sends a signed request, and returns the reply as it came.

urllib3 opens the connections, with TLS and time-outs, and the standard library reads the replies.
Failures are raised as botocore raises them, so the rest of the library knows them already.
"""

from __future__ import annotations

import socket
import ssl
import weakref
from collections import deque
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError as SlowToConnect
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import SSLError as BadCertificate
from urllib3.util.ssl_ import create_urllib3_context

from dynamo_es.forking import tell_of_forks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.dynamodb.config import DynamoConfig

_OPTIONS: Final = (
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
)


class Signed(NamedTuple):
    """A request that is ready to be sent.

    Attributes:
        url: where it goes, with the path.
        headers: all but those that depend on the connection: ``Host``, ``Content-Length``.
        body: the body.
    """

    url: str
    headers: dict[str, str]
    body: bytes


class Reply:
    """A reply as it came. `attempts` may turn its status into that of a failure.

    Attributes:
        status_code: HTTP status.
        headers: by their names as received.
        content: the whole body.
    """

    __slots__ = ("content", "headers", "status_code")

    def __init__(self, status_code: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status_code = status_code
        self.headers = headers
        self.content = content


class Connections:
    """Connections to an endpoint. Safe to share between threads; a forked child opens its own.

    Args:
        url: the endpoint, without a path.
        config: the time-outs, and how many connections stay open.
        ca_bundle: file of the certificates to trust; None: those that botocore trusts.
    """

    def __init__(self, url: str, config: DynamoConfig, ca_bundle: str | None = None) -> None:
        parts = urlsplit(url)
        self._url = url
        self._host = parts.hostname or ""
        self._port = parts.port
        self._begin = f"POST / HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept-Encoding: identity"
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            self._tls = create_urllib3_context()
            # Read once, and not for each connection: it takes longer than a handshake.
            self._tls.load_verify_locations(ca_bundle or get_cert_path(verify=True))
        self._connect_timeout = config.seconds("connect_timeout")
        self._read_timeout = config.seconds("read_timeout")
        self._most_idle = config.max_pool_connections
        self._inherited: list[object] = []
        self._begin_pool()
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Leave the parent's connections alone: closing them would end its TLS sessions."""
        self._inherited.append(self._idle)
        self._begin_pool()

    def send(self, request: Signed) -> Reply:
        """Send a request, and return the reply.

        Raises:
            ConnectTimeoutError, EndpointConnectionError: no connection, so nothing was sent.
            HTTPClientError: any other failure of the connection, such as `ReadTimeoutError`. The
                server may have carried out the request.

        The errors are botocore's.
        """
        message = self._message(request)
        connection: HTTPConnection | None = None
        try:
            connection = self._connected()
            connection.sock.sendall(message)
            reply, closing = _read(HTTPResponse(connection.sock, method="POST"))
        except BaseException as error:
            # Nobody may read the rest of a reply from this connection.
            if connection is not None:
                connection.close()
            if not isinstance(error, Exception):
                raise
            raise self._as_botocore_raises(error) from error
        self._keep(connection, closing=closing)
        return reply

    def close(self) -> None:
        """Close the connections that no request uses."""
        _close(self._idle)

    def _begin_pool(self) -> None:
        self._idle: deque[HTTPConnection] = deque()
        weakref.finalize(self, _close, self._idle).atexit = False

    def _connected(self) -> HTTPConnection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            # A socket that can be read from before the request was closed by the server, or holds
            # what belongs to no request.
            if connection.is_connected:
                return connection
            connection.close()
        connection = self._new()
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.settimeout(self._read_timeout)
        return connection

    def _new(self) -> HTTPConnection:
        options: Any = {"timeout": self._connect_timeout, "socket_options": _OPTIONS}
        if self._tls is None:
            return HTTPConnection(self._host, self._port, **options)
        return HTTPSConnection(
            self._host, self._port, ssl_context=self._tls, cert_reqs="CERT_REQUIRED", **options
        )

    def _keep(self, connection: HTTPConnection, *, closing: bool) -> None:
        if closing or len(self._idle) >= self._most_idle:
            connection.close()
        else:
            self._idle.append(connection)

    def _message(self, request: Signed) -> bytes:
        """Return a request as it is sent, in one piece: each piece would be a TLS record."""
        body = request.body
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        head = "\r\n".join([self._begin, *lines, f"Content-Length: {len(body)}", "", ""])
        if not head.count("\r") == head.count("\n") == len(lines) + 5:
            raise ValueError("A header of the request holds a line break: look at the credentials.")
        return head.encode("latin-1") + body

    def _as_botocore_raises(self, error: Exception) -> Exception:
        url = self._url
        if isinstance(error, BadCertificate | ssl.SSLError | ssl.CertificateError):
            return SSLError(endpoint_url=url, error=error)
        if isinstance(error, NewConnectionError | socket.gaierror):
            return EndpointConnectionError(endpoint_url=url, error=error)
        if isinstance(error, SlowToConnect):  # of which NewConnectionError is a kind
            return ConnectTimeoutError(endpoint_url=url, error=error)
        if isinstance(error, TimeoutError):
            return ReadTimeoutError(endpoint_url=url, error=error)
        if isinstance(error, HTTPException | OSError | HTTPError):
            return ConnectionClosedError(endpoint_url=url, error=error)
        return HTTPClientError(error=error)


def _read(response: HTTPResponse) -> tuple[Reply, bool]:
    """Return the reply, and whether the server ends the connection after it."""
    try:
        response.begin()
        headers = dict(response.headers.items())
        reply = Reply(response.status, headers, response.read())
    finally:
        response.close()
    return reply, response.will_close


def _close(idle: deque[HTTPConnection]) -> None:
    while idle:
        idle.pop().close()
