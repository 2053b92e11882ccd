"""A read model of an application: counters in its own table, updated with the tracking record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventsourcing.tests.projection import EventCountersView

from dynamo_es.adapters.eventsourcing import DynamoTrackingRecorder

if TYPE_CHECKING:
    from eventsourcing.persistence import Tracking

    from dynamo_es.adapters.eventsourcing.settings import Runtime


class DynamoEventCounters(DynamoTrackingRecorder, EventCountersView):
    def __init__(self, runtime: Runtime, name: str) -> None:
        super().__init__(runtime, name)
        self._table = f"{runtime.config.events_table}-counters"
        client = runtime.client()
        if self._table not in client.list_tables()["TableNames"]:
            client.create_table(
                TableName=self._table,
                KeySchema=[{"AttributeName": "counter", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "counter", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )

    def get_created_event_counter(self) -> int:
        return self._get("created")

    def get_subsequent_event_counter(self) -> int:
        return self._get("subsequent")

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self._increment("created", tracking)

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self._increment("subsequent", tracking)

    # The same, as 10 calls them.
    get_student_registered_counter = get_created_event_counter
    get_student_name_changed_counter = get_subsequent_event_counter
    incr_student_registered_counter = incr_created_event_counter
    incr_student_name_changed_counter = incr_subsequent_event_counter

    def _get(self, counter: str) -> int:
        found = self.runtime.client().get_item(
            TableName=self._table, Key={"counter": {"S": counter}}, ConsistentRead=True
        )
        return int(found["Item"]["total"]["N"]) if "Item" in found else 0

    def _increment(self, counter: str, tracking: Tracking) -> None:
        update = {
            "TableName": self._table,
            "Key": {"counter": {"S": counter}},
            "UpdateExpression": "ADD #total :one",
            "ExpressionAttributeNames": {"#total": "total"},
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        self.insert_tracking_with(tracking, [{"Update": update}])
