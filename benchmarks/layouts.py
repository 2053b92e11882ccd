"""The usual layouts of an event store on DynamoDB, with a bare client: one item per event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from benchmarks.metering import ClientMeter
from benchmarks.workload import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.sample import SampleEvent

MAX_TRANSACTION: Final = 100
_MAX_BATCH: Final = 25
_FREE: Final = "attribute_not_exists(version)"
_REFUSALS: Final = frozenset(
    {"ConditionalCheckFailedException", "TransactionCanceledException"},
)
_serialize = TypeSerializer().serialize


def create_layout_table(client: DynamoDBClient, table: str) -> None:
    """Create a table for one of the layouts."""
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "stream_key", "KeyType": "HASH"},
            {"AttributeName": "version", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "stream_key", "AttributeType": "S"},
            {"AttributeName": "version", "AttributeType": "N"},
        ],
    )


def event_item(stream: str, version: int, event: SampleEvent) -> dict[str, Any]:
    """Return the item of one event in the wire format, with its payload as a map.

    The ids of its context are separate attributes, for filters and indexes.
    """
    context: dict[str, Any] = {name: {"S": value} for name, value in event.context.items()}
    return {
        "stream_key": {"S": stream},
        "version": {"N": str(version)},
        "event_id": {"S": str(event.uuid)},
        "event_type": {"S": event.name},
        "created_at": {"S": event.created_at},
        "data": _serialize(event.data),
        **(context or {"context": {"M": {}}}),
    }


class PerEvent:
    """Stores one item per event, without a check of the version before.

    A single event is put under the condition that its version is free. Several events are written
    by ``BatchWriteItem``, which has no conditions and is not atomic.
    """

    has_snapshots = True

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self.meter = ClientMeter(client)
        self._client: Any = client
        self._table = table

    def append(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Write the events after a version."""
        items = [event_item(stream, n, event) for n, event in enumerate(events, expected + 1)]
        if len(items) == 1:
            self._write("put_item", TableName=self._table, Item=items[0], ConditionExpression=_FREE)
            return
        for at in range(0, len(items), _MAX_BATCH):
            puts = [{"PutRequest": {"Item": item}} for item in items[at : at + _MAX_BATCH]]
            self._write("batch_write_item", RequestItems={self._table: puts})

    def append_cold(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Read the newest event, and write after it."""
        newest = self._query(stream, 0, ScanIndexForward=False, Limit=1)["Items"]
        if int(newest[0]["version"]["N"]) != expected:
            raise Refused
        self.append(stream, expected, events)

    def load(self, stream: str) -> int:
        """Query all events."""
        return self._load_after(stream, 0)

    def save_snapshot(self, stream: str, version: int, state: dict[str, Any]) -> None:
        """Put the snapshot under a separate key."""
        item = {
            **self._snapshot_key(stream),
            "snapshot_version": {"N": str(version)},
            "data": _serialize(state),
        }
        self._write("put_item", TableName=self._table, Item=item)

    def load_from_snapshot(self, stream: str) -> int:
        """Get the snapshot, and query the events after it."""
        snapshot = self._client.get_item(
            TableName=self._table, Key=self._snapshot_key(stream), ConsistentRead=True
        )["Item"]
        return 1 + self._load_after(stream, int(snapshot["snapshot_version"]["N"]))

    def _snapshot_key(self, stream: str) -> dict[str, Any]:
        return {"stream_key": {"S": f"snapshot#{stream}"}, "version": {"N": "0"}}

    def _load_after(self, stream: str, version: int) -> int:
        page = self._query(stream, version)
        found = len(page["Items"])
        while after := page.get("LastEvaluatedKey"):
            page = self._query(stream, version, ExclusiveStartKey=after)
            found += len(page["Items"])
        return found

    def _query(self, stream: str, version: int, **more: Any) -> Any:
        return self._client.query(
            TableName=self._table,
            KeyConditionExpression="stream_key = :key AND version > :version",
            ExpressionAttributeValues={":key": {"S": stream}, ":version": {"N": str(version)}},
            ConsistentRead=True,
            **more,
        )

    def _write(self, operation: str, **params: Any) -> None:
        try:
            getattr(self._client, operation)(**params)
        except ClientError as error:
            if error.response["Error"]["Code"] in _REFUSALS:
                raise Refused from error
            raise


class Textbook(PerEvent):
    """Stores one item per event and one with the stream's version, in one transaction.

    The item with the version has the sort key 0. It is updated under the condition that it has the
    expected version, so appends of up to 99 events are atomic and fully checked.
    """

    def append(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Put the events and update the stream's version, all or nothing."""
        puts = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": event_item(stream, number, event),
                    "ConditionExpression": _FREE,
                }
            }
            for number, event in enumerate(events, expected + 1)
        ]
        self._write(
            "transact_write_items",
            TransactItems=[self._move(stream, expected, expected + len(events)), *puts],
        )

    def append_cold(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Get the stream's version, and append after it."""
        head = self._client.get_item(
            TableName=self._table,
            Key={"stream_key": {"S": stream}, "version": {"N": "0"}},
            ConsistentRead=True,
        )["Item"]
        if int(head["head_version"]["N"]) != expected:
            raise Refused
        self.append(stream, expected, events)

    def _move(self, stream: str, expected: int, wanted: int) -> dict[str, Any]:
        values = {":wanted": {"N": str(wanted)}}
        condition = _FREE
        if expected:
            condition = "head_version = :expected"
            values[":expected"] = {"N": str(expected)}
        return {
            "Update": {
                "TableName": self._table,
                "Key": {"stream_key": {"S": stream}, "version": {"N": "0"}},
                "UpdateExpression": "SET head_version = :wanted",
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
            }
        }
