"""An emulator does not affect other AWS clients in its process, nor they the emulator."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import boto3
import pytest
from moto import mock_aws
from moto.core.authorization import ActionAuthenticatorMixin

from dynamo_es.dynamodb.emulator.emulator import Emulator, emulated_client
from tests.dynamodb.small_table import CONFIG, keys_of, make_table, put, tables_of


@pytest.fixture
def emulator():
    return Emulator()


@pytest.fixture
def client(emulator):
    client = emulator.client(CONFIG)
    make_table(client)
    return client


class Server(HTTPServer):
    """Takes requests as DynamoDB would, and has but one table."""

    targets: ClassVar[list[str]] = []

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Server.Handler)
        self.targets.clear()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            Server.targets.append(self.headers["X-Amz-Target"])
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"TableNames": ["of the server"]}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass


@pytest.fixture
def server():
    with Server() as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server
        server.shutdown()


def plain_client(**arguments):
    return boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="plain",
        aws_secret_access_key="plain",  # noqa: S106 - of nothing
        **arguments,
    )


def test_a_plain_client_goes_over_the_network_as_ever(client, server):
    plain = plain_client(endpoint_url=f"http://127.0.0.1:{server.server_port}")
    assert tables_of(plain) == ["of the server"]
    assert server.targets == ["DynamoDB_20120810.ListTables"]
    plain.close()
    assert tables_of(client) == ["events"]


def test_mock_aws_and_an_emulator_do_not_see_each_other(emulator, client):
    put(client, "before")
    with mock_aws():
        mocked = plain_client()
        assert tables_of(mocked) == []
        make_table(mocked, "of the mock")
        inside = emulator.client(CONFIG)
        put(client, "during")
        put(inside, "during, too")
        assert tables_of(inside) == ["events"]
        assert tables_of(mocked) == ["of the mock"]
    assert keys_of(client) == ["before", "during", "during, too"]


def test_requests_are_not_counted_where_mock_aws_counts_its_own(client):
    before = ActionAuthenticatorMixin.request_count
    put(client, "a")
    assert before == ActionAuthenticatorMixin.request_count


def test_the_environment_of_aws_is_of_no_consequence(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "there-is-none")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    client: Any = emulated_client(CONFIG)
    make_table(client)
    assert tables_of(client) == ["events"]
    assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 3}
