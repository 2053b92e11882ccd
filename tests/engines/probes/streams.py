"""DynamoDB Streams: records of a table's changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.engine import LOCAL, MOTO
from tests.engines.lab import key, number, text
from tests.engines.probe import Probe, error_of

if TYPE_CHECKING:
    from tests.engines.lab import Lab

_GUIDE = "developer guide, Change data capture for DynamoDB Streams"
_RECORD = "API reference, StreamRecord"


def _recorded(lab: Lab, kind: str = "TRIM_HORIZON", iterator: str = "") -> list[Any]:
    """Return the records of what was done so far: up to a put that marks the end."""
    iterator = iterator or lab.iterator(kind)
    lab.put(key(999))
    records = lab.records(iterator, lambda record: _version(record) == "999")
    return [record for record in records if _version(record) != "999"]


def _version(record: Any) -> str:
    return str(record["dynamodb"]["Keys"]["version"]["N"])


def _changes(records: list[Any]) -> str:
    return ", ".join(f"{record['eventName']} {_version(record)}" for record in records) or "none"


def _change_twice(lab: Lab) -> list[Any]:
    lab.put({**key(1), "mark": text("first")})
    lab.put({**key(1), "mark": text("second")})
    lab.put_versions(2)
    lab.delete(1)
    return _recorded(lab)


def _images(lab: Lab) -> str:
    return ", ".join(
        record["dynamodb"].get("NewImage", {}).get("mark", {}).get("S", "-")
        for record in _change_twice(lab)
    )


def _old_images(lab: Lab) -> str:
    return str(any("OldImage" in record["dynamodb"] for record in _change_twice(lab)))


def _increasing(lab: Lab) -> str:
    records = _change_twice(lab)
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    return "increasing" if numbers == sorted(set(numbers)) else "not increasing"


def _unchanged(lab: Lab) -> str:
    lab.put(key(1))
    lab.put(key(1))
    lab.update("SET mark = :one", ExpressionAttributeValues={":one": number(1)})
    lab.update("SET mark = :one", ExpressionAttributeValues={":one": number(1)})
    return _changes(_recorded(lab))


def _refused(lab: Lab) -> str:
    lab.put_versions(2)
    error_of(lambda: lab.put(key(2), ConditionExpression="attribute_not_exists(version)"))
    error_of(lambda: lab.transact(lab.create_action(1), lab.create_action(2)))
    return _changes(_recorded(lab))


def _transaction(lab: Lab) -> str:
    lab.transact(*(lab.create_action(version) for version in (1, 2, 3)))
    # In no order that is promised.
    records = _recorded(lab)
    return ", ".join(sorted(f"{record['eventName']} {_version(record)}" for record in records))


def _latest(lab: Lab) -> str:
    lab.put_versions(1)
    iterator = lab.iterator("LATEST")
    lab.put_versions(2)
    return _changes(_recorded(lab, iterator=iterator))


def _batch(lab: Lab) -> str:
    lab.batch_put(key(1), key(2))
    return ", ".join(sorted(f"{r['eventName']} {_version(r)}" for r in _recorded(lab)))


PROBES = [
    Probe(
        name="records of two puts of one item, a put of another, a delete",
        does=lambda lab: _changes(_change_twice(lab)),
        answer="INSERT 1, MODIFY 1, INSERT 2, REMOVE 1",
        source=_GUIDE,
    ),
    Probe(
        name="new images of those",
        does=_images,
        answer="first, second, -, -",
        source=_RECORD,
    ),
    Probe(
        name="old images where new ones are asked for",
        does=_old_images,
        answer="False",
        source=_RECORD,
    ),
    Probe(name="sequence numbers", does=_increasing, answer="increasing", source=_GUIDE),
    Probe(
        name="records of a put and an update that change nothing",
        does=_unchanged,
        answer="INSERT 1, MODIFY 1",
        source=_GUIDE,
        instead=dict.fromkeys((MOTO, LOCAL), "INSERT 1, MODIFY 1, MODIFY 1, MODIFY 1"),
    ),
    Probe(
        name="records of what was refused",
        does=_refused,
        answer="INSERT 2",
        source=_GUIDE,
    ),
    Probe(
        name="records of a transaction",
        does=_transaction,
        answer="INSERT 1, INSERT 2, INSERT 3",
        source=_GUIDE,
    ),
    Probe(
        name="records of a batch write",
        does=_batch,
        answer="INSERT 1, INSERT 2",
        source=_GUIDE,
    ),
    Probe(
        name="records after LATEST",
        does=_latest,
        answer="INSERT 2",
        source="API reference, GetShardIterator, ShardIteratorType",
    ),
]
