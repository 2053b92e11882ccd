"""The default transport leaves requests to botocore where somebody else has a hand in them."""

from __future__ import annotations

import http.client
from io import BytesIO
from typing import TYPE_CHECKING, Any

import botocore.awsrequest
import botocore.client
import botocore.handlers
import pytest
import urllib3
import wrapt
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSResponse, HeadersDict
from botocore.client import BaseClient
from botocore.config import Config
from botocore.endpoint import Endpoint
from botocore.httpsession import URLLib3Session
from botocore.stub import Stubber

from dynamo_es import DynamoBackend
from dynamo_es.dynamodb.wire.boto import sending
from dynamo_es.dynamodb.wire.client import make_client, make_streams_client
from dynamo_es.dynamodb.wire.session import make_session
from tests.dynamodb.wire.scripted import BODY, Server, message, says, serving
from tests.dynamodb.wire.senders import client_at, config_at, nothing_hooked_in, sent_by_botocore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The fixture, by its name.
__all__ = ["nothing_hooked_in"]

pytestmark = pytest.mark.usefixtures("nothing_hooked_in")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


class Counter:
    """Wraps a function, and counts the calls that go through it."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, wrapped: Callable[..., Any], _: Any, args: Any, kwargs: Any) -> Any:
        self.calls += 1
        return wrapped(*args, **kwargs)


def test_nothing_is_left_to_it_without_a_reason(server) -> None:
    client = client_at(server.port)

    client.list_tables()

    assert not sent_by_botocore(client)


def test_the_setting_leaves_everything_to_it(server) -> None:
    client = client_at(server.port, "botocore")

    client.list_tables()

    assert sent_by_botocore(client)


# Handlers


@pytest.mark.parametrize("event", ["before-send", "before-send.dynamodb.ListTables"])
def test_a_handler_sees_requests_as_soon_as_it_is_there_and_as_long(server, event) -> None:
    client = client_at(server.port)
    client.list_tables()
    seen = []

    def look(request, **_):
        seen.append(request.headers)

    client.meta.events.register_last(event, look)
    client.list_tables()
    assert (len(seen), sent_by_botocore(client)) == (1, True)

    client.meta.events.unregister(event, look)
    before = server.connections
    client.list_tables()
    assert (len(seen), server.connections) == (1, before)


def test_a_handler_of_another_operation_is_no_reason(server) -> None:
    client = client_at(server.port)
    client.meta.events.register("before-send.dynamodb.Query", lambda **_: None)

    client.list_tables()

    assert not sent_by_botocore(client)


@pytest.mark.parametrize("register", ["register_first", "register", "register_last"])
def test_a_reply_of_a_handler_is_the_only_one(server, register) -> None:
    client = client_at(server.port)

    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield b'{"TableNames": ["mine"]}'

    def answer(request, **_):
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 200, headers, Raw())  # type: ignore[arg-type]

    getattr(client.meta.events, register)("before-send.dynamodb", answer)

    assert client.list_tables()["TableNames"] == ["mine"]
    assert server.requests == []


@pytest.mark.parametrize("event", ["before-sign.dynamodb", "request-created.dynamodb"])
def test_a_header_of_a_handler_is_sent(server, event) -> None:
    client = client_at(server.port)

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = "Root=1"

    client.meta.events.register(event, add)
    for _ in range(2):
        client.list_tables()

    assert not sent_by_botocore(client)
    assert all(b"X-Amzn-Trace-Id: Root=1\r\n" in request for request in server.requests)


@pytest.mark.ci
@pytest.mark.parametrize(
    ("name", "value"),
    [("Expect", "100-continue"), ("Connection", "close")],
)
def test_a_request_with_a_header_of_the_connection_is_left_to_it(server, name, value) -> None:
    client = client_at(server.port, read_timeout=2)

    def add(request, **_):
        request.headers[name] = value

    client.meta.events.register("request-created.dynamodb", add)
    client.list_tables()

    assert sent_by_botocore(client)


def test_a_host_of_a_handler_is_sent_once(server) -> None:
    client = client_at(server.port)

    def add(request, **_):
        del request.headers["host"]
        request.headers["host"] = "tables.example"

    client.meta.events.register("before-sign.dynamodb", add)
    for _ in range(2):
        client.list_tables()

    for request in server.requests:
        assert request.lower().count(b"\r\nhost:") == 1
        assert b"host: tables.example\r\n" in request


# Tools that patch


def test_x_ray_traces_requests(server, monkeypatch) -> None:
    patching = pytest.importorskip("aws_xray_sdk.ext.botocore.patch")
    monkeypatch.setenv("AWS_XRAY_CONTEXT_MISSING", "IGNORE_ERROR")
    for owner, name in ((BaseClient, "_make_api_call"), (Endpoint, "prepare_request")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    client = client_at(server.port)
    try:
        patching.patch()
        client.list_tables()
    finally:
        del botocore.client._xray_enabled  # type: ignore[attr-defined]

    assert sent_by_botocore(client)
    assert client_is_left(server)


def client_is_left(server: Server) -> bool:
    """Whether a new client leaves its requests to botocore."""
    client = client_at(server.port)
    client.list_tables()
    return sent_by_botocore(client)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (BaseClient, "_make_api_call"),  # as OpenTelemetry, Sentry and Datadog do for botocore
        (URLLib3Session, "send"),
        (urllib3.HTTPConnectionPool, "urlopen"),  # as OpenTelemetry does for urllib3
        (urllib3.connection.HTTPConnection, "request"),
        (Endpoint, "_send"),
        (AWSHTTPConnectionPool, "urlopen"),
        (AWSHTTPConnection, "request"),
        (http.client.HTTPConnection, "putrequest"),  # as Sentry does for Python's client
        (http.client.HTTPConnection, "getresponse"),
        (http.client.HTTPConnection, "endheaders"),  # as New Relic does
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
@pytest.mark.parametrize("by", ["wrapt", "a function"])
def test_a_patched_function_is_called(server, monkeypatch, owner, name, by) -> None:
    counter = Counter()
    client = client_at(server.port)
    original = getattr(owner, name)
    if by == "wrapt":
        wrapper: Any = wrapt.FunctionWrapper(original, counter)
    else:

        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            return counter(original.__get__(self), None, args, kwargs)

    with monkeypatch.context() as patching:
        patching.setattr(owner, name, wrapper)
        client.list_tables()
        assert counter.calls == 1
        assert sent_by_botocore(client)
        assert client_is_left(server)

    assert not client_is_left(server)
    if by == "a function":
        assert not sending._is_original(wrapper)


def test_recorded_connections_take_the_place_of_botocores(server, monkeypatch) -> None:
    # As vcrpy does.
    class Recorded(AWSHTTPConnection):
        used = 0

        def request(self, *args: Any, **kwargs: Any) -> Any:
            Recorded.used += 1
            return super().request(*args, **kwargs)

    client = client_at(server.port)
    monkeypatch.setattr(botocore.awsrequest.AWSHTTPConnectionPool, "ConnectionCls", Recorded)

    client.list_tables()

    assert Recorded.used == 1


def test_connections_of_somebody_else_are_used(server) -> None:
    client = client_at(server.port)
    client.list_tables()
    used = []

    class Mine(URLLib3Session):
        def send(self, request: Any) -> Any:
            used.append(request)
            return super().send(request)

    client._endpoint.http_session = Mine()
    client.list_tables()

    assert len(used) == 1


def test_the_emulator_of_moto_answers_instead_of_the_network(monkeypatch) -> None:
    moto = pytest.importorskip("moto")
    stubber = pytest.importorskip("moto.core.models").botocore_stubber
    handlers = [*botocore.handlers.BUILTIN_HANDLERS, ("before-send", stubber)]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)
    with moto.mock_aws():
        client = make_client(config_at("https://dynamodb.eu-central-1.amazonaws.com"))
        assert client.list_tables()["TableNames"] == []


def test_the_emulator_of_moto_answers_a_client_that_was_there_before() -> None:
    moto = pytest.importorskip("moto")
    patch_client = pytest.importorskip("moto.core").patch_client
    client = make_client(config_at("https://dynamodb.eu-central-1.amazonaws.com"))
    with moto.mock_aws():
        patch_client(client)
        assert client.list_tables()["TableNames"] == []


def test_a_stubber_answers_instead_of_the_network(server) -> None:
    client = client_at(server.port)
    with Stubber(client) as stubber:
        stubber.add_response("list_tables", {"TableNames": ["stub"]})
        assert client.list_tables()["TableNames"] == ["stub"]
    assert server.requests == []


# Clients and settings


def test_a_client_of_the_tables_streams_sends_in_the_same_way() -> None:
    with serving(says(message(b'{"Streams": []}'))) as server:
        client = make_streams_client(config_at(f"http://127.0.0.1:{server.port}"))

        assert client.list_streams()["Streams"] == []
        assert not sent_by_botocore(client)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_gets_the_requests(server, monkeypatch, variable) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("NO_PROXY", "")
    client = make_client(config_at("http://tables.example:8000"))

    assert client.list_tables()["TableNames"] == ["events", "log"]
    assert server.requests[0].startswith(b"POST http://tables.example:8000/ HTTP/1.1\r\n")


def test_a_proxy_of_other_hosts_is_no_reason(server, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    assert not client_is_left(server)


def test_a_client_of_the_user_is_left_alone(server) -> None:
    session = make_session(config_at(f"http://127.0.0.1:{server.port}"))
    mine = session.client(
        "dynamodb",
        region_name="eu-central-1",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        config=Config(retries={"total_max_attempts": 1}),
    )

    backend = DynamoBackend(config_at(f"http://127.0.0.1:{server.port}"), mine)
    backend.client.list_tables()

    assert sent_by_botocore(mine)


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.delattr(URLLib3Session, "_setup_ssl_cert"),
        lambda patch: patch.setattr(sending, "_ARE_KNOWN", False),
        lambda patch: patch.setattr(
            sending, "URLLib3Session", type("Other", (URLLib3Session,), {})
        ),
    ],
    ids=["its inside differs", "not as known", "other connections"],
)
def test_nothing_changes_where_botocore_is_not_as_known(server, monkeypatch, change) -> None:
    with monkeypatch.context() as patching:
        change(patching)
        client = client_at(server.port)
    client.list_tables()

    assert sent_by_botocore(client)


def test_a_reply_of_a_mocked_pool_is_read(server, monkeypatch) -> None:
    # A mock that was there before this library was imported cannot be told from the original.
    def urlopen(self: Any, *_: Any, **kwargs: Any) -> urllib3.HTTPResponse:
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        return urllib3.HTTPResponse(BytesIO(BODY), headers, 200, preload_content=False)

    monkeypatch.setattr(urllib3.HTTPConnectionPool, "urlopen", urlopen)
    monkeypatch.setattr(sending, "_ORIGINALS", sending._often_patched())

    assert client_at(server.port).list_tables()["TableNames"] == ["events", "log"]
    assert server.requests == []


def test_headers_of_botocore_become_a_dict_whatever_they_are_inside() -> None:
    headers = HeadersDict({"Content-Type": "text", "X-Amz-Date": b"now"})

    assert sending._plain(headers) == dict(headers) == sending._plain(dict(headers))
