"""The synchronous backends that the asynchronous ones call, with a bridge in what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from dynamo_es.aio.transport import LoopSender
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.memory.backend import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.aio.bridge import Bridge
    from dynamo_es.dynamodb.wire.client import LazyClient


class BridgedDynamo(DynamoBackend):
    """A backend on DynamoDB for calls of a bridge; see `DynamoBackend`.

    Args:
        bridge: how its calls wait.
        arguments: of `DynamoBackend`.
        named: of `DynamoBackend`.
    """

    def __init__(self, bridge: Bridge, *arguments: Any, **named: Any) -> None:
        self.bridge = bridge
        named.setdefault("sleep", bridge.sleep)
        super().__init__(*arguments, **named)

    def _new_sender(self, client: LazyClient) -> Callable[[], Any]:
        return LoopSender(self.config, client, self.bridge)


class BridgedMemory(MemoryBackend):
    """A backend in memory for calls of a bridge; see `MemoryBackend`."""


def _use_greenlets() -> None:
    from dynamo_es.aio import offloading

    BridgedDynamo._gateway_type = offloading.AsyncGateway
    BridgedDynamo._storage_type = offloading.AsyncDynamoStorage
    BridgedDynamo._typed_type = offloading.AsyncEventStoreAccess
    BridgedMemory._typed_type = offloading.AsyncEventStoreAccess
