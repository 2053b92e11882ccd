"""The table that queries read: balances, statements and latest activity of each tenant.

| tenant (partition) | place (sort)                                 | holds                     |
|--------------------|----------------------------------------------|---------------------------|
| tenant             | `account#{name}`                             | owner, balance, ETag      |
| tenant             | `statement#{name, quoted}#{version, padded}` | an event of the account   |
| tenant             | `activity#{position, padded}`                | an event of any account   |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from accounts.domain import Deposited, Opened, Withdrawn
from accounts.requests import Activity, Balance, Entry
from dynamo_es import StoredVersion
from dynamo_es.http import etag_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from accounts.requests import Kind
    from dynamo_es import Event, Recorded

Item = dict[str, Any]


class ReadModel:
    """Balances, statements and activity.

    Args:
        client: of boto3, for DynamoDB.
        table: its name.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def apply(self, recorded: Recorded) -> None:
        """Apply an event of an account; repeating it changes nothing."""
        shown = _shown(recorded.wrapped_event.event)
        if shown is None:
            return
        version = StoredVersion(recorded.wrapped_event.version or 0, recorded.generation or 0)
        account = recorded.stream_id.name or ""
        entry = _entry(recorded, shown) | {"version": {"N": str(version)}}
        # First the entry, then the balance, whose condition remembers that both are done.
        self._put(recorded.tenant_id, f"{_statement(account)}{version:020d}", entry)
        self._change_balance(recorded, account, version, _change(shown))

    def note(self, recorded: Recorded) -> None:
        """Add an event to the activity of its tenant."""
        shown = _shown(recorded.wrapped_event.event)
        if shown is None:
            return
        entry = _entry(recorded, shown) | {"account": {"S": recorded.stream_id.name or ""}}
        self._put(recorded.tenant_id, f"activity#{recorded.position:020d}", entry)

    def balance(self, tenant: str, account: str) -> Balance | None:
        """Return owner and balance of an account; None: no such account (yet)."""
        item = self._client.get_item(TableName=self._table, Key=_key(tenant, account)).get("Item")
        if item is None:
            return None
        return Balance(
            account=account,
            owner=item["owner"]["S"],
            balance=int(item["balance"]["N"]),
            version=int(item["seen"]["N"]),
            etag=item["etag"]["S"],
        )

    def statement(self, tenant: str, account: str, most: int = 20) -> list[Entry] | None:
        """Return the latest events of an account, newest first; None: no such account (yet)."""
        found = self.balance(tenant, account)
        if found is None:
            return None
        balance, entries = found.balance, []
        for item in self._latest(tenant, _statement(account), most):
            version = int(item["version"]["N"])
            if version > found.version:
                continue  # It came after the balance was read.
            kind, amount, at = _read(item)
            entries.append(Entry(version=version, kind=kind, amount=amount, balance=balance, at=at))
            balance -= _change((kind, amount))
        return entries

    def activity(self, tenant: str, most: int = 20) -> list[Activity]:
        """Return the latest events of all accounts of a tenant, newest first."""
        entries = []
        for item in self._latest(tenant, "activity#", most):
            kind, amount, at = _read(item)
            entries.append(Activity(account=item["account"]["S"], kind=kind, amount=amount, at=at))
        return entries

    def _change_balance(
        self, recorded: Recorded, account: str, version: StoredVersion, change: int
    ) -> None:
        event = recorded.wrapped_event.event
        names: dict[str, str] = {}
        values: dict[str, Any] = {
            ":version": {"N": str(version)},
            ":etag": {"S": etag_of(version)},
            ":zero": {"N": "0"},
            ":change": {"N": str(change)},
        }
        changes = "seen = :version, etag = :etag, balance = if_not_exists(balance, :zero) + :change"
        if isinstance(event, Opened):
            names = {"#owner": "owner"}
            values[":owner"] = {"S": event.owner}
            changes += ", #owner = :owner"
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(recorded.tenant_id, account),
                UpdateExpression=f"SET {changes}",
                ConditionExpression="attribute_not_exists(seen) OR seen < :version",
                ExpressionAttributeValues=values,
                **({"ExpressionAttributeNames": names} if names else {}),  # type: ignore[arg-type]
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def _put(self, tenant: str, place: str, entry: Mapping[str, Any]) -> None:
        key = {"tenant": {"S": tenant}, "place": {"S": place}}
        self._client.put_item(TableName=self._table, Item={**key, **entry})

    def _latest(self, tenant: str, prefix: str, most: int) -> list[Any]:
        reply = self._client.query(
            TableName=self._table,
            KeyConditionExpression="tenant = :tenant AND begins_with(place, :prefix)",
            ExpressionAttributeValues={":tenant": {"S": tenant}, ":prefix": {"S": prefix}},
            ScanIndexForward=False,
            Limit=most,
        )
        return reply["Items"]


def _shown(event: Event) -> tuple[Kind, int] | None:
    """Return what an entry shows of an event; None: nothing."""
    match event:
        case Opened():
            return "opened", 0
        case Deposited(amount=amount):
            return "deposited", amount
        case Withdrawn(amount=amount):
            return "withdrawn", amount
    return None


def _change(shown: tuple[Kind, int]) -> int:
    """Return by how much an event changes the balance."""
    kind, amount = shown
    return -amount if kind == "withdrawn" else amount


def _entry(recorded: Recorded, shown: tuple[Kind, int]) -> Item:
    kind, amount = shown
    at = recorded.wrapped_event.created_at.isoformat(timespec="seconds")
    return {"kind": {"S": kind}, "amount": {"N": str(amount)}, "at": {"S": at}}


def _read(item: Item) -> tuple[Kind, int, str]:
    return cast("Kind", item["kind"]["S"]), int(item["amount"]["N"]), item["at"]["S"]


def _key(tenant: str, account: str) -> Any:
    return {"tenant": {"S": tenant}, "place": {"S": f"account#{account}"}}


def _statement(account: str) -> str:
    """Return how the places of a statement begin: never like those of another account."""
    return f"statement#{quote(account, safe='')}#"
