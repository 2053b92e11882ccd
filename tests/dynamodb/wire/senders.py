"""Clients whose requests the default transport sends, at a server of this process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import botocore.endpoint
import botocore.handlers
import botocore.loaders
import botocore.session
import pytest

from dynamo_es import DynamoConfig
from dynamo_es.dynamodb.wire.attempts.watching import watch
from dynamo_es.dynamodb.wire.client import make_client

if TYPE_CHECKING:
    from dynamo_es.dynamodb.config import Transport

_PROXIES: Final = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
PATIENT: Final = 10.0
"""Seconds to wait for a reply that comes: on a busy machine, a server may take long."""
HASTY: Final = 0.3
"""Seconds to wait for a reply that never comes."""
# A client takes long to make when it reads the descriptions of the services itself.
_LOADER: Final = botocore.loaders.create_loader()


@pytest.fixture
def nothing_hooked_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the handler that moto gives to every client once it is imported; never wait."""
    handlers = [entry for entry in botocore.handlers.BUILTIN_HANDLERS if entry[0] != "before-send"]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr(botocore.session, "create_loader", lambda _: _LOADER)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    for variable in _PROXIES:
        monkeypatch.delenv(variable, raising=False)


def config_at(endpoint: str, transport: Transport = "default", **settings: Any) -> DynamoConfig:
    return DynamoConfig(
        events_table="events",
        log_table="log",
        keys_table="keys",
        endpoint_url=endpoint,
        region="eu-central-1",
        transport=transport,
        **{"read_timeout": PATIENT, "max_attempts": 3, **settings},
    )


def client_at(port: int, transport: Transport = "default", **settings: Any) -> Any:
    client = make_client(config_at(f"http://127.0.0.1:{port}", transport, **settings))
    watch(client)
    return client


def sent_by_botocore(client: Any) -> bool:
    """Whether botocore has used connections of its own."""
    return len(client._endpoint.http_session._manager.pools) > 0
