"""The asynchronous driver in front of an emulator: the same tests run over it as over the others.

Each request waits for the event loop, before the emulator carries it out or after.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSRequest

from dynamo_es.aio import AsyncDynamoBackend
from dynamo_es.aio.bridges.greenlet_bridge import GreenletBridge
from dynamo_es.aio.transport.clients import LoopClient
from dynamo_es.dynamodb.wire.lean.terms import Credentials, Terms
from tests.on_loop import LoopInThread, on_loop

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from dynamo_es import DynamoConfig, StorageStrategy
    from dynamo_es.dynamodb.wire.lean.connections import Signed
    from dynamo_es.testing.faults import Network


class Wire:
    """Carries requests to the emulator of a boto3 client, which answers at once.

    Attributes:
        waits_after: whether it waits for the loop after a request was carried out, not before.
    """

    def __init__(self, session: Any, bridge: GreenletBridge) -> None:
        self._session = session
        self._bridge = bridge
        self.waits_after = False

    def send(self, request: Signed) -> AWSResponse:
        made = AWSRequest("POST", request.url, request.headers, request.body).prepare()
        if self._bridge.waits_here():
            return self._bridge.wait_for(self._send(made))
        late: AWSResponse = self._session.send(made)
        return late

    def close(self) -> None:
        """Do nothing: no connection is open."""

    async def _send(self, request: AWSPreparedRequest) -> AWSResponse:
        if not self.waits_after:
            await asyncio.sleep(0)
        answer: AWSResponse = self._session.send(request)
        if self.waits_after:
            await asyncio.sleep(0)
        return answer


def async_client(emulated: Any, config: DynamoConfig) -> Any:
    """Return what sends the requests of asynchronous backends to an emulator."""
    terms = Terms(
        emulated.meta.endpoint_url, "us-east-1", Credentials("emulator", "emulator", None)
    )
    bridge = GreenletBridge(1)
    wire = Wire(emulated._endpoint.http_session, bridge)
    return LoopClient(terms, config, wire, lambda: None, bridge)


def async_process(config: DynamoConfig, network: Network, loop: LoopInThread) -> StorageStrategy:
    """Return a storage that remembers nothing yet, on the network and its clock."""
    client: Any = network.client
    backend = AsyncDynamoBackend(config, monotonic=network.monotonic)
    inner: Any = backend._sync
    inner.sender._made = client
    client._sleep = inner._gateway._sleep = network.sleep
    storage: StorageStrategy = on_loop(backend.storage, loop)
    return storage
