"""What a probe works with: clients of one engine, and a small table of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS_SECONDS = 10.0
"""How long a stream is given to show what was written."""


def text(value: str) -> dict[str, str]:
    return {"S": value}


def number(value: float | str) -> dict[str, str]:
    return {"N": str(value)}


def key(version: int = 1, name: str = "a") -> dict[str, Any]:
    return {"id": text(name), "version": number(version)}


def item_of(size: int, version: int = 1) -> dict[str, Any]:
    """Return an item of exactly so many bytes, as DynamoDB counts them."""
    # id 2, its value 1; version 7, its value 2 (one digit or two); pad 3.
    return {**key(version), "pad": text("x" * (size - 15))}


@dataclass
class Lab:
    """One engine's clients and a fresh table ``(id S, version N)`` with a stream of new images.

    Attributes:
        client: of DynamoDB; it checks nothing itself, so that the engine has to.
        streams: a client of DynamoDB Streams, of the same engine.
        table: name of the fresh table.
    """

    client: Any
    streams: Any
    table: str = field(default_factory=lambda: f"engines-{uuid4().hex}")
    _tables: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.create_table(self.table)

    def close(self) -> None:
        """Delete what was made, whatever protects it."""
        for name in self._tables:
            self.client.update_table(TableName=name, DeletionProtectionEnabled=False)
            self.client.delete_table(TableName=name)

    def create_table(self, name: str, sort_kind: str = "N", **more: Any) -> Any:
        """Create a table whose sort key is of the kind given, and return the reply."""
        reply = self.client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            **{
                "AttributeDefinitions": [
                    {"AttributeName": "id", "AttributeType": "S"},
                    {"AttributeName": "version", "AttributeType": sort_kind},
                ],
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "version", "KeyType": "RANGE"},
                ],
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
                **more,
            },
        )
        self._tables.append(name)
        self.client.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        return reply

    def forget(self, name: str) -> None:
        """Take note that a table is gone."""
        self._tables.remove(name)

    def another_table(self, sort_kind: str = "N", **more: Any) -> str:
        """Create one more table and return its name."""
        name = f"{self.table}-{len(self._tables)}"
        self.create_table(name, sort_kind, **more)
        return name

    # Writing

    def put(self, item: dict[str, Any], **params: Any) -> Any:
        return self.client.put_item(**{"TableName": self.table, "Item": item, **params})

    def put_versions(self, *versions: int, **attributes: Any) -> None:
        for version in versions:
            self.put({**key(version), **attributes})

    def put_action(self, item: dict[str, Any], **params: Any) -> dict[str, Any]:
        """Return one put of a transaction."""
        return {"Put": {"TableName": self.table, "Item": item, **params}}

    def create_action(self, version: int, **params: Any) -> dict[str, Any]:
        """Return one put of a transaction, on condition that nothing is there."""
        return self.put_action(
            key(version), ConditionExpression="attribute_not_exists(version)", **params
        )

    def transact(self, *actions: dict[str, Any], **params: Any) -> Any:
        return self.client.transact_write_items(TransactItems=list(actions), **params)

    def update(self, expression: str, version: int = 1, **params: Any) -> Any:
        return self.client.update_item(
            TableName=self.table, Key=key(version), UpdateExpression=expression, **params
        )

    def delete(self, version: int = 1, **params: Any) -> Any:
        return self.client.delete_item(TableName=self.table, Key=key(version), **params)

    # Reading

    def get(self, version: int = 1, **params: Any) -> Any:
        return self.client.get_item(
            **{"TableName": self.table, "Key": key(version), "ConsistentRead": True, **params}
        )

    def query(self, condition: str = "", **params: Any) -> Any:
        """Query the partition ``a``, under one more condition on its sort key if there is one."""
        values = params.pop("values", {})
        return self.client.query(
            TableName=self.table,
            KeyConditionExpression="id = :id" + (f" AND {condition}" if condition else ""),
            ExpressionAttributeValues={":id": text("a"), **values},
            ConsistentRead=True,
            **params,
        )

    def batch_get(self, *keys: dict[str, Any]) -> Any:
        return self.client.batch_get_item(RequestItems={self.table: {"Keys": list(keys)}})

    def batch_put(self, *items: dict[str, Any]) -> Any:
        return self.client.batch_write_item(
            RequestItems={self.table: [{"PutRequest": {"Item": item}} for item in items]}
        )

    def arn(self) -> str:
        """Return the name of the table that operations on its settings ask for."""
        description = self.client.describe_table(TableName=self.table)
        return str(description["Table"]["TableArn"])

    # The stream

    def iterator(self, kind: str) -> str:
        """Return an iterator of the table's one shard."""
        (stream,) = self.streams.list_streams(TableName=self.table)["Streams"]
        arn = stream["StreamArn"]
        (shard,) = self.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        return str(
            self.streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind
            )["ShardIterator"]
        )

    def records(self, iterator: str, until: Callable[[Any], bool]) -> list[Any]:
        """Return the records up to the one that is the last to be expected, as a test says."""
        found: list[Any] = []
        deadline = time.monotonic() + RECORDS_SECONDS
        while not any(until(record) for record in found) and time.monotonic() < deadline:
            page = self.streams.get_records(ShardIterator=iterator)
            found += page["Records"]
            iterator = page["NextShardIterator"]
            if not page["Records"]:
                time.sleep(0.05)
        return found


def versions(items: list[Any]) -> str:
    """Return the sort keys of items, in their order."""
    return ", ".join(item["version"]["N"] for item in items) or "none"
