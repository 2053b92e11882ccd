"""Sessions use the configured profile; a local engine gets default settings."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ProfileNotFound

from dynamo_es import DynamoBackend, DynamoConfig
from dynamo_es.dynamodb.wire.client import make_client, make_streams_client
from dynamo_es.dynamodb.wire.session import StandIns, is_local, make_session, stand_ins
from dynamo_es.exceptions import CredentialsError

NAMES: dict[str, Any] = {"events_table": "events", "log_table": "log", "keys_table": "keys"}
LOCAL = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    """Nothing of this machine's own AWS settings."""
    for variable in ("REGION", "DEFAULT_REGION", "PROFILE", "DEFAULT_PROFILE"):
        monkeypatch.delenv(f"AWS_{variable}", raising=False)
    for variable in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.delenv(f"AWS_{variable}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def config(endpoint: str | None = LOCAL, **settings: Any) -> DynamoConfig:
    return DynamoConfig(**NAMES, endpoint_url=endpoint, **settings)


def credentials_of(made: DynamoConfig) -> tuple[str, str | None]:
    found = make_session(made).get_credentials()
    assert found is not None
    return found.access_key, found.secret_key


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        (LOCAL, True),
        ("http://127.9.9.9:1", True),
        ("http://localhost:8000", True),
        ("http://dynamodb.localhost:8000", True),
        ("http://[::1]:8000/", True),
        (None, False),
        ("http://dynamodb:8000", False),
        ("http://10.0.0.1:8000", False),
        ("https://localhost.example.com", False),
        ("http://[::1", False),
        ("127.0.0.1:8000", False),
    ],
)
def test_a_local_engine_is_one_on_this_machine(endpoint, local):
    assert is_local(config(endpoint)) is local


def test_a_local_engine_needs_neither_region_nor_credentials(monkeypatch):
    monkeypatch.setattr("botocore.utils.InstanceMetadataFetcher.retrieve_iam_role_credentials", 0)

    assert stand_ins(config()) == StandIns(region=True, credentials=True)
    assert make_client(config()).meta.region_name == "us-east-1"
    assert make_streams_client(config()).meta.region_name == "us-east-1"
    assert credentials_of(config()) == ("local", "local")


def test_what_is_configured_counts_on_a_local_engine_too(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert stand_ins(config()) == StandIns()
    assert make_client(config()).meta.region_name == "eu-west-1"
    assert make_client(config(region="eu-north-1")).meta.region_name == "eu-north-1"
    assert credentials_of(config()) == ("mine", "secret")


@pytest.mark.parametrize("endpoint", [LOCAL, None])
def test_a_profile_takes_precedence_over_the_environment(monkeypatch, tmp_path, endpoint):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment")
    (tmp_path / "credentials").write_text(
        "[shop]\naws_access_key_id = shop\naws_secret_access_key = secret\n"
    )
    (tmp_path / "config").write_text("[profile shop]\nregion = eu-south-1\n")

    chosen = config(endpoint, profile="shop")

    assert credentials_of(chosen) == ("shop", "secret")
    assert make_client(chosen).meta.region_name == "eu-south-1"
    assert stand_ins(chosen) == StandIns()


@pytest.mark.parametrize("endpoint", [LOCAL, None])
def test_a_profile_that_does_not_exist_is_named(endpoint):
    backend = DynamoBackend(config(endpoint, profile="nowhere"))
    with pytest.raises(CredentialsError, match="nowhere"):
        backend.client.list_tables()


def test_a_profile_that_does_not_exist_is_no_reason_for_dummy_credentials():
    with pytest.raises(ProfileNotFound):
        stand_ins(config(profile="nowhere"))


def test_nothing_stands_in_on_aws():
    assert stand_ins(config(None)) == StandIns()
    with pytest.raises(CredentialsError, match="You must specify a region"):
        DynamoBackend(config(None)).client.list_tables()
