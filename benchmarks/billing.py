"""Counts what a client's writes are billed, refused ones too, from the requests that it sends.

The engine reports no units for a refused write. DynamoDB bills it as a write of the larger of two
items: the one that was sent, and the one in its way.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dynamo_es.dynamodb.wire.sizes import item_size, write_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.dynamodb.wire.lean.client import LeanClient


@dataclass(frozen=True, slots=True)
class Bill:
    """What was sent, and what the writes are billed.

    Attributes:
        requests: of all kinds.
        refused: writes that were refused.
        write_units: of all writes.
    """

    requests: int = 0
    refused: int = 0
    write_units: int = 0

    def __add__(self, other: Bill) -> Bill:
        return Bill(
            self.requests + other.requests,
            self.refused + other.refused,
            self.write_units + other.write_units,
        )


class Billing:
    """Watches a client that sends puts and transactions of puts.

    Args:
        client: of boto3, for DynamoDB; all its requests go through its events. None: see `lean`.
    """

    def __init__(self, client: DynamoDBClient | None) -> None:
        self._lock = threading.Lock()
        self._sent = threading.local()
        self._bill = Bill()
        if client is None:
            return
        events = client.meta.events
        events.register("before-parameter-build.dynamodb", self._before)
        events.register("after-call.dynamodb", self._after)

    def take(self) -> Bill:
        """Return the bill since the last call."""
        with self._lock:
            bill, self._bill = self._bill, Bill()
        return bill

    def lean(self, client: LeanClient) -> LeanClient:
        """Watch a client of the lean transport too; it has none of boto3's events for that."""
        send = client._call  # noqa: SLF001 - there is no public way

        def call(operation: str, params: dict[str, Any]) -> dict[str, Any]:
            self._before(params)
            try:
                members = send(operation, params)
            except ClientError as error:
                self._count(error.response)
                raise
            self._count(None)
            return members

        client._call = call  # type: ignore[method-assign]  # noqa: SLF001
        return client

    def _before(self, params: dict[str, Any], **_: Any) -> None:
        writes = [params] if "Item" in params else []
        factor = 1
        for write in params.get("TransactItems", []):
            writes.append(write["Put"])
            factor = 2
        self._sent.sizes = [item_size(write["Item"]) for write in writes]
        self._sent.factor = factor

    def _after(self, http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        self._count(parsed if http_response.status_code != 200 else None)  # noqa: PLR2004

    def _count(self, failure: Mapping[str, Any] | None) -> None:
        sizes, factor = self._sent.sizes, self._sent.factor
        refused = failure is not None and bool(sizes)
        if failure is not None and sizes and failure.get("Item"):
            sizes = [max(sizes[0], item_size(failure["Item"]))]
        units = factor * sum(map(write_units, sizes))
        with self._lock:
            self._bill += Bill(1, int(refused), units)
