"""Runs the suites of the engines on the lean transport: ``DYNAMO_ES_TRANSPORT=lean``.

The suites share a boto3 client, count its events and put faults into its connections. So the lean
transport takes the place of its methods, and tells of its requests by the same events.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dynamo_es.dynamodb.wire.attempts.watching import watch
from dynamo_es.dynamodb.wire.encoding.bodies import OPERATIONS
from dynamo_es.dynamodb.wire.lean.client import LeanClient
from dynamo_es.dynamodb.wire.lean.connections import Connections, Signed
from dynamo_es.dynamodb.wire.lean.terms import Credentials, Terms
from dynamo_es.environment import of_field

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es import DynamoConfig
    from dynamo_es.dynamodb.config import Transport
    from dynamo_es.dynamodb.wire.lean.connections import Reply


def chosen_transport() -> Transport:
    """Return the transport that the environment chooses."""
    chosen: Any = of_field("transport", "Transport").read() or "default"
    return chosen


def graft(client: Any, config: DynamoConfig) -> None:
    """Have the lean transport send what the methods of a client are called for.

    Nothing changes if ``config`` names another transport.
    """
    if config.transport != "lean":
        return
    keys = client._request_signer._credentials.get_frozen_credentials()
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token)
    terms = Terms(client.meta.endpoint_url, client.meta.region_name, credentials)
    lean = LeanClient(terms, config, _Connections(client, config))  # type: ignore[arg-type]
    watch(lean)  # type: ignore[arg-type]
    for name, operation in OPERATIONS.items():
        setattr(client, name, _method(client, operation, getattr(lean, name)))


def _method(client: Any, operation: str, send: Callable[..., Any]) -> Callable[..., Any]:
    model = SimpleNamespace(name=operation)

    def method(**params: Any) -> Any:
        event = f"provide-client-params.dynamodb.{operation}"
        client.meta.events.emit(event, params=params, model=model)
        return send(**params)

    return method


class _Connections:
    """Connections of their own, or what a test has put in the place of the client's."""

    def __init__(self, client: Any, config: DynamoConfig) -> None:
        self._client = client
        self._ordinary = client._endpoint.http_session
        self._of_botocore = self._ordinary.send
        self._lean = Connections(client.meta.endpoint_url, config)
        # A network of a test calls it, in the place of botocore's.
        self._ordinary.send = self._carry

    def _carry(self, request: Any) -> Any:
        return (self._lean.send if isinstance(request, Signed) else self._of_botocore)(request)

    def send(self, request: Signed) -> Reply:
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        event = f"before-send.dynamodb.{operation}"
        for _, answer in self._client.meta.events.emit(event, request=request):
            if answer is not None:
                return answer
        return self._client._endpoint.http_session.send(request)
