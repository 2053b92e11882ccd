"""The default transport signs as botocore does, and leaves what is unusual to botocore's signer."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from unittest.mock import patch

import botocore
import pytest
from botocore.auth import AUTH_TYPE_MAPS, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es.dynamodb.wire.attempts.watching import attempts
from dynamo_es.dynamodb.wire.boto.signing import QuickSigner
from dynamo_es.dynamodb.wire.client import make_client, make_streams_client
from dynamo_es.dynamodb.wire.lean import signing as lean_signing
from tests.dynamodb.wire.moments import botocore_at
from tests.dynamodb.wire.scripted import serving
from tests.dynamodb.wire.senders import client_at, config_at, nothing_hooked_in

# The fixture, by its name.
__all__ = ["nothing_hooked_in"]

NOW = datetime(2030, 1, 2, 3, 4, 5)  # noqa: DTZ001 - as botocore has it
TARGET = {"X-Amz-Target": "DynamoDB_20120810.PutItem", "Content-Type": "application/x-amz-json-1.0"}
USUAL = "https://dynamodb.eu-central-1.amazonaws.com/"
URLS = (
    USUAL,
    "http://127.0.0.1:8000/",
    "http://localhost:80/",
    "https://example.com:443/",
    "https://example.com:080/",
    "https://Example.com/",
    "http://[::1]:8000/",
    "http://a@localhost/",
    "https://example.com/a/../b c",
    "https://example.com/?x=1&a=b",
    "https://example.com",
)
WORDS = st.text("abcXYZ019/+=", min_size=1, max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["User-Agent", "X-Amzn-Trace-Id", "traceparent", "host", "x-amz-date", "Date", "x-mine"]
    ),
    st.sampled_from(["x", "a  b", "Thu, 26 Nov 2026 07:00:00 GMT", ""]),
)


def signed(
    signer: type[SigV4Auth],
    url: str,
    credentials: ReadOnlyCredentials | None,
    body: Any,
    context: dict[str, Any],
    *headers: dict[str, str],
    method: str = "POST",
    service: str = "dynamodb",
    params: dict[str, str] | None = None,
) -> list[tuple[str, str]]:
    request = AWSRequest(method, url, data=body, params=params)
    for some in headers:
        for name, value in some.items():
            request.headers[name] = value  # adds to what is there
    request.context = dict(context)
    with botocore_at(NOW), patch.object(lean_signing, "datetime", AtThatMoment):
        signer(credentials, service, "eu-central-1").add_auth(request)  # type: ignore[arg-type]
    assert request.context["timestamp"] == "20300102T030405Z"
    return list(request.headers.items())


class AtThatMoment:
    @staticmethod
    def now(_: Any) -> datetime:
        return NOW


KEYS = ReadOnlyCredentials("A", "s", "t/+=")


@given(
    st.sampled_from(URLS),
    st.builds(ReadOnlyCredentials, WORDS, WORDS, st.sampled_from([None, ""]) | WORDS),
    st.binary(max_size=40) | st.sampled_from(["text", None]),
    st.sampled_from([{}, {"payload_signing_enabled": False}]),
    HEADERS,
    st.sampled_from(["POST", "GET"]),
    st.sampled_from(["dynamodb", "kms"]),
)
def test_a_request_is_signed_as_botocore_signs_it(
    url, keys, body, context, headers, method, service
):
    ours, theirs = (
        signed(signer, url, keys, body, context, TARGET, headers, method=method, service=service)
        for signer in (QuickSigner, SigV4Auth)
    )

    assert ours == theirs


UNUSUAL: dict[str, dict[str, Any]] = {
    **{url: {"url": url} for url in URLS},
    "a method": {"method": "PUT"},
    "a service": {"service": "kms"},
    "parameters of the URL": {"params": {"b": "1", "a": "2"}},
    "a body of text": {"body": "text"},
    "a body that is not signed": {"context": {"payload_signing_enabled": False}},
    "a checksum after the body": {
        "context": {"checksum": {"request_algorithm": {"in": "trailer"}}},
    },
    "a header twice": {"headers": {"X-Amz-Target": "twice"}},
    "a header twice, in other letters": {"headers": {"x-amz-target": "twice"}},
    "a date": {"headers": {"Date": "Thu, 26 Nov 2026 07:00:00 GMT"}},
    "blanks in a header": {"target": {**TARGET, "Content-Type": "a  b"}},
    "a tab in a header": {"target": {**TARGET, "Content-Type": "a\tb"}},
    "a token with blanks at its ends": {"keys": ReadOnlyCredentials("A", "s", " t ")},
    "a token with many blanks": {"keys": ReadOnlyCredentials("A", "s", "t  t")},
    "a token with a line break": {"keys": ReadOnlyCredentials("A", "s", "t\n")},
    "no target": {"target": {"Content-Type": "a"}},
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_a_request_of_another_form_is_signed_as_botocore_signs_it(name):
    request: dict[str, Any] = {
        "url": USUAL,
        "body": b"{}",
        "context": {},
        "target": TARGET,
        "headers": {},
        "keys": KEYS,
    } | UNUSUAL[name]
    more = {key: request[key] for key in ("method", "service", "params") if key in request}
    ours, theirs = (
        signed(
            signer,
            request["url"],
            request["keys"],
            request["body"],
            request["context"],
            request["target"],
            request["headers"],
            **more,
        )
        for signer in (QuickSigner, SigV4Auth)
    )

    assert ours == theirs


@pytest.mark.parametrize("headers", [{}, {"User-Agent": "Boto3 x"}, {"X-Amzn-Trace-Id": "1"}])
def test_a_request_in_the_usual_form_is_signed_without_botocores_signer(headers, monkeypatch):
    expected = signed(SigV4Auth, USUAL, KEYS, b"{}", {}, TARGET, headers)
    monkeypatch.setattr(SigV4Auth, "add_auth", lambda *_: pytest.fail("signed by botocore"))

    assert signed(QuickSigner, USUAL, KEYS, b"{}", {}, TARGET, headers) == expected


def test_new_credentials_are_used_at_once():
    for secret in ("one", "two", "one"):
        keys = ReadOnlyCredentials("A", secret, None)
        ours, theirs = (
            signed(signer, USUAL, keys, b"{}", {}, TARGET) for signer in (QuickSigner, SigV4Auth)
        )
        assert ours == theirs


def test_a_request_without_credentials_is_refused():
    with pytest.raises(NoCredentialsError):
        signed(QuickSigner, USUAL, None, b"{}", {}, TARGET)


# --- in a client


@pytest.fixture
def server(nothing_hooked_in):
    with serving() as server:
        yield server


@pytest.fixture
def quickly(monkeypatch):
    """The bodies that the library has signed."""
    bodies = []
    original = lean_signing.Signer.sign

    def note(self, headers, body, credentials):
        bodies.append(body)
        original(self, headers, body, credentials)

    monkeypatch.setattr(lean_signing.Signer, "sign", note)
    return bodies


def test_each_client_signs_in_this_way(server, quickly):
    config = config_at(f"http://127.0.0.1:{server.port}")
    make_client(config).list_tables()
    make_streams_client(config).list_streams()

    assert len(quickly) == 2


def test_the_setting_leaves_it_to_botocore(server, quickly):
    client_at(server.port, "botocore").list_tables()

    assert quickly == []


def test_a_signer_that_a_user_chooses_signs(server, quickly):
    client = client_at(server.port)
    client.meta.events.register("choose-signer.dynamodb", lambda **_: botocore.UNSIGNED)

    client.list_tables()

    assert quickly == []
    assert b"Authorization" not in server.requests[0]


@pytest.mark.parametrize("name", ["add_auth", "canonical_request", "headers_to_sign", "signature"])
def test_a_signer_that_a_tool_has_patched_signs(server, quickly, monkeypatch, name):
    client = client_at(server.port)
    original = getattr(SigV4Auth, name)
    calls = []

    def patched(self, *arguments):
        calls.append(name)
        return original(self, *arguments)

    monkeypatch.setattr(SigV4Auth, name, patched)
    client.list_tables()

    assert (bool(calls), quickly) == (True, [])


def test_a_signer_that_a_tool_has_put_in_its_place_signs(server, quickly, monkeypatch):
    client = client_at(server.port)

    class Theirs(SigV4Auth):
        pass

    monkeypatch.setitem(AUTH_TYPE_MAPS, "v4", Theirs)
    client.list_tables()

    assert quickly == []


def test_botocores_log_shows_what_is_signed(server, quickly, caplog):
    client = client_at(server.port)
    with caplog.at_level(logging.DEBUG, "botocore.auth"):
        client.list_tables()

    assert "CanonicalRequest:\nPOST" in caplog.text
    assert quickly == []


def test_an_address_that_is_signed_beforehand_is_botocores(server, quickly):
    address = client_at(server.port).generate_presigned_url("list_tables")

    assert "X-Amz-Signature=" in address
    assert quickly == []


def test_a_header_of_a_handler_is_signed_as_by_botocore(server, quickly):
    client = client_at(server.port)

    def add(request, **_):
        request.headers["x-mine"] = "1"

    client.meta.events.register("before-sign.dynamodb", add)
    client.list_tables()

    assert b"x-amz-target;x-mine," in server.requests[0]
    assert quickly == []


def test_each_attempt_is_signed(server, quickly):
    client = client_at(server.port)
    attempts.reset()
    client.list_tables()
    client.list_tables(Limit=1)

    assert quickly == [b"{}", b'{"Limit": 1}']
