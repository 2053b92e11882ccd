"""A table stream whose shards close, split and expire, as on AWS but not on emulators."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.dynamodb.aws_errors import reply
from tests.dynamodb.stub import DYNAMODB

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Item


class Shards:
    """Stands in for a client of ``dynamodbstreams``. Records are numbered over all shards.

    Attributes:
        sent: operation and parameters of each request.
        failures: raised in the place of the next requests of an operation.
        listed_at_once: shards of one list.
    """

    def __init__(self) -> None:
        self.meta = SimpleNamespace(
            events=SimpleNamespace(register_first=lambda *_, **__: None),
            service_model=DYNAMODB,
        )
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.failures: dict[str, list[Exception]] = {}
        self.listed_at_once = 2
        self._parents: dict[str, str | None] = {}
        self._records: dict[str, list[dict[str, Any]]] = {}
        self._closed: set[str] = set()
        self._expired: set[str] = set()
        self._iterators: dict[str, tuple[str, int]] = {}
        self._number = 0

    def open(self, shard: str, parent: str | None = None) -> None:
        self._parents[shard] = parent
        self._records[shard] = []

    def close(self, shard: str) -> None:
        self._closed.add(shard)

    def forget(self, shard: str) -> None:
        """A day has passed since the shard was closed."""
        del self._parents[shard]

    def write(self, shard: str, *images: Item | None) -> None:
        for image in images:
            self._number += 1
            record: dict[str, Any] = {"SequenceNumber": str(self._number)}
            if image is not None:
                record["NewImage"] = image
            self._records[shard].append({"dynamodb": record})

    def trim(self, shard: str, left: int) -> None:
        """A day has passed since all but the last records were written."""
        self._records[shard] = self._records[shard][-left:] if left else []

    def expire_iterators(self) -> None:
        self._expired |= self._iterators.keys()

    @property
    def operations(self) -> Counter[str]:
        return Counter(operation for operation, _ in self.sent)

    @property
    def read(self) -> list[str]:
        """The shards that were read, in order."""
        return [
            self._iterators[params["ShardIterator"]][0]
            for operation, params in self.sent
            if operation == "get_records"
        ]

    def describe_stream(self, **params: Any) -> dict[str, Any]:
        self._note("describe_stream", params)
        shards = [
            {"ShardId": shard} | ({} if parent is None else {"ParentShardId": parent})
            for shard, parent in self._parents.items()
        ]
        names = list(self._parents)
        begin = names.index(params["ExclusiveStartShardId"]) + 1 if len(params) > 1 else 0
        end = begin + self.listed_at_once
        described: dict[str, Any] = {"Shards": shards[begin:end]}
        if end < len(shards):
            described["LastEvaluatedShardId"] = names[end - 1]
        return {"StreamDescription": described}

    def get_shard_iterator(self, **params: Any) -> dict[str, Any]:
        self._note("get_shard_iterator", params)
        shard = params["ShardId"]
        if shard not in self._parents:
            raise reply("ResourceNotFoundException")
        after = int(params.get("SequenceNumber", 0))
        first = self._first(shard)
        if after and first is not None and after < first - 1:
            raise reply("TrimmedDataAccessException")
        return {"ShardIterator": self._iterator(shard, after)}

    def get_records(self, **params: Any) -> dict[str, Any]:
        self._note("get_records", params)
        iterator = params["ShardIterator"]
        if iterator in self._expired:
            raise reply("ExpiredIteratorException")
        shard, after = self._iterators[iterator]
        if shard not in self._parents:
            raise reply("ResourceNotFoundException")
        records = [
            record
            for record in self._records[shard]
            if int(record["dynamodb"]["SequenceNumber"]) > after
        ]
        response: dict[str, Any] = {"Records": records}
        if shard not in self._closed:
            last = int(records[-1]["dynamodb"]["SequenceNumber"]) if records else after
            response["NextShardIterator"] = self._iterator(shard, last)
        return response

    def _first(self, shard: str) -> int | None:
        records = self._records[shard]
        return int(records[0]["dynamodb"]["SequenceNumber"]) if records else None

    def _iterator(self, shard: str, after: int) -> str:
        name = f"iterator {len(self._iterators)}"
        self._iterators[name] = shard, after
        return name

    def _note(self, operation: str, params: dict[str, Any]) -> None:
        self.sent.append((operation, params))
        if self.failures.get(operation):
            raise self.failures[operation].pop(0)
