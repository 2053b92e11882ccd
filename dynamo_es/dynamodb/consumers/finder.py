"""`DynamoFinder`: scans the log table for the cursors of read models and for outboxes."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final, Self

from dynamo_es.contracts.checks.arguments import check_tenant
from dynamo_es.contracts.consumers.finder import (
    ConsumerFinder,
    CursorInfo,
    FoundConsumers,
    OutboxInfo,
)
from dynamo_es.contracts.stream_keys import SEPARATOR, unescape
from dynamo_es.dynamodb.consumers.failures import read_failure
from dynamo_es.dynamodb.consumers.outbox_requests import OUTBOX
from dynamo_es.dynamodb.log.keys import ConsumerKey
from dynamo_es.dynamodb.streams.keys import parse_stream_key
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import InputError
from dynamo_es.values import DEFAULT_TENANT, StreamId

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.gateway import Gateway
    from dynamo_es.dynamodb.wire.steps import Item, Response, Steps
    from dynamo_es.values import TenantId

_log = logging.getLogger("dynamo_es")

CURSOR: Final = "cursor"
"""The word after the tenant in the key of a cursor. It is also the sort key of most cursors."""


class DynamoFinder(ConsumerFinder):
    """Finds cursors and outboxes. Safe to share between threads.

    Args:
        table: name of the log table.
        gateway: sends the requests.
        tenant_id: tenant whose consumers it finds; None: all tenants.
    """

    def __init__(self, table: str, gateway: Gateway, tenant_id: TenantId | None = None) -> None:
        self._table = table
        self._gateway = gateway
        self._tenant_id = tenant_id

    def find(self, after: str | None = None) -> FoundConsumers:
        """Return a part of the consumers; see `ConsumerFinder.find`. Cost: 1 request."""
        request = scan_consumers(self._table, None if after is None else _key_of(after))
        tenant_id = self._tenant_id or DEFAULT_TENANT
        response = self._gateway.run("find_consumers", tenant_id, None, _one(request))
        cursors: list[CursorInfo] = []
        outboxes: list[OutboxInfo] = []
        for item in response["Items"]:
            try:
                kind = _kind_of(item)
                if kind == OUTBOX:
                    outboxes.append(_outbox(item))
                elif kind == CURSOR:
                    cursors.append(cursor_info(item))
            except (KeyError, ValueError):
                _log.error(
                    "Left out a consumer, because its item %s cannot be read.", item.get("log_key")
                )
        scope = self._tenant_id
        last = response.get("LastEvaluatedKey")
        return FoundConsumers(
            tuple(one for one in cursors if scope is None or one.tenant_id == scope),
            tuple(one for one in outboxes if scope is None or one.tenant_id == scope),
            None if last is None else json.dumps([last["log_key"]["S"], last["place"]["S"]]),
        )

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        """Return a finder of a tenant's consumers; see `ConsumerFinder.scoped_for_tenant`."""
        check_tenant(tenant_id)
        return type(self)(self._table, self._gateway, tenant_id)


def scan_consumers(table: str, after: Item | None = None) -> Request:
    """Scan the log table for cursors and outboxes."""
    params: dict[str, Any] = {
        "TableName": table,
        # Other items may match too; `_kind_of` excludes them.
        "FilterExpression": (
            "contains(log_key, :cursors) OR (place = :cursor AND "
            "(begins_with(log_key, :outbox) OR contains(log_key, :outboxes)))"
        ),
        "ExpressionAttributeValues": {
            ":cursor": {"S": CURSOR},
            ":cursors": {"S": f"#{CURSOR}"},
            ":outbox": {"S": f"{OUTBOX}#"},
            ":outboxes": {"S": f"#{OUTBOX}#"},
        },
    }
    if after is not None:
        params["ExclusiveStartKey"] = after
    return Request("scan", params)


def _key_of(after: str) -> Item:
    try:
        log_key, place = json.loads(after)
        if not (isinstance(log_key, str) and isinstance(place, str) and log_key and place):
            raise ValueError  # noqa: TRY301 - handled below like the other errors
    except (TypeError, ValueError):
        raise InputError("after must be the value that an earlier find returned.") from None
    return {"log_key": {"S": log_key}, "place": {"S": place}}


def _kind_of(item: Item) -> str | None:
    """Return the word for a cursor or an outbox in an item's key; None: it is neither."""
    parts, place = item["log_key"]["S"].split(SEPARATOR), item["place"]["S"]
    match parts:
        case ["outbox", _] | [_, "outbox", _] if place == CURSOR:
            return OUTBOX
        case [_, "cursor", _, _, _] if place == CURSOR:
            return CURSOR
        case [_, "cursor"] if SEPARATOR in place and {"generation", "version"} <= item.keys():
            # A cursor with a hash of the stream's key. A consumer named cursor has other sort keys.
            return CURSOR
    return None


def cursor_info(item: Item) -> CursorInfo:
    """Return the public description of the cursor that an item holds.

    Raises:
        ValueError: the item is not a cursor.
    """
    tenant, _, *rest = item["log_key"]["S"].split(SEPARATOR)
    if rest:
        name, *stream = rest
        _, category, uuid = parse_stream_key(SEPARATOR.join([tenant, *stream]))
        stream_id = StreamId(uuid, category=category)
    else:
        name, stream_id = item["place"]["S"].partition(SEPARATOR)[0], None
    return CursorInfo(
        name=name,
        version=int(item["version"]["N"]),
        generation=int(item["generation"]["N"]),
        tenant_id=unescape(tenant),
        stream_id=stream_id,
        failure=read_failure(item),
        busy="leased_by" in item,
    )


def _outbox(item: Item) -> OutboxInfo:
    key = ConsumerKey.read(item["log_key"]["S"])
    return OutboxInfo(key.name, key.tenant_id, int(item["checkpoint"]["N"]))


def _one(request: Request) -> Steps[Response]:
    return (yield request)
