"""Sends the requests of a boto3 client on connections of urllib3, without the layers in between.

botocore builds and signs a request, then emits ``before-send``. A handler of that event may return
the reply; botocore then checks, parses and retries it as if it had sent the request itself.
`Sender` is such a handler. urllib3 keeps the connections, the time-outs and the errors. A
connection here writes a request in one piece, and reads a reply in the form that DynamoDB gives it;
Python's HTTP client reads every other form.

`Sender` leaves to botocore what is not as usual: a proxy, a handler of somebody else on
``before-send``, a tool that patched botocore or urllib3, a request whose body is not of bytes.
"""

from __future__ import annotations

import re
from concurrent.futures import CancelledError
from functools import partial
from hashlib import sha256
from http.client import HTTPResponse
from operator import is_
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import urllib3
from botocore import exceptions as botocore_errors
from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool, AWSResponse
from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPSConnectionPool, PoolManager, Retry
from urllib3 import exceptions as urllib3_errors
from urllib3.connection import HTTPConnection, HTTPSConnection, port_by_scheme

from dynamo_es.dynamodb.wire.snapshots import tell_of_snapshots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.awsrequest import AWSPreparedRequest, AWSRequest

_USUAL_REPLY: Final = re.compile(
    rb"HTTP/1\.1 ([245]\d\d) [^\r\n]*\r\n((?:[A-Za-z0-9-]+:[^\r\n]*\r\n)+)\r\n"
)
_NEW_LINE: Final = re.compile(r"[ \t]*\r\n[ \t]+")
_NO_CONTENT: Final = 204
_UNUSUAL: Final = frozenset({"connection", "expect", "transfer-encoding"})
"""Headers with which botocore sends a request itself."""
_MOST_ENDPOINTS: Final = 8
_ONCE: Final = Retry(False)  # noqa: FBT003 - botocore retries

_ERRORS: Final = (
    (urllib3_errors.SSLError, botocore_errors.SSLError),
    (urllib3_errors.NewConnectionError, botocore_errors.EndpointConnectionError),
    (urllib3_errors.ConnectTimeoutError, botocore_errors.ConnectTimeoutError),
    (urllib3_errors.ReadTimeoutError, botocore_errors.ReadTimeoutError),
    (urllib3_errors.ProtocolError, botocore_errors.ConnectionClosedError),
)
"""What botocore raises for an error of urllib3, in the order in which it looks."""


def _often_patched() -> tuple[object, ...]:
    """Return what tools that trace, record or mock requests replace by code of their own."""
    return (
        BaseClient._make_api_call,  # type: ignore[attr-defined] # noqa: SLF001
        Endpoint.prepare_request,
        URLLib3Session.send,
        AWSHTTPConnectionPool.ConnectionCls,
        AWSHTTPSConnectionPool.ConnectionCls,
        HTTPConnectionPool.urlopen,
        HTTPConnection.request,
        HTTPConnection.getresponse,
    )


def _is_original(value: object) -> bool:
    if isinstance(value, type):
        return value.__module__ == AWSHTTPConnectionPool.__module__
    # Not `isinstance`: a wrapper may claim to be a function.
    if type(value) is not FunctionType:
        return False
    return str(value.__globals__["__name__"]).startswith(("botocore.", "urllib3."))


_ORIGINALS: Final = _often_patched()
_ARE_KNOWN: Final = (
    all(map(_is_original, _ORIGINALS)) and urllib3.__version__.startswith("2.")  # type: ignore[attr-defined]
)


def _is_patched() -> bool:
    # Not `==`: a wrapper may claim to be equal to what it wraps.
    return not all(map(is_, _often_patched(), _ORIGINALS))


