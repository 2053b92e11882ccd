"""What DynamoDB accepts in expressions."""

from __future__ import annotations

from typing import Any

from tests.engine import MOTO
from tests.engines.lab import key, number, text
from tests.engines.probe import ACCEPTED, INVALID, SEEN, Probe

_NAMES = "developer guide, Expression attribute names (aliases)"
_VALUES = "developer guide, Using expression attribute values"
_RESERVED = "developer guide, Reserved words in DynamoDB"
_UPDATES = "developer guide, Using update expressions"


def _put(condition: str, **params: Any) -> Any:
    return lambda lab: lab.put(key(), ConditionExpression=condition, **params)


PROBES = [
    Probe(
        name="value that no expression uses",
        does=_put(
            "attribute_not_exists(version)", ExpressionAttributeValues={":unused": number(1)}
        ),
        answer=INVALID,
        source=SEEN,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="value without an expression",
        does=lambda lab: lab.put(key(), ExpressionAttributeValues={":unused": number(1)}),
        answer=INVALID,
        source=SEEN,
        instead={MOTO: ACCEPTED},
    ),
    Probe(
        name="name that no expression uses",
        does=_put("attribute_not_exists(version)", ExpressionAttributeNames={"#unused": "id"}),
        answer=INVALID,
        source=SEEN,
    ),
    Probe(
        name="value that an expression uses and nobody gives",
        does=_put("mark = :mark"),
        answer=INVALID,
        source=_VALUES,
        instead={MOTO: "KeyError raised in this process"},
    ),
    Probe(
        name="name that an expression uses and nobody gives",
        does=_put("attribute_not_exists(#mark)"),
        answer=INVALID,
        source=_NAMES,
        instead={MOTO: "KeyError raised in this process"},
    ),
    Probe(
        name="projection of a reserved word",
        does=lambda lab: lab.get(ProjectionExpression="version, position"),
        answer=INVALID,
        source=_RESERVED,
    ),
    Probe(
        name="query that projects a reserved word",
        does=lambda lab: lab.query(ProjectionExpression="version, position"),
        answer=INVALID,
        source=_RESERVED,
    ),
    Probe(
        name="condition on a reserved word",
        does=_put("attribute_not_exists(position)"),
        answer=INVALID,
        source=_RESERVED,
    ),
    Probe(
        name="update of a reserved word",
        does=lambda lab: lab.update(
            "SET position = :one", ExpressionAttributeValues={":one": number(1)}
        ),
        answer=INVALID,
        source=_RESERVED,
    ),
    Probe(
        name="projection of the words that the store uses bare",
        does=lambda lab: lab.get(
            ProjectionExpression=(
                "version, generation, closed, event_count, snapshot_version, versionless,"
                " stream_name, events, expires_at"
            )
        ),
        source=_RESERVED,
    ),
    Probe(
        name="projection that names an attribute twice",
        does=lambda lab: lab.get(ProjectionExpression="version, version"),
        answer=INVALID,
        source=SEEN,
    ),
    Probe(
        name="update that sets an attribute twice",
        does=lambda lab: lab.update(
            "SET mark = :one, mark = :one", ExpressionAttributeValues={":one": number(1)}
        ),
        answer=INVALID,
        source=_UPDATES,
    ),
    Probe(
        name="update that sets a part of the key",
        does=lambda lab: lab.update(
            "SET version = :one", ExpressionAttributeValues={":one": number(1)}
        ),
        answer=INVALID,
        source=_UPDATES,
    ),
    Probe(
        name="update that adds to a text",
        does=lambda lab: (
            lab.put({**key(), "mark": text("x")}),
            lab.update("ADD mark :one", ExpressionAttributeValues={":one": number(1)}),
        ),
        answer=INVALID,
        source=_UPDATES,
    ),
    Probe(
        name="empty condition",
        does=_put(""),
        answer=INVALID,
        source=SEEN,
        instead={MOTO: ACCEPTED},
    ),
]
