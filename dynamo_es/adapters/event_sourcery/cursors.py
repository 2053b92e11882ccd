"""Cursors of their `Projector`: the version that a read model has reached in each stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from event_sourcery import DEFAULT_TENANT, StreamId, TenantId
from event_sourcery.read_model import CursorsDao

from dynamo_es.adapters.event_sourcery.translation import stream_to_find
from dynamo_es.contracts import Followed
from dynamo_es.contracts.checks.arguments import check_consumer
from dynamo_es.dynamodb.consumers.cursor_requests import cursor_key
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.dynamodb.wire.steps import Request, number

if TYPE_CHECKING:
    from typing import Any

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.adapters.event_sourcery.config import DynamoDBConfig
    from dynamo_es.dynamodb.wire.steps import Steps


class DynamoDBCursorsDao(CursorsDao):
    """Cursors in the log table, one item for each read model and stream.

    They are cursors of `dynamo_es.Projector` with generation 0 and without leases, so that
    projector can continue from them. A cursor moves before the read model is called, in a separate
    write.

    Args:
        client: a boto3 client for DynamoDB.
        config: name of the table.
        tenant_id: tenant of the streams.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        config: DynamoDBConfig,
        tenant_id: TenantId = DEFAULT_TENANT,
    ) -> None:
        self._client = client
        self._config = config
        self._tenant_id = tenant_id
        self._gateway = Gateway(lambda: client, config.of_core())

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return the cursors for that tenant's streams."""
        return type(self)(self._client, self._config, tenant_id)

    def increment(self, name: str, stream_id: StreamId, version: int) -> None:
        """Move a cursor to the next version; version 1 creates the cursor. Cost: 1 request.

        Raises:
            StreamNotTracked: there is no cursor, and the version is not 1.
            BehindStream: the cursor is more than one version lower.
            AheadOfStream: the cursor is at this version or a higher one.
        """
        followed = self._followed(name, stream_id)
        if version == 1:
            self._run("increment", followed, self._put(followed, version))
        else:
            self._run("increment", followed, self._move(followed, version, version - 1))

    def put_at(self, name: str, stream_id: StreamId, version: int) -> None:
        """Create a cursor. Cost: 1 request.

        Raises:
            BehindStream: there is a cursor at a lower version.
            AheadOfStream: there is a cursor at this version or a higher one.
        """
        followed = self._followed(name, stream_id)
        self._run("put_cursor", followed, self._put(followed, version))

    def move_to(self, name: str, stream_id: StreamId, version: int) -> None:
        """Move a cursor to any version; do nothing if there is no cursor. Cost: 1 request."""
        followed = self._followed(name, stream_id)
        self._run("move_cursor", followed, self._move(followed, version, None))

    def _followed(self, name: str, stream_id: StreamId) -> Followed:
        check_consumer(name)
        return Followed(name, stream_to_find(stream_id), self._tenant_id)

    def _run(self, operation: str, followed: Followed, steps: Steps[None]) -> None:
        self._gateway.run(operation, followed.tenant_id, followed.stream_id, steps)

    def _put(self, followed: Followed, version: int) -> Steps[None]:
        try:
            yield Request(
                "put_item",
                {
                    "TableName": self._config.log_table,
                    "Item": {
                        **cursor_key(followed),
                        "generation": number(followed.generation),
                        "version": number(version),
                    },
                    "ConditionExpression": "attribute_not_exists(place)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
            )
        except ConditionRefused as refused:
            self._refuse(refused, version)

    def _move(self, followed: Followed, version: int, before: int | None) -> Steps[None]:
        values: dict[str, Any] = {":version": number(version)}
        condition = "attribute_exists(place)"
        if before is not None:
            values[":before"] = number(before)
            condition = "version = :before"
        try:
            yield Request(
                "update_item",
                {
                    "TableName": self._config.log_table,
                    "Key": cursor_key(followed),
                    "UpdateExpression": "SET version = :version",
                    "ConditionExpression": condition,
                    "ExpressionAttributeValues": values,
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
            )
        except ConditionRefused as refused:
            if before is not None:
                self._refuse(refused, version)

    def _refuse(self, refused: ConditionRefused, version: int) -> None:
        item = refused.items[0]
        if item is None:
            raise self.StreamNotTracked
        current = int(item["version"]["N"])
        if current < version:
            raise self.BehindStream(current_version=current)
        # An attempt of ours, whose reply was lost, may have moved it. An event twice is better than
        # none.
        if current > version or not refused.maybe_landed:
            raise self.AheadOfStream(current_version=current)
