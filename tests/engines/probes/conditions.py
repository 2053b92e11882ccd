"""Conditional writes, which all of the store's locking rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.engine import MOTO
from tests.engines.lab import key, number, text
from tests.engines.probe import REFUSED, Probe, error_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engines.lab import Lab

_CONDITIONS = "developer guide, Condition and filter expressions, operators, and functions"
_NOTHING_THERE = "attribute_not_exists(version)"
_OLD: Final[dict[str, Any]] = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def _told(refused: Callable[[], object]) -> str:
    error = error_of(refused)
    item: dict[str, Any] = error.get("Item", {})
    told = f"with the item {item['mark']['S']}" if item else "without the item"
    return f"{error['Error']['Code']} {told}"


def _put_over(lab: Lab, **params: Any) -> str:
    lab.put({**key(), "mark": text("old")})
    return _told(lambda: lab.put(key(), ConditionExpression=_NOTHING_THERE, **params))


def _update_over(lab: Lab) -> str:
    lab.put({**key(), "mark": text("old")})
    return _told(
        lambda: lab.update(
            "SET mark = :new",
            ConditionExpression="mark = :new",
            ExpressionAttributeValues={":new": text("new")},
            **_OLD,
        )
    )


def _delete_over(lab: Lab) -> str:
    lab.put({**key(), "mark": text("old")})
    return _told(lambda: lab.delete(ConditionExpression=_NOTHING_THERE, **_OLD))


def _put_if(lab: Lab, stored: dict[str, Any], condition: str, value: dict[str, Any]) -> None:
    lab.put({**key(), **stored})
    lab.put(key(), ConditionExpression=condition, ExpressionAttributeValues={":value": value})


def _update_of_nothing(lab: Lab) -> str:
    error = error_of(
        lambda: lab.update(
            "SET mark = :new",
            ConditionExpression="mark = :new",
            ExpressionAttributeValues={":new": text("new")},
        )
    )
    left = "something" if lab.get().get("Item") else "nothing"
    return f"{error['Error']['Code']}, {left} is there afterwards"


PROBES = [
    Probe(
        name="refused put, asked for ALL_OLD",
        does=lambda lab: _put_over(lab, **_OLD),
        answer=f"{REFUSED} with the item old",
        source="API reference, PutItem, ReturnValuesOnConditionCheckFailure",
    ),
    Probe(
        name="refused put, not asked for ALL_OLD",
        does=_put_over,
        answer=f"{REFUSED} without the item",
        source="API reference, PutItem, ReturnValuesOnConditionCheckFailure",
    ),
    Probe(
        name="refused update, asked for ALL_OLD",
        does=_update_over,
        answer=f"{REFUSED} with the item old",
        source="API reference, UpdateItem, ReturnValuesOnConditionCheckFailure",
    ),
    Probe(
        name="refused delete, asked for ALL_OLD",
        does=_delete_over,
        answer=f"{REFUSED} with the item old",
        source="API reference, DeleteItem, ReturnValuesOnConditionCheckFailure",
    ),
    Probe(
        name="condition `closed < :value` on an item without closed",
        does=lambda lab: _put_if(lab, {}, "closed < :value", number(5)),
        answer=REFUSED,
        source=_CONDITIONS,
    ),
    Probe(
        name="condition `closed < :value` on a text, the value a number",
        does=lambda lab: _put_if(lab, {"closed": text("1")}, "closed < :value", number(5)),
        answer=REFUSED,
        source=_CONDITIONS,
        instead={MOTO: "TypeError raised in this process"},
    ),
    Probe(
        name="condition 9 < 10, as numbers",
        does=lambda lab: _put_if(lab, {"closed": number(9)}, "closed < :value", number(10)),
        source=_CONDITIONS,
    ),
    Probe(
        name="condition 2^53 < 2^53 + 1, as numbers",
        does=lambda lab: _put_if(
            lab, {"closed": number(2**53)}, "closed < :value", number(2**53 + 1)
        ),
        source="developer guide, Constraints, Data types: number",
    ),
    Probe(
        name="condition `a OR b`, the attribute of `a` not there, `b` met",
        does=lambda lab: _put_if(
            lab, {"closed": number(1)}, "absent = :value OR closed < :value", number(5)
        ),
        source=_CONDITIONS,
    ),
    Probe(
        name="delete of nothing on the condition `generation <= :value`",
        does=lambda lab: lab.delete(
            ConditionExpression="generation <= :value",
            ExpressionAttributeValues={":value": number(5)},
        ),
        answer=REFUSED,
        source=_CONDITIONS,
    ),
    Probe(
        name="delete of nothing without a condition",
        does=lambda lab: lab.delete(),
        source="API reference, DeleteItem",
    ),
    Probe(
        name="update of nothing on a condition",
        does=_update_of_nothing,
        answer=f"{REFUSED}, nothing is there afterwards",
        source=_CONDITIONS,
    ),
]
