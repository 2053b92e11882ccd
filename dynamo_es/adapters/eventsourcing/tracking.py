"""Tracking records: the last notification of another application that was processed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from eventsourcing.persistence import IntegrityError, TrackingRecorder

from dynamo_es.adapters.eventsourcing.errors import translated
from dynamo_es.adapters.eventsourcing.versions import upstream_of
from dynamo_es.contracts.stream_keys import escape, tenant_prefix
from dynamo_es.dynamodb.streams.appending.enlisted_writes import check_enlisted
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.persistence import Tracking

    from dynamo_es.adapters.eventsourcing.settings import Runtime
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.wire.steps import Item, Steps

_PLACE = "tracking"


class DynamoTrackingRecorder(TrackingRecorder):
    """Keeps tracking records in the log table: one item for each upstream application.

    Args:
        runtime: tables and client.
        name: name of the application or projection that processes notifications.
    """

    def __init__(self, runtime: Runtime, name: str) -> None:
        self.runtime = runtime
        self._name = name

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record that a notification was processed. Cost: 1 request.

        Raises:
            IntegrityError: this notification, or a later one, is recorded already.
        """
        self.insert_tracking_with(tracking, ())

    def insert_tracking_with(self, tracking: Tracking, writes: Sequence[EnlistedWrite]) -> None:
        """Record that a notification was processed, and write its results: both or neither.

        Args:
            tracking: the notification.
            writes: up to 99 writes to your own tables, in the wire format of
                ``TransactWriteItems``: ``{"Update": {"TableName": …, "Key": …, …}}``.

        Raises:
            IntegrityError: this notification, or a later one, is recorded already, or the condition
                of a write is not met.

        Cost: 1 request.
        """
        with translated():
            if writes:
                check_enlisted(writes, self.runtime.config.tables)
            self.runtime.run("track", _track(self.tracking_put(tracking), writes))

    def max_tracking_id(
        self, application_name: str | None = None, *, context_name: str | None = None
    ) -> int | None:
        """Return the id of the last processed notification of an application. Cost: 1 request.

        Args:
            application_name: name of the application.
            context_name: the same, by its name in release 10.
        """
        upstream = context_name if application_name is None else application_name
        if upstream is None:
            raise TypeError("max_tracking_id needs the name of an application.")
        with translated():
            return self.runtime.run("tracked", self._read(upstream))

    def tracking_put(self, tracking: Tracking) -> dict[str, Any]:
        """Return the write that records a notification unless a later one is recorded."""
        item = {
            **self._key(upstream_of(tracking)),
            "checkpoint": number(tracking.notification_id),
            "writer": {"S": uuid4().hex},
        }
        return {
            "TableName": self.runtime.config.log_table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(checkpoint) OR checkpoint < :checkpoint",
            "ExpressionAttributeValues": {":checkpoint": item["checkpoint"]},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _read(self, application_name: str) -> Steps[int | None]:
        key = self._key(application_name)
        params = {"TableName": self.runtime.config.log_table, "Key": key, "ConsistentRead": True}
        response = yield Request("get_item", params)
        return int(response["Item"]["checkpoint"]["N"]) if "Item" in response else None

    def _key(self, application_name: str) -> Item:
        tenant = tenant_prefix(self.runtime.tenant_id)
        whose = f"{escape(self._name)}#{escape(application_name)}"
        return {"log_key": {"S": f"{tenant}tracking#{whose}"}, "place": {"S": _PLACE}}


def _track(put: dict[str, Any], writes: Sequence[EnlistedWrite]) -> Steps[None]:
    request = Request("put_item", put)
    if writes:
        request = Request("transact_write_items", {"TransactItems": [{"Put": put}, *writes]})
    try:
        yield request
    except ConditionRefused as refused:
        there = refused.items[0]
        if there is not None and there.get("writer") == put["Item"]["writer"]:
            return  # our own attempt, whose reply was lost
        if 0 in refused.refused:
            raise IntegrityError(
                f"Notification {put['Item']['checkpoint']['N']} is processed already: "
                f"{there['checkpoint']['N'] if there else 'a later one'} is recorded. "
                "Nothing was written."
            ) from refused
        raise IntegrityError(
            f"The condition of write {min(refused.refused) - 1} was not met. Nothing was written."
        ) from refused
