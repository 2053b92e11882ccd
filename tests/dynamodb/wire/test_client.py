"""The client has the configured time-outs and retries, or is the caller's own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidationDecorator

from dynamo_es import DynamoBackend, DynamoConfig, StreamId
from dynamo_es.dynamodb.wire import client as module
from dynamo_es.dynamodb.wire.client import LazyClient, client_config, make_client
from dynamo_es.exceptions import ConfigurationError, CredentialsError

NAMES: dict[str, Any] = {"events_table": "events", "log_table": "log", "keys_table": "keys"}
CONFIG = DynamoConfig(**NAMES, endpoint_url="http://127.0.0.1:1", region="eu-central-1")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    """Nothing of this machine's own AWS settings."""
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)


def test_its_settings_are_stated():
    config = DynamoConfig(**NAMES, connect_timeout=0.5, read_timeout=4.5, max_attempts=7)
    made: Any = client_config(config)
    assert made.connect_timeout == 0.5
    assert made.read_timeout == 4.5
    assert made.retries == {"mode": "standard", "total_max_attempts": 7}
    assert made.tcp_keepalive is True
    assert made.max_pool_connections == 50, "more than a web framework's 40 threads"
    assert made.parameter_validation is False


def test_it_has_them_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    client = make_client(CONFIG)
    config: Any = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (1.0, 3.0)
    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] == 4
    assert client.meta.endpoint_url == "http://127.0.0.1:1"
    assert client.meta.region_name == "eu-central-1"


def test_it_is_made_once_however_many_ask_at_the_same_time(monkeypatch):
    made = []

    def make(config):
        made.append(config)
        time.sleep(0.05)  # for the others to arrive
        return original(config)

    original = module.make_client
    monkeypatch.setattr(module, "make_client", make)
    lazy = LazyClient(CONFIG, None)
    assert not made, "not before it is asked for"
    barrier = Barrier(8)

    def ask(_):
        barrier.wait()
        return lazy()

    with ThreadPoolExecutor(8) as threads:
        clients = set(threads.map(ask, range(8)))
    assert made == [CONFIG]
    assert len(clients) == 1


def test_one_that_could_not_be_made_is_tried_again(monkeypatch):
    lazy = LazyClient(DynamoConfig(**NAMES), None)
    with pytest.raises(Exception, match="You must specify a region"):
        lazy()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert lazy().meta.region_name == "eu-central-1"


def test_a_client_that_is_given_is_used_as_it_is():
    given = make_client(CONFIG)
    backend = DynamoBackend(DynamoConfig(**NAMES, region="us-east-1", max_attempts=9), given)
    assert backend.client is given
    settings: Any = given.meta.config
    assert settings.retries["total_max_attempts"] == 4


def test_its_pool_has_the_size_that_is_configured():
    client: Any = make_client(replace(CONFIG, max_pool_connections=3))
    assert client._endpoint.http_session._max_pool_connections == 3


@pytest.mark.parametrize("which", ["client", "streams_client"])
def test_users_are_given_one_that_checks_parameters_over_the_same_connections(which):
    backend = DynamoBackend(CONFIG)
    fast: Any = (backend._client if which == "client" else backend._streams_client)()
    handed: Any = getattr(backend, which)

    assert handed is getattr(backend, which), "it is made once"
    assert handed._endpoint is fast._endpoint
    assert handed.meta.events is fast.meta.events
    with pytest.raises(ParamValidationError):
        (handed.describe_table if which == "client" else handed.get_records)()
    assert list(handed.meta.service_model.operation_names)


def test_requests_of_the_store_are_not_checked_again():
    backend = DynamoBackend(CONFIG)
    assert backend.client is not backend._client()
    assert not isinstance(vars(backend._client())["_serializer"], ParamValidationDecorator)


def test_the_emulator_hands_out_one_that_checks_parameters():
    with DynamoBackend.local() as backend:
        client: Any = backend.client
        with pytest.raises(ParamValidationError):
            client.describe_table()


def test_a_backend_makes_none_until_the_first_request(monkeypatch):
    monkeypatch.setattr(module, "make_client", lambda _: pytest.fail("made too early"))
    backend = DynamoBackend(CONFIG)
    assert backend.in_tenant("a").storage is not backend.storage


@pytest.mark.parametrize("missing", ["region", "credentials"])
def test_what_is_missing_is_named_at_the_first_request(missing):
    region: dict[str, Any] = {} if missing == "region" else {"region": "eu-central-1"}
    backend = DynamoBackend(DynamoConfig(**NAMES, **region))
    with pytest.raises(CredentialsError, match=f"specify a {missing}|locate {missing}") as caught:
        backend.storage.fetch_events(StreamId())
    assert caught.value.__cause__ is not None
    assert "AWS_DEFAULT_REGION" in str(caught.value)


def test_boto3_is_not_loaded_for_a_backend_that_sends_nothing():
    code = """
import sys
from dynamo_es import DynamoBackend, DynamoConfig
DynamoBackend(DynamoConfig(events_table="e", log_table="l", keys_table="k")).storage
assert "boto3" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - the code above


def test_the_lean_transport_loads_little_of_botocore_and_no_rare_algorithm():
    code = """
import sys
from dynamo_es import DynamoBackend, DynamoConfig
config = DynamoConfig(
    events_table="e", log_table="l", keys_table="k", transport="lean", region="eu-west-1"
)
DynamoBackend(config).prepare()
of_botocore = {name for name in sys.modules if name.startswith("botocore.")}
assert {name.split(".")[1] for name in of_botocore} == {"exceptions", "vendored"}, of_botocore
assert "dynamo_es.dynamodb.wire.lean.connections" in sys.modules
assert "dynamo_es.dynamodb.streams.delete" not in sys.modules
assert "dynamo_es.contracts.log" not in sys.modules
assert "decimal" not in sys.modules
"""
    environ = {
        **{name: text for name, text in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "HOME": "/nowhere",
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)  # noqa: S603


# From the environment


def test_a_backend_is_configured_by_the_environment():
    environ = {
        "DYNAMO_ES_EVENTS_TABLE": "shop-events",
        "DYNAMO_ES_LOG_TABLE": "shop-log",
        "DYNAMO_ES_KEYS_TABLE": "shop-keys",
        "DYNAMO_ES_READ_TIMEOUT": "5",
    }
    given = make_client(CONFIG)
    backend = DynamoBackend.from_env(environ, client=given)
    assert (backend.config.events_table, backend.config.read_timeout) == ("shop-events", 5.0)
    assert backend.client is given


def test_what_is_missing_in_the_environment_is_named():
    with pytest.raises(ConfigurationError, match="DYNAMO_ES_LOG_TABLE, DYNAMO_ES_KEYS_TABLE"):
        DynamoBackend.from_env({"DYNAMO_ES_EVENTS_TABLE": "events"})
