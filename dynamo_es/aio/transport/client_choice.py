"""Chooses the client of an asynchronous backend: over aiohttp, or boto3 in threads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from dynamo_es.aio.transport.clients import InThreads, LoopClient
from dynamo_es.dynamodb.wire.lean.client import LeanClient
from dynamo_es.dynamodb.wire.lean.terms import is_replaced, terms_of
from dynamo_es.waiting import Turn, elsewhere

if TYPE_CHECKING:
    from dynamo_es.aio.bridges.bridge import Bridge
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.client import LazyClient


class ClientChoice:
    """Returns the client that sends the store's requests, and makes it at the first request.

    Args:
        config: names the transport.
        client: the boto3 client for the tables. If the application passed it, it sends all
            requests.
        bridge: lets calls wait.
    """

    def __init__(self, config: DynamoConfig, client: LazyClient, bridge: Bridge) -> None:
        self._config = config
        self._client = client
        self._bridge = bridge
        self._turn = Turn()
        self._made: Any = None

    def __call__(self) -> Any:
        """Return the client.

        Raises:
            CredentialsError: no region is configured, or the AWS profile does not exist.
        """
        if self._made is None:
            with self._turn:
                if self._made is None:
                    self._made = elsewhere(self._make)
        return self._made

    async def aclose(self) -> None:
        """Close the connections of the client."""
        made, self._made = self._made, None
        if isinstance(made, LeanClient):
            await made._endpoint.http_session.aclose()  # noqa: SLF001 - of this package's subclass

    def _make(self) -> Any:
        if self._client.is_own and self._config.transport != "botocore" and not _is_hooked():
            made = self._over_aiohttp()
            if made is not None:
                return made
        return InThreads(self._client(), self._bridge)

    def _over_aiohttp(self) -> LeanClient | None:
        try:
            from dynamo_es.aio.transport.aiohttp_connections import LoopConnections
        except ImportError:  # without the extra
            return None
        from dynamo_es.aio.transport.credentials import terms_from

        terms = terms_of(self._config) or terms_from(self._client())
        if terms is None:
            return None
        connections = LoopConnections(terms.endpoint, self._config, self._bridge, terms.ca_bundle)
        return LoopClient(terms, self._config, connections, self._otherwise, self._bridge)

    def _otherwise(self) -> Any:
        return InThreads(self._client(), self._bridge)


def _is_hooked() -> bool:
    """Return whether a tool mocks AWS or hooks into boto3: it would miss requests of aiohttp."""
    moto = sys.modules.get("moto.core.models")
    if moto is not None and getattr(moto.botocore_stubber, "enabled", True):
        return True
    client = sys.modules.get("botocore.client")
    if client is None:
        return False
    return is_replaced(client.BaseClient._make_api_call)  # noqa: SLF001
