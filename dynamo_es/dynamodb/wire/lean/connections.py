"""The lean transport's connections to its endpoint: sends a request, and returns the reply."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import botocore
from urllib3 import Retry, Timeout
from urllib3.connection import HTTPConnection
from urllib3.util.ssl_ import create_urllib3_context

from dynamo_es.dynamodb.wire.attempts.time_limit import time_out
from dynamo_es.dynamodb.wire.connections import as_botocore, direct_pools
from dynamo_es.forking import tell_of_forks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.dynamodb.config import DynamoConfig

_OPTIONS: Final = (
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
)
_ONCE: Final = Retry(False)  # noqa: FBT003 - botocore's rules retry


class Signed(NamedTuple):
    """A request that is ready to be sent.

    Attributes:
        url: the URL, with the path.
        headers: the headers, except those that depend on the connection (``Host``,
            ``Content-Length``).
        body: the body.
    """

    url: str
    headers: dict[str, str]
    body: bytes


class Reply:
    """A reply as received. `attempts` may turn its status into that of a failure.

    Attributes:
        status_code: HTTP status.
        headers: the headers, by their names as received.
        content: the whole body.
    """

    __slots__ = ("content", "headers", "status_code")

    def __init__(self, status_code: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status_code = status_code
        self.headers = headers
        self.content = content


def trusted_certificates() -> str:
    """Return the path of the file with the certificates that botocore trusts.

    It is the path of ``botocore.httpsession.get_cert_path``, whose import takes 5 MB and a third of
    the time of a first append.
    """
    try:
        from certifi import where
    except ImportError:
        return str(Path(botocore.__file__).with_name("cacert.pem"))
    return where()


class Connections:
    """Connections to an endpoint. Safe to share between threads; a forked child opens its own.

    Args:
        url: the endpoint, without a path.
        config: the time-outs, and how many connections stay open.
        ca_bundle: file of the certificates to trust; None: those that botocore trusts.
    """

    def __init__(self, url: str, config: DynamoConfig, ca_bundle: str | None = None) -> None:
        self._url = url
        self._host = url.partition("://")[2]
        self._connect = config.seconds("connect_timeout")
        self._read = config.seconds("read_timeout")
        self._settings: dict[str, Any] = {
            "timeout": Timeout(connect=self._connect, read=self._read),
            "maxsize": config.max_pool_connections,
            "socket_options": _OPTIONS,
        }
        if url.startswith("https:"):
            context = create_urllib3_context()
            # Read once instead of for each connection, because it takes longer than a handshake.
            context.load_verify_locations(ca_bundle or trusted_certificates())
            self._settings.update(ssl_context=context, cert_reqs="CERT_REQUIRED")
        self._inherited: list[object] = []
        self._open()
        tell_of_forks(self)

    def after_fork(self) -> None:
        """Open new connections in a forked child, and leave the parent's alone."""
        # Keep the pool: dropping it closes its connections, and waits for the parent's locks.
        self._inherited.append(self._pools)
        self._open()

    def send(self, request: Signed) -> Reply:
        """Send a request, and return the reply.

        Raises:
            ConnectTimeoutError, EndpointConnectionError: there was no connection, so nothing was
                sent.
            HTTPClientError: any other failure of the connection, such as `ReadTimeoutError`. The
                server may have carried out the request.

        These are botocore's errors.
        """
        headers = {
            "Host": self._host,
            "Accept-Encoding": "identity",
            **request.headers,
            "Content-Length": str(len(request.body)),
        }
        try:
            answer: Any = self._pool.urlopen(
                "POST",
                "/",
                body=request.body,
                headers=headers,
                retries=_ONCE,
                redirect=False,
                assert_same_host=False,
                release_conn=True,
                preload_content=False,
                decode_content=False,
                **time_out(self._connect, self._read),
            )
        except Exception as error:
            raise as_botocore(error, self._url) from error
        return Reply(answer.status, answer.headers, answer.data)

    def close(self) -> None:
        """Close the connections that no request uses; later requests open new ones."""
        pools = self._pools
        self._open()
        pools.clear()

    def _open(self) -> None:
        self._pools = direct_pools(self._settings)
        self._pool: Any = self._pools.connection_from_url(self._url)
