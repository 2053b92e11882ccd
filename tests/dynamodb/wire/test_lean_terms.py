"""The lean transport serves what botocore would serve in the same way, and nothing else."""

from __future__ import annotations

import functools
import logging
import os
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from botocore.client import BaseClient
from botocore.session import Session
from moto import mock_aws

from dynamo_es import DynamoBackend, DynamoConfig
from dynamo_es.dynamodb.wire.client import make_client
from dynamo_es.dynamodb.wire.lean.client import LeanClient
from dynamo_es.dynamodb.wire.lean.terms import Credentials, terms_of

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = DynamoConfig(
    events_table="events", log_table="log", keys_table="keys", region="eu-west-1", transport="lean"
)
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
LAMBDA = {
    **KEYS,
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_FUNCTION_NAME": "orders",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Credentials, and nothing else of AWS."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "BOTO", "REQUESTS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def sender(config: DynamoConfig = CONFIG, **given: Any) -> Any:
    """Return what sends the requests of a backend."""
    return DynamoBackend(config, **given).sender()


# --- what it serves


def test_a_function_of_lambda_is_served():
    terms = terms_of(replace(CONFIG, region=None), LAMBDA)
    assert terms is not None
    assert terms.endpoint == "https://dynamodb.eu-west-1.amazonaws.com"
    assert terms.credentials == Credentials("AKID", "secret", "token")


def test_every_region_of_the_standard_partition_has_botocores_endpoint():
    regions = Session().get_available_regions("dynamodb")
    assert len(regions) > 20
    for region in regions:
        terms = terms_of(replace(CONFIG, region=region))
        if region == "local":
            assert terms is None
            continue
        assert terms is not None, region
        # The rule of botocore's endpoints for the partition `aws`.
        assert terms.endpoint == f"https://dynamodb.{region}.amazonaws.com"
    for region in (regions[0], regions[-2]):
        client = make_client(replace(CONFIG, region=region))
        assert client.meta.endpoint_url == terms_of(replace(CONFIG, region=region)).endpoint  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "set_to",
    [
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:8000"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:8000/"},
        {"AWS_ENDPOINT_URL": "http://x", "AWS_ENDPOINT_URL_DYNAMODB": "https://db.example.com"},
        {"AWS_ENDPOINT_URL_S3": "http://x"},
        {"AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-east-1"},
        {"AWS_REGION": "us-east-2"},
        {"AWS_MAX_ATTEMPTS": "9", "AWS_RETRY_MODE": "legacy"},
        {"AWS_SESSION_TOKEN": ""},
        {"NO_PROXY": "localhost"},
    ],
    ids=str,
)
@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_what_it_serves_is_what_botocore_would_do(environment, set_to, region):
    for name, value in set_to.items():
        environment.setenv(name, value)
    config = replace(CONFIG, region=region)
    terms = terms_of(config)
    if terms is None:
        assert region is None
        assert not {"AWS_REGION", "AWS_DEFAULT_REGION"} & set_to.keys()
        return
    client: Any = make_client(config)
    found = client._request_signer._credentials.get_frozen_credentials()
    assert terms.region == client.meta.region_name
    assert terms.endpoint == client.meta.endpoint_url.removesuffix("/")
    assert (terms.credentials.access_key, terms.credentials.secret_key) == found[:2]
    assert terms.credentials.token == found.token


def test_a_configured_endpoint_goes_first(environment):
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    terms = terms_of(replace(CONFIG, endpoint_url="http://127.0.0.1:8000"))
    assert terms is not None
    assert terms.endpoint == "http://127.0.0.1:8000"


def test_an_engine_on_this_machine_needs_no_region():
    terms = terms_of(replace(CONFIG, region=None, endpoint_url="http://127.0.0.1:8000"))
    assert terms is not None
    assert terms.region == "us-east-1"


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_bundle_of_certificates_is_used(environment, tmp_path, name):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("")
    environment.setenv(name, str(bundle))
    terms = terms_of(CONFIG)
    assert terms is not None
    assert terms.ca_bundle == str(bundle)


# --- what it leaves to botocore

