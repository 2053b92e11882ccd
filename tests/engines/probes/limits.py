"""Sizes of items and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.dynamodb.wire.sizes import SAFE_ITEM_BYTES
from tests.engine import MOTO
from tests.engines.lab import item_of, key, number, text
from tests.engines.probe import ACCEPTED, INVALID, Probe

if TYPE_CHECKING:
    from tests.engines.lab import Lab

_ITEMS = "developer guide, Constraints, Items"
_KEYS = "developer guide, Constraints, Partition keys and sort keys"
_MAX = 400 * 1024


def _sort_key_of(lab: Lab, value: str) -> None:
    lab.put({"id": text("a"), "version": text(value)}, TableName=lab.another_table(sort_kind="S"))


def _grow(lab: Lab) -> None:
    lab.put(item_of(_MAX - 10))
    lab.update("SET more = :more", ExpressionAttributeValues={":more": text("x" * 10)})


PROBES = [
    Probe(
        name="item of 409,600 bytes",
        does=lambda lab: lab.put(item_of(_MAX)),
        source=_ITEMS,
        instead={MOTO: INVALID},
    ),
    Probe(
        name="item of 408,576 bytes, the largest that the store writes",
        does=lambda lab: lab.put(item_of(SAFE_ITEM_BYTES)),
        source=_ITEMS,
        instead={MOTO: INVALID},
    ),
    Probe(
        name="item of 404,999 bytes",
        does=lambda lab: lab.put(item_of(404_999)),
        source=_ITEMS,
    ),
    Probe(
        name="item of 409,601 bytes",
        does=lambda lab: lab.put(item_of(_MAX + 1)),
        answer=INVALID,
        source=_ITEMS,
    ),
    Probe(
        name="update that makes an item larger than 409,600 bytes",
        does=_grow,
        answer=INVALID,
        source=_ITEMS,
    ),
    Probe(
        name="partition key of 2,048 bytes",
        does=lambda lab: lab.put(key(name="x" * 2048)),
        source=_KEYS,
    ),
    Probe(
        name="partition key of 2,049 bytes",
        does=lambda lab: lab.put(key(name="x" * 2049)),
        answer=INVALID,
        source=_KEYS,
    ),
    Probe(
        name="partition key of 2,050 bytes in 1,025 characters",
        does=lambda lab: lab.put(key(name="é" * 1025)),
        answer=INVALID,
        source=_KEYS,
    ),
    Probe(
        name="read by a partition key of 2,049 bytes",
        does=lambda lab: lab.get(Key=key(name="x" * 2049)),
        answer=INVALID,
        source=_KEYS,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="sort key of 1,024 bytes",
        does=lambda lab: _sort_key_of(lab, "x" * 1024),
        source=_KEYS,
    ),
    Probe(
        name="sort key of 1,025 bytes",
        does=lambda lab: _sort_key_of(lab, "x" * 1025),
        answer=INVALID,
        source=_KEYS,
    ),
    Probe(
        name="empty partition key",
        does=lambda lab: lab.put(key(name="")),
        answer=INVALID,
        source="API reference, PutItem",
    ),
    Probe(
        name="empty sort key",
        does=lambda lab: _sort_key_of(lab, ""),
        answer=INVALID,
        source="API reference, PutItem",
    ),
    Probe(
        name="put without the sort key",
        does=lambda lab: lab.put({"id": text("a")}),
        answer=INVALID,
        source="API reference, PutItem, Item",
    ),
    Probe(
        name="read without the sort key",
        does=lambda lab: lab.get(Key={"id": text("a")}),
        answer=INVALID,
        source="API reference, GetItem, Key",
    ),
    Probe(
        name="read by more than the key",
        does=lambda lab: lab.get(Key={**key(), "more": number(1)}),
        answer=INVALID,
        source="API reference, GetItem, Key",
    ),
    Probe(
        name="put with a text where the key is a number",
        does=lambda lab: lab.put({"id": text("a"), "version": text("1")}),
        answer=INVALID,
        source="API reference, PutItem, Item",
    ),
]
