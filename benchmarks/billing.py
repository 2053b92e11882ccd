"""Counts the write units that AWS bills for a client's requests, including refused writes.

Engines report no units for a refused write. DynamoDB bills it as a write of the larger of two
items: the one in the request, and the one in the table.
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
    """A number of requests, and the price of their writes.

    Attributes:
        requests: number of requests of all kinds.
        refused: number of writes that were refused.
        write_units: billed units of all writes.
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
    """Counts the requests of a client that sends puts and transactions of puts.

    Args:
        client: client of boto3 for DynamoDB, counted by its events; None to use only `lean`.
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
        """Count the requests of a client of the lean transport, which lacks boto3's events."""
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