LEFT = [
    {"AWS_ACCESS_KEY_ID": ""},
    {"AWS_SECRET_ACCESS_KEY": ""},
    {"AWS_PROFILE": "mine"},
    {"AWS_PROFILE": ""},
    {"AWS_DEFAULT_PROFILE": "mine"},
    {"AWS_CA_BUNDLE": ""},
    {"AWS_SECURITY_TOKEN": "old"},
    {"AWS_SESSION_TOKEN": "token\n"},
    {"AWS_SESSION_TOKEN": "to  ken"},
    {"AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00Z"},
    {"AWS_ACCOUNT_ID": "123456789012"},
    {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"},
    {"AWS_USE_FIPS_ENDPOINT": "true"},
    {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    {"AWS_ENDPOINT_DISCOVERY_ENABLED": "true"},
    {"AWS_CA_BUNDLE": "/nowhere"},
    {"AWS_DEFAULTS_MODE": "mobile"},
    {"AWS_DATA_PATH": "/models"},
    {"AWS_CSM_ENABLED": "true"},
    {"AWS_SDK_UA_APP_ID": "mine"},
    {"AWS_SOMETHING_NEW": "1"},
    {"BOTO_EXPERIMENTAL__ADD_PROXY_HOST_HEADER": "1"},
    {"HTTPS_PROXY": "http://proxy:3128"},
    {"http_proxy": "http://proxy:3128"},
    {"ALL_PROXY": "http://proxy:3128"},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:8000/path"},
    {"AWS_ENDPOINT_URL": "http://me:secret@127.0.0.1:8000"},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:8000?x=1"},
    {"AWS_ENDPOINT_URL": "http://[::1]:8000"},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:eight"},
    {"AWS_ENDPOINT_URL": "https://dynamodb.eu-west-1.api.aws"},
    {"AWS_ENDPOINT_URL": "127.0.0.1:8000"},
]


@pytest.mark.parametrize("set_to", LEFT, ids=str)
def test_whatever_else_is_set_is_left_to_botocore(environment, set_to, caplog):
    for name, value in set_to.items():
        environment.setenv(name, value)
    with caplog.at_level(logging.DEBUG, "dynamo_es"):
        assert terms_of(CONFIG) is None
    (record,) = caplog.records
    assert record.getMessage().startswith("boto3 sends the requests instead of the lean transport")
    assert "secret" not in record.getMessage()


@pytest.mark.parametrize(
    "region",
    [
        *("cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1", "eu-isoe-west-1"),
        *("local", "aws-global", "fips-us-east-1", "us-east-1-fips", "EU-WEST-1", "x"),
        "eu-west-1.evil.com",
    ],
)
def test_other_partitions_are_left_to_botocore(region):
    assert terms_of(replace(CONFIG, region=region)) is None


def test_a_process_without_a_region_is_left_to_botocore():
    assert terms_of(replace(CONFIG, region=None)) is None


@pytest.mark.parametrize("name", ["config", "credentials"])
@pytest.mark.parametrize("moved", [False, True])
def test_a_file_of_settings_is_left_to_botocore(environment, tmp_path, name, moved):
    path = tmp_path / (f"moved-{name}" if moved else f".aws/{name}")
    path.parent.mkdir(exist_ok=True)
    if moved:
        variable = {"config": "AWS_CONFIG_FILE", "credentials": "AWS_SHARED_CREDENTIALS_FILE"}[name]
        environment.setenv(variable, str(path))
    assert terms_of(CONFIG) is not None
    path.write_text("")
    assert terms_of(CONFIG) is not None, "there is nothing in it"
    path.write_text("[default]\nregion = eu-central-1\n")
    assert terms_of(CONFIG) is None


def test_a_profile_is_left_to_botocore():
    assert terms_of(replace(CONFIG, profile="mine")) is None


def test_a_mock_of_moto_is_left_to_botocore():
    with mock_aws():
        assert terms_of(CONFIG) is None
    assert terms_of(CONFIG) is not None


def _instrumented(*_: Any) -> None:
    """Stands in for the function of a tool."""


@pytest.mark.parametrize("by", ["a function", "a proxy"])
def test_an_instrumented_botocore_is_left_to_botocore(monkeypatch, by):
    original = BaseClient._make_api_call  # type: ignore[attr-defined]
    assert terms_of(CONFIG) is not None
    wrapped: Any = functools.wraps(original)(_instrumented)
    if by == "a proxy":
        wrapped = Mock(wraps=original, __globals__=original.__globals__)
    monkeypatch.setattr(BaseClient, "_make_api_call", wrapped)
    assert terms_of(CONFIG) is None


def test_an_older_urllib3_is_left_to_botocore(monkeypatch):
    monkeypatch.setitem(sys.modules, "urllib3", SimpleNamespace(__version__="1.26.20"))
    assert terms_of(CONFIG) is None


# --- who gets it


def test_a_backend_sends_by_it_and_users_get_a_client_of_botocore():
    backend = DynamoBackend(CONFIG)
    assert isinstance(backend.sender(), LeanClient)
    assert backend.sender() is backend.sender()
    assert not isinstance(backend.client, LeanClient)
    assert backend.client.meta.service_model.service_name == "dynamodb"


def test_operations_that_it_does_not_know_are_the_clients():
    backend = DynamoBackend(CONFIG)
    lean: Any = backend.sender()
    assert lean.describe_table == backend._client().describe_table
    with pytest.raises(AttributeError):
        _ = lean._private


def test_a_backend_that_it_cannot_serve_sends_by_its_client(environment):
    environment.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    backend = DynamoBackend(CONFIG)
    assert backend.sender() is backend._client()


def test_a_client_that_is_given_sends_everything():
    given = make_client(CONFIG)
    assert sender(client=given) is given


@pytest.mark.parametrize("transport", ["default", "botocore"])
def test_it_is_chosen_only_by_name(transport):
    assert not isinstance(sender(replace(CONFIG, transport=transport)), LeanClient)


def test_no_text_of_its_terms_holds_a_secret():
    terms = terms_of(CONFIG)
    assert "secret" not in repr(terms)
    assert "secret" not in str(terms)
