"""Sends the requests of a boto3 client on urllib3 connections, without the layers in between.

botocore builds and signs a request, then emits ``before-send``. A handler of that event may return
the reply; botocore then checks, parses and retries it as if it had sent the request itself.
`Sender` is such a handler. urllib3 manages the connections, the time-outs and the errors.

`Sender` leaves all unusual cases to botocore: a proxy, another handler of ``before-send``, a tool
that patched botocore, urllib3 or Python's HTTP client, or a request whose body is not bytes.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from functools import partial
from http.client import HTTPConnection as PythonsConnection
from operator import is_
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import urllib3
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnectionPool,
    AWSResponse,
)
from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, Retry
from urllib3.connection import HTTPConnection, port_by_scheme

from dynamo_es.dynamodb.wire.attempts.time_limit import shorten, time_out
from dynamo_es.dynamodb.wire.connections import as_botocore, direct_pools
from dynamo_es.dynamodb.wire.snapstart import tell_of_snapshots
from dynamo_es.forking import tell_of_forks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.awsrequest import AWSPreparedRequest

_UNUSUAL: Final = frozenset({"connection", "expect", "transfer-encoding"})
"""Requests with one of these headers are left to botocore."""
_MOST_ENDPOINTS: Final = 8
_ONCE: Final = Retry(False)  # noqa: FBT003 - botocore retries


def _often_patched() -> tuple[object, ...]:
    """Return the functions that tools replace to trace, record or mock requests."""
    return (
        BaseClient._make_api_call,  # type: ignore[attr-defined] # noqa: SLF001
        Endpoint.prepare_request,
        Endpoint._send,  # type: ignore[attr-defined] # noqa: SLF001
        URLLib3Session.send,
        AWSHTTPConnectionPool.ConnectionCls,
        AWSHTTPSConnectionPool.ConnectionCls,
        AWSHTTPConnectionPool.urlopen,
        AWSHTTPSConnectionPool.urlopen,
        AWSHTTPConnection.request,
        HTTPConnectionPool.urlopen,
        HTTPConnection.request,
        HTTPConnection.getresponse,
        PythonsConnection.putrequest,
        PythonsConnection.endheaders,
        PythonsConnection.getresponse,
    )


def _is_original(value: object) -> bool:
    if isinstance(value, type):
        return value.__module__ == AWSHTTPConnectionPool.__module__
    # Not `isinstance`: a wrapper may pretend to be a function.
    if type(value) is not FunctionType:
        return False
    return str(value.__globals__["__name__"]).startswith(("botocore.", "http.", "urllib3."))


_ORIGINALS: Final = _often_patched()
_ARE_KNOWN: Final = (
    all(map(_is_original, _ORIGINALS)) and urllib3.__version__.startswith("2.")  # type: ignore[attr-defined]
)


def _is_patched() -> bool:
    # Not `==`: a wrapper may pretend to be equal to the function that it wraps.
    return not all(map(is_, _often_patched(), _ORIGINALS))


class _Target(NamedTuple):
    """The destination of the requests to a URL.

    Attributes:
        pool: the connections.
        path: the path in the URL.
        host: value of the header ``Host``, as botocore signs it.
    """

    pool: HTTPConnectionPool
    path: str
    host: str


class Sender:
    """Sends the requests of one client, as a handler of botocore's events.

    Args:
        client: a client with the connections that botocore gave it.

    Raises:
        AttributeError: this release of botocore lacks a name that this module uses.
    """

    def __init__(self, client: Any) -> None:
        self._service = client.meta.service_model.service_id.hyphenize()
        # botocore has no public access to its connections and handlers.
        self._emitter = client.meta.events._emitter  # noqa: SLF001
        self._endpoint = client._endpoint  # noqa: SLF001
        self._session = session = self._endpoint.http_session
        self._certify = partial(session._setup_ssl_cert, verify=session._verify)  # noqa: SLF001
        # Use the certificates, time-outs and limits that botocore gives its own connections.
        self._pools = direct_pools(session._manager.connection_pool_kw)  # noqa: SLF001
        config = client.meta.config
        self._connect, self._read = config.connect_timeout, config.read_timeout
        self._targets: dict[str, _Target] = {}
        self._inherited: list[object] = []
        tell_of_forks(self)
        tell_of_snapshots(self)

    def after_fork(self) -> None:
        """Open new connections in a forked child, and leave the parent's alone."""
        # Keep the pools: dropping them closes their connections, and waits for the parent's locks.
        self._inherited += [self._pools, self._targets]
        self._pools = direct_pools(self._pools.connection_pool_kw)
        self._targets = {}

    def before_snapshot(self) -> None:
        """Close the connections; later requests open new ones."""
        self._targets.clear()
        self._pools.clear()

    def register(self, client: Any) -> None:
        """Start to send the requests of the client."""
        client.meta.events.register(f"before-send.{self._service}", self.send)

    def send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        """Send a request and return the reply; None: botocore must send it.

        Raises:
            HTTPClientError: the error that botocore would raise if it sent the request.
        """
        target = self._targets.get(request.url) or self._target(request.url)
        if target is None or not self._is_in_charge(event_name.rpartition(".")[2]):
            shorten(request, self._connect, self._read)
            return None
        headers = {"Host": target.host, "Accept-Encoding": "identity"}
        headers.update(_plain(request.headers))
        if not _is_usual(request, headers):
            shorten(request, self._connect, self._read)
            return None
        try:
            answer = target.pool.urlopen(
                request.method,
                target.path,
                body=request.body,  # type: ignore[arg-type]
                headers=headers,
                retries=_ONCE,
                redirect=False,
                assert_same_host=False,
                release_conn=True,
                preload_content=False,
                decode_content=False,
                **time_out(self._connect, self._read),  # type: ignore[arg-type]
            )
        except CancelledError:
            raise
        except Exception as error:
            raise as_botocore(error, request.url) from error
        return AWSResponse(request.url, answer.status, answer.headers, answer)  # type: ignore[arg-type]

    def _is_in_charge(self, operation: str) -> bool:
        """Return whether no other handler, patch or stand-in wants to see the request."""
        # botocore caches the handlers of an event at its first emission.
        event = f"before-send.{self._service}.{operation}"
        handlers = self._emitter._lookup_cache.get(event)  # noqa: SLF001
        return (
            handlers is not None
            and len(handlers) == 1
            and self._endpoint.http_session is self._session
            and not _is_patched()
        )

    def _target(self, url: str) -> _Target | None:
        parts = urlsplit(url)
        if len(self._targets) == _MOST_ENDPOINTS or parts.query or parts.username is not None:
            return None
        pool = self._pools.connection_from_url(url)
        self._certify(pool, url)
        name = f"[{parts.hostname}]" if ":" in pool.host else parts.hostname
        host = name if pool.port == port_by_scheme[pool.scheme] else f"{name}:{pool.port}"
        return self._targets.setdefault(url, _Target(pool, parts.path or "/", str(host)))


