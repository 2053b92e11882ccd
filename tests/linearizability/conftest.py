"""Fixtures for concurrent callers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.linearizability.local import fresh_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es import DynamoConfig


@pytest.fixture
def endpoint(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an engine that can do several things at once."""
    endpoint = request.config.getoption("--endpoint")
    if not endpoint:
        pytest.skip("needs an endpoint: the emulator serves one request at a time")
    if "AWS_ACCESS_KEY_ID" not in os.environ:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    return str(endpoint)


@pytest.fixture
def config(endpoint: str) -> Iterator[DynamoConfig]:
    """Tables of one test."""
    with fresh_tables(endpoint) as config:
        yield config
