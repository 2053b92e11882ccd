"""Sends the requests of an asynchronous backend, by aiohttp or by a boto3 client in threads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.bodies import body_of
from dynamo_es.dynamodb.wire.lean import LeanClient, parsed
from dynamo_es.dynamodb.wire.lean_terms import is_replaced, terms_of
from dynamo_es.waiting import Turn, elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.aio.bridge import Bridge
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.client import LazyClient
    from dynamo_es.dynamodb.wire.lean_connections import Reply
    from dynamo_es.dynamodb.wire.lean_retries import Call
    from dynamo_es.dynamodb.wire.lean_terms import Terms

LARGE: Final = 64 * 1024
"""A body of this number of bytes takes about two milliseconds of work, so a thread does it."""


class LoopSender:
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
            from dynamo_es.aio.connections import LoopConnections
        except ImportError:  # without the extra
            return None
        from dynamo_es.aio.credentials import terms_from

        terms = terms_of(self._config) or terms_from(self._client())
        if terms is None:
            return None
        connections = LoopConnections(terms.endpoint, self._config, self._bridge, terms.ca_bundle)
        return LoopClient(terms, self._config, connections, self._otherwise, self._bridge)

    def _otherwise(self) -> Any:
        return InThreads(self._client(), self._bridge)


class LoopClient(LeanClient):
    """The lean transport over aiohttp. Large bodies are encoded and decoded in threads.

    Args:
        terms: endpoint, region and credentials.
        config: time-outs and attempts.
        connections: sends the requests.
        otherwise: returns a boto3 client for all other operations.
        bridge: lets calls wait.
    """

    def __init__(
        self,
        terms: Terms,
        config: DynamoConfig,
        connections: Any,
        otherwise: Callable[[], Any],
        bridge: Bridge,
    ) -> None:
        super().__init__(terms, config, connections, otherwise, bridge.sleep)
        self._renew: Callable[[], None] = getattr(terms.credentials, "renew", _nothing)

    def _attempt(self, call: Call) -> tuple[Reply | None, dict[str, Any], Exception | None]:
        try:
            self._renew()
        except Exception as error:  # noqa: BLE001 - the rules of retries decide, as botocore's do
            call.attempt += 1
            return None, {}, error
        return super()._attempt(call)

    def _body_of(self, params: Mapping[str, Any]) -> bytes:
        return elsewhere(lambda: body_of(params)) if is_large() else body_of(params)

    def _parsed(self, reply: Reply) -> dict[str, Any]:
        return elsewhere(lambda: parsed(reply)) if len(reply.content) > LARGE else parsed(reply)


class InThreads:
    """Has the methods of a boto3 client, and sends each request in a thread.

    Args:
        client: the boto3 client.
        bridge: lets calls wait.
    """

    def __init__(self, client: Any, bridge: Bridge) -> None:
        self._client = client
        self._bridge = bridge
        self._endpoint = getattr(client, "_endpoint", None)

    @property
    def meta(self) -> Any:
        """``meta`` of the client, with its events and the model of its service."""
        return self._client.meta

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name.startswith("_") or not callable(method):
            return method

        def send(**params: Any) -> Any:
            if not self._bridge.waits_on_loop():
                return method(**params)
            return self._bridge.wait_for(self._bridge.threads.send(lambda: method(**params)))

        return send


def _nothing() -> None:
    """Renew nothing, because credentials of the environment do not end."""


def is_large() -> bool:
    """Return whether the running call is known to have large events."""
    greenlets = sys.modules.get("dynamo_es.aio.greenlets")  # not loaded without the extra
    call = None if greenlets is None else greenlets.this_call()
    return call is not None and bool(call.is_large)


def _is_hooked() -> bool:
    """Return whether a tool mocks AWS or hooks into boto3: it would miss requests of aiohttp."""
    moto = sys.modules.get("moto.core.models")
    if moto is not None and getattr(moto.botocore_stubber, "enabled", True):
        return True
    client = sys.modules.get("botocore.client")
    if client is None:
        return False
    return is_replaced(client.BaseClient._make_api_call)  # noqa: SLF001