class _Answer:
    """A reply that was read to its end, with what urllib3's pools ask of a response."""

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
        size: its bytes.
        status: the HTTP status.
        headers: the headers, by their names as they came.
        length: bytes of the body.
    """

    size: int
    status: int
    headers: dict[str, str]
    length: int


class _Direct(HTTPConnection):
    """A connection for requests with a body of bytes, whose replies are read to the end."""

    def request(  # type: ignore[override]
        self, method: str, url: str, body: bytes, headers: Mapping[str, str | bytes], **_: Any
    ) -> None:
        """Send a request, its head and its body at once."""
        if self.sock is not None:
            self.sock.settimeout(self.timeout)  # that of connecting, as urllib3 has it
        self.send(_request_head(method, url, headers) + body)

    def getresponse(self) -> Any:
        """Read the reply."""
        self.sock.settimeout(self.timeout)
        reply = HTTPResponse(self.sock, method="POST")
        try:
            # Python's HTTP client reads headers with its parser of e-mails, which takes as long
            # as TLS does. It begins at the first byte if the reply has another form.
            head = _usual_head(reply.fp.peek())
            if head is None:
                return self._answer_of(reply)
            reply.fp.read(head.size)
            body = reply.fp.read(head.length)
        finally:
            reply.close()
        if len(body) < head.length:
            self.close()
        return _Answer(head.status, head.headers, body)

    def _answer_of(self, reply: HTTPResponse) -> _Answer:
        reply.begin()
        length = reply.length
        # As botocore reads it: a body that is shorter than announced is no error here.
        body = reply.read() if length is None else reply.read(length)
        if reply.will_close or len(body) < (length or 0):
            self.close()
        # A value may go on in the next line, and a header may come more than once.
        headers = ((name, _NEW_LINE.sub(" ", value)) for name, value in reply.msg.items())
        return _Answer(reply.status, HTTPHeaderDict(headers), body)


class _DirectTls(_Direct, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Direct  # type: ignore[assignment]


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _DirectTls  # type: ignore[assignment]


def _request_head(method: str, url: str, headers: Mapping[str, str | bytes]) -> bytes:
    lines = [f"{method} {url} HTTP/1.1"]
    for name, value in headers.items():
        text = value if isinstance(value, str) else value.decode("latin-1")
        lines.append(f"{name}: {text}")
    head = "\r\n".join([*lines, "", ""])
    if not head.count("\r") == head.count("\n") == len(lines) + 1:
        raise ValueError("A header of the request has a line break.")
    return head.encode("latin-1")


def _usual_head(start: bytes) -> _Head | None:
    """Return status and headers of a reply; None if they are incomplete, or not as usual."""
    found = _USUAL_REPLY.match(start)
    if found is None or int(found[1]) == _NO_CONTENT:
        return None
    lines = found[2].decode("latin-1").split("\r\n")[:-1]
    headers = {name: value.lstrip(" \t") for name, _, value in (x.partition(":") for x in lines)}
    lowered = {name.lower(): value for name, value in headers.items()}
    length = lowered.get("content-length", "")
    if (
        len(lowered) < len(lines)
        or not (length.isascii() and length.isdigit())
        or "transfer-encoding" in lowered
        or lowered.get("connection", "keep-alive") != "keep-alive"
    ):
        return None
    return _Head(found.end(), int(found[1]), headers, int(length))


class _Target(NamedTuple):
    """Where the requests of a URL go.

    Attributes:
        pool: the connections.
        path: what is asked for.
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
        AttributeError: botocore is not as it is known here.
    """

    def __init__(self, client: Any) -> None:
        self._event = f"before-send.{client.meta.service_model.service_id.hyphenize()}"
        # botocore has no public way to its connections and its handlers.
        self._emitter = client.meta.events._emitter  # noqa: SLF001
        self._endpoint = client._endpoint  # noqa: SLF001
        self._session = session = self._endpoint.http_session
        self._certify = partial(session._setup_ssl_cert, verify=session._verify)  # noqa: SLF001
        # Certificates, time-outs and limits are those that botocore gives its own connections.
        self._manager = PoolManager(**session._manager.connection_pool_kw)  # noqa: SLF001
        self._manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._targets: dict[str, _Target] = {}
        tell_of_snapshots(self)

    def before_snapshot(self) -> None:
        """Close the connections; later requests open new ones."""
        self._targets.clear()
        self._manager.clear()

    def register(self, client: Any) -> None:
        """Send the requests of the client from now on."""
        client.meta.events.register(self._event.replace("send", "sign"), self.prepare)
        client.meta.events.register(self._event, self.send)

    def prepare(self, request: AWSRequest, operation_name: str, **_: Any) -> None:
        """Add two headers before a request is signed.

        Without them, botocore prepares the whole request once more to hash its body, and parses
        its URL twice.
        """
        target = self._targets.get(str(request.url))
        if target and isinstance(request.data, bytes) and self._is_in_charge(operation_name):
            request.headers["Host"] = target.host
            request.headers["X-Amz-Content-SHA256"] = sha256(request.data).hexdigest()

    def send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        """Return the reply to a request; None: botocore is to send it.

        Raises:
            HTTPClientError: botocore's, the same that it raises when it sends the request.
        """
        target = self._targets.get(request.url) or self._target(request.url)
        if target is None or not self._is_in_charge(event_name.rpartition(".")[2]):
            return None
        headers = {"Host": target.host, "Accept-Encoding": "identity"}
        headers.update(request.headers.items())
        if not _is_usual(request, headers):
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
            )
        except CancelledError:
            raise
        except Exception as error:
            raise _as_botocore(error, request.url) from error
        return AWSResponse(request.url, answer.status, answer.headers, answer)  # type: ignore[arg-type]

    def _is_in_charge(self, operation: str) -> bool:
        """Whether nobody else wants to see the request: no handler, no patch, no stand-in."""
        # botocore keeps the handlers of an event from its first emission on.
        handlers = self._emitter._lookup_cache.get(f"{self._event}.{operation}")  # noqa: SLF001
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
        pool = self._manager.connection_from_url(url)
        self._certify(pool, url)
        name = f"[{parts.hostname}]" if ":" in pool.host else parts.hostname
        host = name if pool.port == port_by_scheme[pool.scheme] else f"{name}:{pool.port}"
        return self._targets.setdefault(url, _Target(pool, parts.path or "/", str(host)))


def send_directly(client: Any) -> None:
    """Have a `Sender` send the requests of a new client.

    Nothing changes if a proxy is configured, if the connections are not botocore's own, or if
    botocore or urllib3 are patched or are not as they are known here.
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


def _is_usual(request: AWSPreparedRequest, headers: Mapping[str, object]) -> bool:
    """Whether a request is one of JSON, sent with the client's own time-outs."""
    names = {name.lower() for name in headers}
    return (
        type(request.body) is bytes
        and len(names) == len(headers)
        and "content-length" in names
        and names.isdisjoint(_UNUSUAL)
        and not request.stream_output
        and request.context.get(  # type: ignore[attr-defined]
            "read_timeout"
        )
        is None
    )


def _as_botocore(error: Exception, url: str) -> botocore_errors.BotoCoreError:
    """Return what botocore raises for an error of urllib3."""
    for kind, theirs in _ERRORS:
        if isinstance(error, kind):
            return theirs(endpoint_url=url, error=error)
    return botocore_errors.HTTPClientError(error=error)