def send_directly(client: Any) -> None:
    """Make a `Sender` send the requests of a new client.

    Nothing changes if a proxy is configured, if the connections are not botocore's own, or if
    botocore, urllib3 or Python's HTTP client are patched or of an unknown release.
    """
    if not _ARE_KNOWN or _is_patched():
        return
    if client.meta.config.proxies or get_environ_proxies(client.meta.endpoint_url):
        return
    try:
        if type(client._endpoint.http_session) is URLLib3Session:  # noqa: SLF001
            Sender(client).register(client)
    except AttributeError:
        return


def sender_of(client: Any) -> Sender | None:
    """Return the `Sender` that sends the requests of a client; None: botocore sends them."""
    # There is no public list of the handlers of an event.
    event = f"before-send.{client.meta.service_model.service_id.hyphenize()}"
    emitter = getattr(client.meta.events, "_emitter", None)
    if emitter is None:
        return None
    handlers = emitter._handlers.prefix_search(event)  # noqa: SLF001
    owners = (getattr(handler, "__self__", None) for handler in handlers)
    return next((owner for owner in owners if isinstance(owner, Sender)), None)


def _plain(headers: Any) -> Mapping[str, Any]:
    """Return botocore's headers as a dict. Iterating over its own type takes six times as long."""
    by_key = getattr(headers, "_dict", None)
    if by_key is None:
        return dict(headers.items())
    return {str(key): value for key, value in by_key.items()}


def _is_usual(request: AWSPreparedRequest, headers: Mapping[str, object]) -> bool:
    """Return whether a request is JSON and uses the client's own time-outs."""
    names = {name.lower() for name in headers}
    context: Mapping[str, object] = getattr(request, "context", None) or {}
    return (
        type(request.body) is bytes
        and len(names) == len(headers)
        and "content-length" in names
        and names.isdisjoint(_UNUSUAL)
        and not request.stream_output
        and context.get("read_timeout") is None
    )
