"""Credentials that botocore found are renewed ahead of their end, and never on the loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config

from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge
from dynamo_es.aio.transport.credentials import RenewedCredentials, terms_from


class Frozen(NamedTuple):
    access_key: str
    secret_key: str
    token: str | None


class Source:
    """Credentials that end."""

    def __init__(self) -> None:
        self.left = 3600.0
        self.fetched = 0
        self.threads: list[int] = []
        self.fails = False

    def refresh_needed(self, refresh_in: float) -> bool:
        return self.left < refresh_in

    def get_frozen_credentials(self) -> Frozen:
        if self.fails:
            raise OSError("no metadata")
        self.threads.append(threading.get_ident())
        self.fetched += 1
        self.left = 3600.0
        return Frozen(f"key {self.fetched}", "secret", f"token {self.fetched}")


def renewed(source: Source) -> RenewedCredentials:
    made: Any = source
    return RenewedCredentials(made)


def _run(credentials: RenewedCredentials, tasks: int = 1) -> list[tuple[str, str | None]]:
    bridge = GreenletBridge(2)

    def sign() -> tuple[str, str | None]:
        credentials.renew()
        return credentials.access_key, credentials.token

    async def all_of_them() -> list[Any]:
        found = await asyncio.gather(*(bridge.run(sign) for _ in range(tasks)))
        await asyncio.sleep(0.05)  # for what runs beside
        return found

    return asyncio.run(all_of_them())


def test_valid_credentials_are_fetched_once():
    source = Source()
    credentials = renewed(source)
    assert _run(credentials, 5) == [("key 1", "token 1")] * 5
    assert source.fetched == 1


def test_they_are_renewed_ahead_by_a_thread_while_requests_go_on():
    source = Source()
    credentials = renewed(source)
    source.left = 600
    assert _run(credentials, 5) == [("key 1", "token 1")] * 5
    assert source.fetched == 2
    assert source.threads[1] != threading.get_ident()
    assert _run(credentials) == [("key 2", "token 2")]


def test_requests_wait_for_new_ones_at_the_end_and_one_thread_fetches_them():
    source = Source()
    credentials = renewed(source)
    source.left = 10
    assert _run(credentials, 5) == [("key 2", "token 2")] * 5
    assert source.fetched == 2


def test_a_failure_ahead_of_the_end_is_no_failure_of_a_request():
    source = Source()
    credentials = renewed(source)
    source.left, source.fails = 600, True
    assert _run(credentials) == [("key 1", "token 1")]
    source.left = 10
    with pytest.raises(OSError, match="no metadata"):
        _run(credentials)
    source.fails = False
    assert _run(credentials) == [("key 2", "token 2")]


def client(**config: Any) -> Any:
    return boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",  # noqa: S106 - of an example
        config=Config(**config),
    )


def test_terms_are_those_of_a_client(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    terms = terms_from(client())
    assert terms is not None
    assert terms.endpoint == "https://dynamodb.eu-west-1.amazonaws.com"
    assert terms.region == "eu-west-1"
    assert (terms.credentials.access_key, terms.credentials.token) == ("id", None)


def test_boto3_sends_where_a_proxy_is_configured(monkeypatch):
    assert terms_from(client(proxies={"https": "http://proxy:1"})) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    assert terms_from(client()) is None
