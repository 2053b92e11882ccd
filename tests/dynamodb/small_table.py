"""A table with one key attribute, for tests that do not need the event store's tables."""

from __future__ import annotations

from dynamo_es.dynamodb.config import DynamoConfig

CONFIG = DynamoConfig(events_table="events", log_table="log", keys_table="keys", max_attempts=3)


def make_table(client, name="events"):
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )


def put(client, key, table="events"):
    client.put_item(
        TableName=table,
        Item={"id": {"S": key}},
        ConditionExpression="attribute_not_exists(id)",
    )


def transact(client, key, table="events"):
    client.transact_write_items(
        TransactItems=[
            {
                "Put": {
                    "TableName": table,
                    "Item": {"id": {"S": key}},
                    "ConditionExpression": "attribute_not_exists(id)",
                }
            }
        ]
    )


def tables_of(client):
    return client.list_tables()["TableNames"]


def keys_of(client):
    return sorted(item["id"]["S"] for item in client.scan(TableName="events")["Items"])
