"""AWS KMS wraps keys (moto imitates it)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from dynamo_es import DynamoBackend
from dynamo_es.dynamodb.subject_keys import wrapping as key_wrapping
from dynamo_es.dynamodb.subject_keys.storage import DynamoKeyStorage
from dynamo_es.dynamodb.subject_keys.wrapping import KmsKeyWrapping
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import (
    CredentialsError,
    ServiceError,
    StoredItemError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.values import SubjectKey
from tests.dynamodb.aws_errors import reply
from tests.dynamodb.stub import CONFIG

SECRET = bytes(range(32))
AT: Any = {"tenant": "acme#", "subject": "ann"}


@pytest.fixture
def kms(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield boto3.client("kms", region_name="us-east-1")


@pytest.fixture
def key_id(kms):
    return kms.create_key()["KeyMetadata"]["KeyId"]


@pytest.fixture
def backend():
    with DynamoBackend.local() as backend:
        yield backend


@pytest.fixture
def storage(backend, kms, key_id):
    return storage_with(backend, kms, key_id)


def storage_with(backend, kms, key_id):
    config = replace(backend.config, kms_key_id=key_id)
    gateway = Gateway(lambda: backend.client, config)
    wrapping = KmsKeyWrapping(key_id or "", config, kms)
    return DynamoKeyStorage(config, gateway, lambda: 0.0, "acme", wrapping)


def stored(backend):
    (item,) = backend.client.scan(TableName="keys")["Items"]
    return item


def test_what_was_wrapped_comes_back(kms, key_id):
    wrapping = KmsKeyWrapping(key_id, CONFIG, kms)
    wrapped = wrapping.wrap(SECRET, **AT)
    assert SECRET not in wrapped
    assert wrapping.unwrap(wrapped, key_id, **AT) == SECRET


@pytest.mark.parametrize("moved", [{"tenant": "other#"}, {"subject": "bob"}])
def test_what_was_wrapped_for_another_subject_or_tenant_is_an_error(kms, key_id, moved):
    wrapping = KmsKeyWrapping(key_id, CONFIG, kms)
    wrapped = wrapping.wrap(SECRET, **AT)
    with pytest.raises(StoredItemError, match="did not wrap this key"):
        wrapping.unwrap(wrapped, key_id, **(AT | moved))


def test_a_key_is_stored_wrapped_and_says_by_what(backend, storage, key_id):
    key = SubjectKey.random()
    assert storage.get_or_create("ann", key) == key
    item = stored(backend)
    assert item["wrapped_by"] == {"S": key_id}
    assert key.secret not in item["key_bytes"]["B"]
    assert storage.get("ann") == key
    assert storage.get_or_create("ann", SubjectKey.random()) == key


def test_a_wrapped_key_copied_to_another_subject_is_an_error(backend, storage):
    storage.get_or_create("ann", SubjectKey.random())
    backend.client.put_item(TableName="keys", Item=stored(backend) | {"subject": {"S": "bob"}})
    with pytest.raises(StoredItemError):
        storage.get("bob")


def test_keys_that_are_not_wrapped_and_those_of_another_kms_key_stay_readable(backend, kms, key_id):
    plain = storage_with(backend, kms, None)
    unwrapped, wrapped = SubjectKey.random(), SubjectKey.random()
    plain.get_or_create("ann", unwrapped)
    first = storage_with(backend, kms, key_id)
    first.get_or_create("bob", wrapped)
    second = storage_with(backend, kms, kms.create_key()["KeyMetadata"]["KeyId"])
    for storage in (plain, first, second, first.scoped_for_tenant("acme")):
        assert (storage.get("ann"), storage.get("bob")) == (unwrapped, wrapped)


def test_the_client_is_made_when_it_is_needed_with_the_time_outs_of_the_configuration(
    backend, kms, key_id, monkeypatch
):
    made: list[Any] = []
    make = key_wrapping._make_client

    def note(config):
        made.append(make(config))
        return made[-1]

    monkeypatch.setattr(key_wrapping, "_make_client", note)
    config = replace(backend.config, kms_key_id=key_id, read_timeout=2.5, max_attempts=3)
    gateway = Gateway(lambda: backend.client, config)
    storage = DynamoKeyStorage(config, gateway, lambda: 0.0)
    assert storage.get("ann") is None
    assert made == []
    key = storage.get_or_create("ann", SubjectKey.random())
    assert storage.scoped_for_tenant("").get("ann") == key
    (client,) = made
    assert client.meta.config.read_timeout == 2.5
    assert client.meta.config.retries["total_max_attempts"] == 3
    assert client.meta.region_name == "us-east-1"
    assert stored(backend)["wrapped_by"] == {"S": key_id}


def test_without_a_kms_key_kms_is_never_asked(backend, monkeypatch):
    monkeypatch.setattr(key_wrapping, "_make_client", None)
    storage = DynamoKeyStorage(
        backend.config, Gateway(lambda: backend.client, backend.config), lambda: 0.0
    )
    key = storage.get_or_create("ann", SubjectKey.random())
    assert storage.get("ann") == key
    assert "wrapped_by" not in stored(backend)


class FailingKms:
    def __init__(self, error):
        self.error = error

    def encrypt(self, **_):
        raise self.error

    decrypt = encrypt


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (reply("AccessDeniedException"), CredentialsError),
        (reply("ThrottlingException"), ThrottledError),
        (reply("KMSInternalException", status=500), UnavailableError),
        (reply("NotFoundException"), ServiceError),
        (ReadTimeoutError(endpoint_url="kms"), UnavailableError),
    ],
)
def test_errors_are_translated_and_keep_their_cause(error, kind):
    wrapping = KmsKeyWrapping("alias/subjects", CONFIG, FailingKms(error))
    for call in (
        lambda: wrapping.wrap(SECRET, **AT),
        lambda: wrapping.unwrap(b"wrapped", "alias/subjects", **AT),
    ):
        with pytest.raises(kind) as caught:
            call()
        assert type(caught.value) is kind
        assert caught.value.__cause__ is error
        assert caught.value.subject == "alias/subjects"


def test_nothing_is_stored_if_it_cannot_be_wrapped(backend):
    storage = storage_with(backend, FailingKms(reply("AccessDeniedException")), "alias/subjects")
    with pytest.raises(CredentialsError):
        storage.get_or_create("ann", SubjectKey.random())
    assert backend.client.scan(TableName="keys")["Items"] == []


def test_a_region_that_is_nowhere_is_named(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(CredentialsError):
        KmsKeyWrapping("alias/subjects", CONFIG).wrap(SECRET, **AT)
