"""ReturnConsumedCapacity: the units that the engine reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.engine import MOTO
from tests.engines.lab import item_of, key
from tests.engines.probe import Probe, error_of

if TYPE_CHECKING:
    from tests.engines.lab import Lab

_UNITS = "developer guide, DynamoDB read and write operations"
_TOTAL: Final[dict[str, Any]] = {"ReturnConsumedCapacity": "TOTAL"}


def _units(reply: dict[str, Any]) -> str:
    consumed = reply.get("ConsumedCapacity", "nothing")
    if isinstance(consumed, dict):
        consumed = [consumed]
    if not isinstance(consumed, list):
        return "none reported"
    return f"{float(sum(entry['CapacityUnits'] for entry in consumed)):g}"


def _put(size: int) -> Any:
    return lambda lab: _units(lab.put(item_of(size), **_TOTAL))


def _overwrite(lab: Lab) -> str:
    lab.put(item_of(5000))
    return _units(lab.put(key(), **_TOTAL))


def _delete(lab: Lab) -> str:
    lab.put(item_of(5000))
    return _units(lab.delete(**_TOTAL))


def _transact(*sizes: int) -> Any:
    def does(lab: Lab) -> str:
        actions = [lab.put_action(item_of(size, n)) for n, size in enumerate(sizes, start=1)]
        return _units(lab.transact(*actions, **_TOTAL))

    return does


def _get(size: int, *, consistent: bool) -> Any:
    def does(lab: Lab) -> str:
        lab.put(item_of(size))
        return _units(lab.get(ConsistentRead=consistent, **_TOTAL))

    return does


def _query(lab: Lab, **params: Any) -> str:
    for version in range(1, 4):
        lab.put(item_of(2000, version))
    return _units(lab.query(**params, **_TOTAL))


def _refused(lab: Lab) -> str:
    lab.put(key())
    error = error_of(
        lambda: lab.put(key(), ConditionExpression="attribute_not_exists(version)", **_TOTAL)
    )
    return _units(error)


def _refused_transaction(lab: Lab) -> str:
    lab.put(key())
    return _units(error_of(lambda: lab.transact(lab.create_action(1), **_TOTAL)))


def _batch(lab: Lab) -> str:
    items = [item_of(1500, version) for version in (1, 2, 3)]
    requests = {lab.table: [{"PutRequest": {"Item": item}} for item in items]}
    return _units(lab.client.batch_write_item(RequestItems=requests, **_TOTAL))


PROBES = [
    Probe(name="units of a put of 1,024 bytes", does=_put(1024), answer="1", source=_UNITS),
    Probe(
        name="units of a put of 1,025 bytes",
        does=_put(1025),
        answer="2",
        source=_UNITS,
        instead={MOTO: "1"},
    ),
    Probe(
        name="units of a put of few bytes over 5,000",
        does=_overwrite,
        answer="5",
        source=_UNITS,
        instead={MOTO: "1"},
    ),
    Probe(
        name="units of a delete of 5,000 bytes",
        does=_delete,
        answer="5",
        source=_UNITS,
        instead={MOTO: "1"},
    ),
    Probe(
        name="units of a delete of nothing",
        does=lambda lab: _units(lab.delete(**_TOTAL)),
        answer="1",
        source=_UNITS,
    ),
    Probe(
        name="units of a transaction of one put of 1,024 bytes",
        does=_transact(1024),
        answer="2",
        source=_UNITS,
        instead={MOTO: "0"},
    ),
    Probe(
        name="units of a transaction of puts of 1,025 and 2,049 bytes",
        does=_transact(1025, 2049),
        answer="10",
        source=_UNITS,
        instead={MOTO: "0"},
    ),
    Probe(
        name="units of a transaction of three puts of 100 bytes",
        does=_transact(100, 100, 100),
        answer="6",
        source=_UNITS,
        instead={MOTO: "0"},
    ),
    Probe(
        name="units of a transaction of two puts of 1,500 bytes",
        does=_transact(1500, 1500),
        answer="8",
        source=_UNITS,
        instead={MOTO: "0"},
    ),
    Probe(
        name="units of a batch write of three items of 1,500 bytes",
        does=_batch,
        answer="6",
        source="API reference, BatchWriteItem",
        instead={MOTO: "1"},
    ),
    Probe(
        name="units of a consistent read of 5 KB",
        does=_get(5 * 1024, consistent=True),
        answer="2",
        source=_UNITS,
        instead={MOTO: "0.5"},
    ),
    Probe(
        name="units of an eventually consistent read of 5 KB",
        does=_get(5 * 1024, consistent=False),
        answer="1",
        source=_UNITS,
        instead={MOTO: "0.5"},
    ),
    Probe(
        name="units of a consistent read of nothing",
        does=lambda lab: _units(lab.get(**_TOTAL)),
        answer="1",
        source=_UNITS,
        instead={MOTO: "0.5"},
    ),
    Probe(
        name="units of a consistent query of three items of 2,000 bytes",
        does=_query,
        answer="2",
        source=_UNITS,
        instead={MOTO: "1"},
    ),
    Probe(
        name="units of that query, projecting the keys only",
        does=lambda lab: _query(lab, ProjectionExpression="version"),
        answer="2",
        source=_UNITS,
        instead={MOTO: "1"},
    ),
    Probe(
        name="units of a refused put",
        does=_refused,
        answer="none reported",
        source="API reference, ConditionalCheckFailedException: it has no ConsumedCapacity",
    ),
    Probe(
        name="units of a cancelled transaction",
        does=_refused_transaction,
        answer="none reported",
        source="API reference, TransactionCanceledException: it has no ConsumedCapacity",
    ),
    Probe(
        name="units of a put that does not ask",
        does=lambda lab: _units(lab.put(key())),
        answer="none reported",
        source="API reference, PutItem, ReturnConsumedCapacity",
    ),
]
