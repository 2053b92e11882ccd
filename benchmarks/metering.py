"""Counts the requests of any boto3 client, and the units that the engine reports for them.

It uses only the standard library, so that drivers of other stores can run it without dynamo_es.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

_READS: Final = frozenset({"BatchGetItem", "GetItem", "Query", "Scan", "TransactGetItems"})
_WRITES: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchWriteItem",
        "DeleteItem",
        "PutItem",
        "TransactWriteItems",
        "UpdateItem",
    }
)


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of some work.

    Attributes:
        requests: number of requests.
        write_units: write units that the engine reports.
        read_units: read units that the engine reports.
        refused: whether it ended with a refused write, because of a conflict.
        note: a remark for the page, in a few words.
    """

    requests: int
    write_units: float
    read_units: float
    refused: bool = False
    note: str = ""

    def __str__(self) -> str:
        figures = f"{self.requests:,} · {self.write_units:,g} · {self.read_units:,g}"
        return f"{figures} ({self.note})" if self.note else figures


class ClientMeter:
    """Counts the requests of one client, and lets each report its units.

    Args:
        client: client of boto3 for DynamoDB.

    Attributes:
        units_of: write units since the last `take`, by operation of the API.
        items_read: number of items in replies since the last `take`, by operation of the API.
    """

    def __init__(self, client: Any) -> None:
        self._requests = 0
        self._write_units = 0.0
        self._read_units = 0.0
        self.units_of: Counter[str] = Counter()
        self.items_read: Counter[str] = Counter()
        client.meta.events.register("before-parameter-build.dynamodb", self._ask)
        client.meta.events.register("after-call.dynamodb", self._count)

    def take(self) -> Cost:
        """Return the cost since the last call."""
        cost = Cost(self._requests, self._write_units, self._read_units)
        self._requests, self._write_units, self._read_units = 0, 0.0, 0.0
        self.units_of.clear()
        self.items_read.clear()
        return cost

    def _ask(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name in _READS | _WRITES:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def _count(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name not in _READS | _WRITES:
            return
        self._requests += 1
        reported = parsed.get("ConsumedCapacity") or []
        entries = reported if isinstance(reported, list) else [reported]
        units = sum(entry["CapacityUnits"] for entry in entries)
        if model.name in _READS:
            self._read_units += units
            self.items_read[model.name] += _items_in(parsed)
        else:
            self._write_units += units
            self.units_of[model.name] += units


def _items_in(parsed: dict[str, Any]) -> int:
    """Return the number of items in a reply. Missing and unprocessed items do not count."""
    by_table = parsed.get("Responses") or {}
    if isinstance(by_table, dict):
        return len(parsed.get("Items", [])) + sum(map(len, by_table.values()))
    return sum("Item" in response for response in by_table)
