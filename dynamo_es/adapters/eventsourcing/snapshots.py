"""Records events outside the log, such as snapshots: one item for each, with any versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from eventsourcing.persistence import AggregateRecorder, IntegrityError
from pydantic_core import from_json, to_json

from dynamo_es.adapters.eventsourcing.coding import stream_of
from dynamo_es.adapters.eventsourcing.errors import translated
from dynamo_es.adapters.eventsourcing.versions import (
    DataError,
    make_stored_event,
    metadata_of,
    uuid_of,
)
from dynamo_es.dynamodb.streams.requests import get_item
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.sizes import MAX_TRANSACTION_ITEMS, SAFE_ITEM_BYTES, item_size
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.persistence import StoredEvent

    from dynamo_es.adapters.eventsourcing.settings import Runtime
    from dynamo_es.dynamodb.wire.steps import Item, Steps


class DynamoSnapshotRecorder(AggregateRecorder):
    """Records events outside an application's sequence. The factory makes one for each purpose.

    Each item is marked as a snapshot, so that no sequencer gives it a position.

    Args:
        runtime: tables and client.
        category: category of the originators' streams.
    """

    def __init__(self, runtime: Runtime, category: str) -> None:
        self._runtime = runtime
        self._category = category

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        """Store events, all or none. Cost: 1 request.

        To store the same events again succeeds if each has its own uuid (release 10).

        Raises:
            IntegrityError: a version of an originator is stored already, or given twice.
            DataError: there are more than 100 events, or one does not fit into an item.
        """
        del kwargs
        if not stored_events:
            return
        with translated():
            self._runtime.run("insert_snapshots", self._insert(stored_events))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """Return stored events in the order of their versions. Cost: 1 request for each MB."""
        with translated():
            steps = self._select(originator_id, gt, lte, desc=desc, limit=limit)
            items = self._runtime.run("select_snapshots", steps)
        return [_stored_event(originator_id, item) for item in items]

    def _insert(self, events: Sequence[StoredEvent]) -> Steps[None]:
        writer = uuid4().hex
        puts = [self._put(event, writer) for event in events]
        keys = {(p["Item"]["stream_key"]["S"], p["Item"]["version"]["N"]) for p in puts}
        if len(keys) < len(puts):
            raise IntegrityError("A version is given twice in one call. Nothing was written.")
        if len(puts) > MAX_TRANSACTION_ITEMS:
            raise DataError(
                f"{len(puts)} snapshots cannot be stored in one call: a transaction of DynamoDB "
                f"takes {MAX_TRANSACTION_ITEMS} items. Nothing was written."
            )
        request = Request("put_item", puts[0])
        if len(puts) > 1:
            transaction = {"TransactItems": [{"Put": put} for put in puts]}
            request = Request("transact_write_items", transaction)
        try:
            yield request
        except ConditionRefused as refused:
            if any(item and _is_of(item, writer) for item in refused.items):
                return  # our own attempt, whose reply was lost
            if all(_is_stored(e, item) for e, item in zip(events, refused.items, strict=True)):
                return
            event = events[min(refused.refused)]
            raise IntegrityError(
                f"Originator {event.originator_id}: version {event.originator_version} is stored "
                "already. Nothing was written."
            ) from refused
        except OutcomeUnknown:
            first = puts[0]["Item"]
            table = self._runtime.config.events_table
            key, version = first["stream_key"]["S"], int(first["version"]["N"])
            response = yield get_item(table, key, version)
            if not _is_of(response.get("Item", {}), writer):
                raise

    def _put(self, event: StoredEvent, writer: str) -> dict[str, Any]:
        item: Item = {
            "stream_key": {"S": self._key(event.originator_id)},
            "version": number(event.originator_version),
            "snapshot_version": number(event.originator_version),
            "topic": {"S": event.topic},
            "state": {"B": event.state},
            "writer": {"S": writer},
        }
        if (uuid := uuid_of(event)) is not None:
            item["event_id"] = {"S": str(uuid)}
        if metadata := metadata_of(event):
            item["metadata"] = {"S": to_json(metadata).decode()}
        if (size := item_size(item)) > SAFE_ITEM_BYTES:
            raise DataError(
                f"Originator {event.originator_id}: {event.topic} takes {size:,} bytes; an item "
                f"carries {SAFE_ITEM_BYTES:,}: set COMPRESSOR_TOPIC. Nothing was written."
            )
        return {
            "TableName": self._runtime.config.events_table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(version)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _select(
        self,
        originator_id: UUID | str,
        gt: int | None,
        lte: int | None,
        *,
        desc: bool,
        limit: int | None,
    ) -> Steps[list[Item]]:
        condition = "stream_key = :key"
        values: Item = {":key": {"S": self._key(originator_id)}}
        if gt is not None and lte is not None:
            if lte <= gt:
                return []
            condition += " AND version BETWEEN :from AND :lte"
            values |= {":from": number(gt + 1), ":lte": number(lte)}
        elif gt is not None:
            condition += " AND version > :gt"
            values[":gt"] = number(gt)
        elif lte is not None:
            condition += " AND version <= :lte"
            values[":lte"] = number(lte)
        params: dict[str, Any] = {
            "TableName": self._runtime.config.events_table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not desc,
            "ConsistentRead": True,
        }
        found: list[Item] = []
        while limit is None or len(found) < limit:
            if limit is not None:
                params["Limit"] = limit - len(found)
            response = yield Request("query", dict(params))
            found += response["Items"]
            if "LastEvaluatedKey" not in response:
                break
            params["ExclusiveStartKey"] = response["LastEvaluatedKey"]
        return found

    def _key(self, originator_id: UUID | str) -> str:
        return self._runtime.stream(stream_of(originator_id, self._category)).key


def _is_of(item: Item, writer: str) -> bool:
    return bool(item.get("writer") == {"S": writer})


def _is_stored(event: StoredEvent, item: Item | None) -> bool:
    """Return whether the item that refused a put has the same event."""
    uuid = uuid_of(event)
    return uuid is not None and item is not None and item.get("event_id") == {"S": str(uuid)}


def _stored_event(originator_id: UUID | str, item: Item) -> StoredEvent:
    return make_stored_event(
        originator_id,
        int(item["version"]["N"]),
        item["topic"]["S"],
        item["state"]["B"],
        UUID(item["event_id"]["S"]) if "event_id" in item else None,
        from_json(item["metadata"]["S"]) if "metadata" in item else {},
    )
