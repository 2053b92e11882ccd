"""BatchExecuteStatement: conditional writes in PartiQL, each of one item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es.dynamodb.wire.partiql.statements import insert, update
from tests.engines.lab import item_of, key, number, text
from tests.engines.probe import INVALID, SEEN, Probe

if TYPE_CHECKING:
    from tests.engines.lab import Lab

_GUIDE = "developer guide, Running batch operations with PartiQL for DynamoDB"
_INSERT = "developer guide, PartiQL insert statements for DynamoDB"
_UPDATE = "developer guide, PartiQL update statements for DynamoDB"
_CODES = "API reference, BatchStatementError"


def _execute(lab: Lab, *statements: dict[str, Any]) -> str:
    """Carry out statements; return the codes of those refused, with the items that came back."""
    reply = lab.client.batch_execute_statement(Statements=list(statements))
    return ", ".join(map(_told, reply["Responses"]))


def _told(answer: dict[str, Any]) -> str:
    if "Error" not in answer:
        return "done"
    item = answer["Error"].get("Item")
    shown = "" if item is None else f" with {sorted(item)}"
    return str(answer["Error"]["Code"]) + shown


def _insert(lab: Lab, version: int, **attributes: Any) -> dict[str, Any]:
    return insert(lab.table, {**key(version), **attributes})


def _raise(lab: Lab, low: int, high: int, version: int = 1, **settings: Any) -> dict[str, Any]:
    """Set ``n`` to ``high`` if it is below ``low``."""
    conditions = [("n", "<", number(low))]
    return update(lab.table, key(version), {"n": number(high)}, conditions, **settings)


def _inserted(lab: Lab) -> str:
    done = _execute(lab, _insert(lab, 1, b={"B": b"bytes"}, s={"SS": ["a", "b"]}))
    item = lab.get(1)["Item"]
    return f"{done}: {item['b']['B']!r} {sorted(item['s']['SS'])}"


def _duplicate(lab: Lab) -> str:
    lab.put_versions(1, n=number(1))
    statement = _insert(lab, 1, n=number(2))
    all_old = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    refused = _execute(lab, {**statement, **all_old}, _insert(lab, 2))
    return f"{refused}; n is {lab.get(1)['Item']['n']['N']}"


def _updated(lab: Lab) -> str:
    lab.put_versions(1, n=number(1))
    return f"{_execute(lab, _raise(lab, 5, 5))}; n is {lab.get(1)['Item']['n']['N']}"


def _refused(lab: Lab, **settings: Any) -> str:
    lab.put_versions(1, n=number(5), b={"B": b"bytes"})
    return f"{_execute(lab, _raise(lab, 5, 5, **settings))}; n is {lab.get(1)['Item']['n']['N']}"


def _replaced(lab: Lab) -> str:
    lab.put_versions(1, n=number(1), m=number(2))
    conditions = [("n", "=", number(1))]
    statement = update(
        lab.table, key(), {"x": number(3), "y": text("t")}, conditions, remove=["n", "m", "z"]
    )
    return f"{_execute(lab, statement)}: {sorted(lab.get(1)['Item'])}"


def _raw(lab: Lab, where: str, *parameters: Any) -> dict[str, Any]:
    return {
        "Statement": f'UPDATE "{lab.table}" SET "n" = ? WHERE {where}',  # noqa: S608 - a test's
        "Parameters": [number(7), *parameters],
    }


def _missing_attribute(lab: Lab, condition: str) -> str:
    lab.put_versions(1)
    statement = _raw(lab, f'"id" = ? AND "version" = ? AND {condition}', text("a"), number(1))
    return f"{_execute(lab, statement)}, {_execute(lab, statement)}"


def _grown(lab: Lab) -> str:
    lab.put_versions(1)
    growing = update(lab.table, key(), {"pad": text("x" * 400 * 1024)}, [])
    return _execute(lab, growing, _insert(lab, 2))


PROBES = [
    Probe(
        name="statement that inserts",
        does=_inserted,
        answer="done: b'bytes' ['a', 'b']",
        source=_INSERT,
    ),
    Probe(
        name="statement that inserts where an item is, beside another",
        does=_duplicate,
        answer="DuplicateItem, done; n is 1",
        source=_CODES,
    ),
    Probe(
        name="statement that updates under a condition",
        does=_updated,
        answer="done; n is 5",
        source=_UPDATE,
    ),
    Probe(
        name="statement that updates, condition not met",
        does=_refused,
        answer="ConditionalCheckFailed; n is 5",
        source=_CODES,
    ),
    Probe(
        name="statement that updates, condition not met, ALL_OLD",
        does=lambda lab: _refused(lab, all_old=True),
        answer="ConditionalCheckFailed with ['b', 'id', 'n', 'version']; n is 5",
        source=_CODES,
    ),
    Probe(
        name="statement that updates an item that does not exist",
        does=lambda lab: _execute(
            lab, update(lab.table, key(), {"n": number(1)}, [], all_old=True)
        ),
        answer="ConditionalCheckFailed",
        source=_UPDATE,
    ),
    Probe(
        name="statement that sets and removes attributes",
        does=_replaced,
        answer="done: ['id', 'version', 'x', 'y']",
        source=_UPDATE,
    ),
    Probe(
        name="statement with IS MISSING, twice",
        does=lambda lab: _missing_attribute(lab, '"n" IS MISSING'),
        answer="done, ConditionalCheckFailed",
        source="developer guide, PartiQL operators for DynamoDB",
    ),
    Probe(
        name="statement with attribute_not_exists, twice",
        does=lambda lab: _missing_attribute(lab, 'attribute_not_exists("n")'),
        answer="done, ConditionalCheckFailed",
        source="developer guide, PartiQL functions for DynamoDB",
    ),
    Probe(
        name="statement without the sort key, beside another",
        does=lambda lab: _execute(lab, _raw(lab, '"id" = ?', text("a")), _insert(lab, 2)),
        answer="ValidationError, done",
        source=_UPDATE,
    ),
    Probe(
        name="statement with too few parameters, beside another",
        does=lambda lab: _execute(
            lab, _raw(lab, '"id" = ? AND "version" = ?', text("a")), _insert(lab, 2)
        ),
        answer="ValidationError, done",
        source=SEEN,
    ),
    Probe(
        name="statement that sets a key attribute, beside another",
        does=lambda lab: _execute(
            lab, update(lab.table, key(), {"version": number(2)}, []), _insert(lab, 3)
        ),
        answer="ValidationError, done",
        source=_UPDATE,
    ),
    Probe(
        name="statement that inserts an item that is too large, beside another",
        does=lambda lab: _execute(lab, insert(lab.table, item_of(400 * 1024 + 1)), _insert(lab, 2)),
        answer="ValidationError, done",
        source=_CODES,
    ),
    Probe(
        name="statement that makes an item too large, beside another",
        does=_grown,
        answer="ValidationError, done",
        source=_CODES,
    ),
    Probe(
        name="statement with a key of the wrong type, beside another",
        does=lambda lab: _execute(
            lab,
            insert(lab.table, {"id": number(1), "version": number(1)}),
            _insert(lab, 2),
        ),
        answer="ValidationError, done",
        source=_CODES,
    ),
    Probe(
        name="statement without a key, beside another",
        does=lambda lab: _execute(
            lab, insert(lab.table, {"id": text("a"), "n": number(1)}), _insert(lab, 2)
        ),
        answer="ValidationError, done",
        source=_INSERT,
    ),
    Probe(
        name="statement about a table that does not exist, beside another",
        does=lambda lab: _execute(lab, insert("engines-nowhere", key()), _insert(lab, 2)),
        answer="ResourceNotFound, done",
        source=_CODES,
    ),
    Probe(
        name="25 statements",
        does=lambda lab: _execute(lab, *(_insert(lab, n) for n in range(25))),
        answer=", ".join(["done"] * 25),
        source=_GUIDE,
    ),
    Probe(
        name="26 statements",
        does=lambda lab: _execute(lab, *(_insert(lab, n) for n in range(26))),
        answer=INVALID,
        source=_GUIDE,
    ),
    Probe(
        name="two statements about one item",
        does=lambda lab: _execute(lab, _insert(lab, 1), _raise(lab, 5, 5)),
        answer=INVALID,
        source=SEEN,
    ),
    Probe(
        name="statements that read and write",
        does=lambda lab: _execute(
            lab,
            _insert(lab, 1),
            {
                "Statement": f'SELECT * FROM "{lab.table}" WHERE "id" = ? AND "version" = ?',  # noqa: S608
                "Parameters": [text("a"), number(2)],
            },
        ),
        answer=INVALID,
        source=_GUIDE,
    ),
]
