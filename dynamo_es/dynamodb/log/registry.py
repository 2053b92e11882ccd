"""The registry of the tenants' logs, and the check that a table is used with one ``log_scope``.

With ``log_scope="tenant"`` each log has an item under the partition key ``logs``, which is put
before the log's first page. Consumers of all tenants find the logs there.

A table holds either one log for all tenants or one for each tenant. The first process that writes
the log of a tenant puts an item at the key of the first page of the log of all tenants. So a
process with ``log_scope="table"`` finds the item with its first read, at no extra cost, and cannot
put a page. A process with ``log_scope="tenant"`` reads that key only while its log is empty.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.stream_keys import MAX_SORT_KEY_BYTES, SEPARATOR, unescape
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.pages import SCOPE, place_of
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import LogScopeError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Item, Steps
    from dynamo_es.values import TenantId

_REGISTRY: Final = "logs"
"""Partition key of the registry."""


def check_scope(log: LogKeys) -> Steps[bool]:
    """Refuse a tenant's log in a table that holds the log of all tenants.

    Call it when a log turns out to be empty.

    Returns:
        Whether the table is known to hold one log for each tenant; False: it has no log yet.

    Raises:
        LogScopeError: the table holds the log of all tenants.

    Cost: 1 request; none for the log of all tenants.
    """
    if not log.prefix:
        return False
    response = yield get_scope(log.table)
    if "Item" not in response:
        return False
    if SCOPE not in response["Item"]:
        raise LogScopeError(log.table, "table", "tenant")
    return True


def register(log: LogKeys) -> Steps[None]:
    """Put a tenant's log into the registry, before its first page.

    Raises:
        LogScopeError: the table holds the log of all tenants.

    Cost: 2 requests, 3 for the first log of a table; none for the log of all tenants.
    """
    if not log.prefix:
        return
    yield from reserve(log.table)
    yield put_log(log)


def reserve(table: str) -> Steps[None]:
    """Mark a log table as one that holds one log for each tenant.

    Raises:
        LogScopeError: the table holds the log of all tenants.

    Cost: 1 request; 2 the first time.
    """
    log = LogKeys(table, SEPARATOR)  # the log of any tenant
    if not (yield from check_scope(log)):
        try:
            yield put_scope(table)
        except ConditionRefused:  # another process was faster, perhaps with the other scope
            yield from check_scope(log)


def list_logs(table: str) -> Steps[list[TenantId]]:
    """Return the tenants that have a log, in the order of their keys.

    Raises:
        LogScopeError: the table holds the log of all tenants.

    Cost: 1 request for each MB, which is about 20,000 tenants.
    """
    found: list[TenantId] = []
    after: Item | None = None
    while True:
        response = yield query_logs(table, after)
        found += [_tenant_of(item) for item in response["Items"]]
        after = response.get("LastEvaluatedKey")
        if after is None:
            break
    if not found:
        yield from check_scope(LogKeys(table, SEPARATOR))
    return found


def get_scope(table: str) -> Request:
    """Read only the item that shows the scope of a table, consistently."""
    return Request(
        "get_item",
        {
            "TableName": table,
            "Key": _first_page(table),
            "ProjectionExpression": f"log_key, place, {SCOPE}",
            "ConsistentRead": True,
        },
    )


def put_scope(table: str) -> Request:
    """Mark a table as one with a log for each tenant, unless it holds the log of all tenants."""
    return Request(
        "put_item",
        {
            "TableName": table,
            "Item": {**_first_page(table), SCOPE: {"S": "tenant"}},
            "ConditionExpression": "attribute_not_exists(place)",
        },
    )


def put_log(log: LogKeys) -> Request:
    """Put a tenant's log into the registry. Putting it again changes nothing."""
    place, more = log.prefix, {}
    if len(place.encode()) > MAX_SORT_KEY_BYTES:
        # A hash cannot equal another tenant's sort key, because those end with a separator.
        place, more = sha256(place.encode()).hexdigest(), {"tenant_prefix": {"S": log.prefix}}
    item = {"log_key": {"S": _REGISTRY}, "place": {"S": place}, **more}
    return Request("put_item", {"TableName": log.table, "Item": item})


def query_logs(table: str, after: Item | None = None) -> Request:
    """Query the registry, consistently."""
    params: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "log_key = :logs",
        "ExpressionAttributeValues": {":logs": {"S": _REGISTRY}},
        "ConsistentRead": True,
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("query", params)


def _first_page(table: str) -> Item:
    return {"log_key": {"S": LogKeys(table).pages}, "place": {"S": place_of(1)}}


def _tenant_of(item: Item) -> TenantId:
    prefix = item["tenant_prefix"] if "tenant_prefix" in item else item["place"]
    return unescape(prefix["S"][:-1])
