"""A read model in a table of DynamoDB: balances, kept by additions that must come exactly once."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from dynamo_es import Event, StreamId
from dynamo_es.dynamodb.consumers.writes import Writes

TABLE = "balances"


class Deposited(Event):
    __event_name__ = "balances.Deposited"

    account: str
    amount: int


def create_table(client: Any) -> None:
    """Create the table of the read model, unless it is there."""
    try:
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "account", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "account", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise


def add_to_balance(recorded: Any) -> Writes:
    """Handle an event: the balance and the number of deposits grow."""
    event = recorded.wrapped_event.event
    amounts = {"balance": event.amount, "deposits": 1}
    return Writes().add(TABLE, {"account": event.account}, amounts)


def deposit(backend: Any, account: str, *amounts: int, tenant: str = "") -> None:
    """Append events, each to a stream of its own."""
    for amount in amounts:
        store = backend.in_tenant(tenant).event_store
        store.append(
            Deposited(account=account, amount=amount), stream_id=StreamId(category="balances")
        )


def balance_of(client: Any, account: str) -> tuple[int, int]:
    """Return the balance and the number of deposits."""
    found = client.get_item(TableName=TABLE, Key={"account": {"S": account}}, ConsistentRead=True)
    item = found.get("Item", {})
    return tuple(int(item.get(name, {"N": "0"})["N"]) for name in ("balance", "deposits"))  # type: ignore[return-value]
