"""The table that queries read: balances and latest activity of each tenant.

| tenant (partition) | place (sort)                      | holds                    |
|--------------------|-----------------------------------|--------------------------|
| tenant             | `account#{name}`                  | owner, balance, ETag     |
| tenant             | `activity#{position, 20 digits}`  | account, text            |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.domain import Deposited, Opened, Withdrawn
from accounts.requests import Activity, Balance
from dynamo_es import StoredVersion
from dynamo_es.http import etag_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es import Recorded


class ReadModel:
    """Balances and activity.

    Args:
        client: of boto3, for DynamoDB.
        table: its name.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def apply(self, recorded: Recorded) -> None:
        """Apply an event of an account; repeating it changes nothing."""
        event = recorded.wrapped_event.event
        version = StoredVersion(recorded.wrapped_event.version or 0, recorded.generation or 0)
        names = {"#owner": "owner"} if isinstance(event, Opened) else {}
        values: dict[str, Any] = {
            ":version": {"N": str(version)},
            ":etag": {"S": etag_of(version)},
            ":zero": {"N": "0"},
        }
        changes = "seen = :version, etag = :etag, balance = if_not_exists(balance, :zero) + :change"
        match event:
            case Opened(owner=owner):
                values |= {":change": {"N": "0"}, ":owner": {"S": owner}}
                changes += ", #owner = :owner"
            case Deposited(amount=amount):
                values[":change"] = {"N": str(amount)}
            case Withdrawn(amount=amount):
                values[":change"] = {"N": str(-amount)}
            case _:
                return
        account = recorded.stream_id.name or ""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"tenant": {"S": recorded.tenant_id}, "place": {"S": f"account#{account}"}},
                UpdateExpression=f"SET {changes}",
                ConditionExpression="attribute_not_exists(seen) OR seen < :version",
                ExpressionAttributeValues=values,
                **({"ExpressionAttributeNames": names} if names else {}),  # type: ignore[arg-type]
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def note(self, recorded: Recorded) -> None:
        """Add an event to the activity of its tenant."""
        self._client.put_item(
            TableName=self._table,
            Item={
                "tenant": {"S": recorded.tenant_id},
                "place": {"S": f"activity#{recorded.position:020d}"},
                "account": {"S": recorded.stream_id.name or ""},
                "event": {"S": repr(recorded.wrapped_event.event)},
            },
        )

    def balance(self, tenant: str, account: str) -> Balance | None:
        """Return owner and balance of an account; None: no such account (yet)."""
        item = self._client.get_item(
            TableName=self._table,
            Key={"tenant": {"S": tenant}, "place": {"S": f"account#{account}"}},
        ).get("Item")
        if item is None:
            return None
        return Balance(
            account=account,
            owner=item["owner"]["S"],
            balance=int(item["balance"]["N"]),
            version=int(item["seen"]["N"]),
            etag=item["etag"]["S"],
        )

    def activity(self, tenant: str, most: int = 20) -> list[Activity]:
        """Return the latest events of all accounts of a tenant, newest first."""
        reply = self._client.query(
            TableName=self._table,
            KeyConditionExpression="tenant = :tenant AND begins_with(place, :activity)",
            ExpressionAttributeValues={":tenant": {"S": tenant}, ":activity": {"S": "activity#"}},
            ScanIndexForward=False,
            Limit=most,
        )
        return [
            Activity(account=item["account"]["S"], event=item["event"]["S"])
            for item in reply["Items"]
        ]
