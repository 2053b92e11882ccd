"""Sends requests to DynamoDB over connections of aiohttp, and returns the replies."""

from __future__ import annotations

import asyncio
import ssl
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from yarl import URL

from dynamo_es.dynamodb.wire.lean.connections import Reply
from dynamo_es.dynamodb.wire.snapstart import tell_of_snapshots
from dynamo_es.forking import tell_of_forks

if TYPE_CHECKING:
    from dynamo_es.aio.bridges.bridge import Bridge
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.lean.connections import Signed

_IDLE: Final = 20.0
"""Seconds after which an idle connection is closed. DynamoDB closes it after about a minute."""

_PART: Final = 256 * 1024
"""A body of this number of bytes or more is sent in parts."""

_UNWANTED: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
_PLAIN: Final = {"Accept-Encoding": "identity"}


class LoopConnections:
    """Connections to an endpoint, separate for each event loop.

    Args:
        url: URL of the endpoint, without a path.
        config: time-outs, and the most connections that are open at a time; more requests wait.
        bridge: lets a call wait for a reply.
        ca_bundle: file of the certificates to trust; None: those that botocore trusts.
    """

    def __init__(
        self, url: str, config: DynamoConfig, bridge: Bridge, ca_bundle: str | None = None
    ) -> None:
        self._url = url
        self._at = URL(f"{url}/")
        self._bridge = bridge
        self._most = config.max_pool_connections
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=config.seconds("connect_timeout"),
            sock_read=config.seconds("read_timeout"),
        )
        self._tls: ssl.SSLContext | bool = False
        if url.startswith("https:"):
            self._tls = ssl.create_default_context(cafile=ca_bundle or get_cert_path(verify=True))
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._inherited: list[object] = []
        tell_of_forks(self)
        tell_of_snapshots(self)

    def send(self, request: Signed) -> Reply:
        """Send a request, and return the reply.

        Raises:
            ConnectTimeoutError, EndpointConnectionError: there was no connection, so nothing was
                sent.
            HTTPClientError: the connection failed in another way, such as by `ReadTimeoutError`.
                The server may have carried out the request.

        These are botocore's errors.
        """
        return self._bridge.wait_for(self._send(request))

    async def aclose(self) -> None:
        """Close the connections."""
        sessions, self._sessions = self._sessions, {}
        for loop, session in sessions.items():
            if loop is asyncio.get_running_loop():
                await session.close()
            else:
                _drop(loop, session)

    def close(self) -> None:
        """Close the connections without waiting; later requests open new ones."""
        sessions, self._sessions = self._sessions, {}
        for loop, session in sessions.items():
            _drop(loop, session)

    before_snapshot = close

    def after_fork(self) -> None:
        """Open new connections in a forked child, and leave those of the parent as they are."""
        self._inherited.append(self._sessions)
        self._sessions = {}

    async def _send(self, request: Signed) -> Reply:
        if self._bridge.is_ended:
            # An error of the connection: an earlier attempt of the call may have been carried out.
            closed = ConnectionError("the asynchronous backend was closed")
            raise as_botocore(closed, self._url)
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop) or self._open(loop)
        try:
            # In parts, so that a large body does not block the loop.
            body = request.body if len(request.body) < _PART else BytesIO(request.body)
            async with session.post(
                self._at, data=body, headers=_PLAIN | request.headers
            ) as answer:
                return Reply(answer.status, answer.headers, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise as_botocore(error, self._url) from error

    def _open(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        for other in [other for other in self._sessions if other.is_closed()]:
            _drop(other, self._sessions.pop(other))
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._most, ssl=self._tls, keepalive_timeout=_IDLE, ttl_dns_cache=30
            ),
            timeout=self._timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_UNWANTED,
        )
        self._sessions[loop] = session
        return session


def _drop(loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> None:
    """Close the connections of a session whose event loop does not run here, or has ended."""
    connector = session.connector
    session.detach()
    close = getattr(connector, "_close", None)  # the public method must be awaited in the loop
    if close is None:
        return
    if loop.is_closed():
        close()
    else:
        loop.call_soon_threadsafe(close)


def as_botocore(error: Exception, url: str) -> Exception:
    """Return the error of botocore for an error of aiohttp."""
    named: dict[str, Any] = {"endpoint_url": url, "error": error}
    if isinstance(error, aiohttp.ClientConnectorSSLError | aiohttp.ClientConnectorCertificateError):
        return SSLError(**named)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectTimeoutError(**named)
    if isinstance(error, aiohttp.ClientConnectorError):
        return EndpointConnectionError(**named)
    if isinstance(error, TimeoutError):
        return ReadTimeoutError(**named)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | OSError):
        return ConnectionClosedError(**named)
    return HTTPClientError(**named)
