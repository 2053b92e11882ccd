"""The clients that send requests from an event loop: over aiohttp, or with boto3 in threads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.encoding.bodies import body_of
from dynamo_es.dynamodb.wire.lean.client import LeanClient, parsed
from dynamo_es.waiting import elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.aio.bridges.bridge import Bridge
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.lean.connections import Reply
    from dynamo_es.dynamodb.wire.lean.retries import Call
    from dynamo_es.dynamodb.wire.lean.terms import Terms

LARGE: Final = 64 * 1024
"""A body of this number of bytes takes about two milliseconds of work, so a thread does it."""


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
    # Without the extra, it is not loaded.
    greenlets = sys.modules.get("dynamo_es.aio.bridges.greenlet_bridge")
    call = None if greenlets is None else greenlets.this_call()
    return call is not None and bool(call.is_large)
