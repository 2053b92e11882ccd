"""Takes apart what a step sends: drivers of tests carry out its parts in every order.

Requests that run at once arrive in any order. DynamoDB carries out each statement of a batch by
itself, so a crash may leave any subset of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.partiql.reading import Insert, read_statement
from dynamo_es.dynamodb.wire.partiql.statements import execute
from dynamo_es.dynamodb.wire.steps import Request, Together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dynamo_es.dynamodb.wire.steps import Response

KEYS = (("stream_key", "version"), ("log_key", "place"))
"""Names of the key attributes of the tables."""


def requests_of(sent: Request | Together) -> tuple[Request, ...]:
    """Return the requests of a step."""
    return sent.requests if isinstance(sent, Together) else (sent,)


def parts_of(sent: Request | Together) -> list[Request]:
    """Return the parts of a step, each carried out whole or not at all."""
    return [part for request in requests_of(sent) for part in _parts_of_one(request)]


def reply_to(sent: Request | Together, answers: Sequence[Response | Exception]) -> Any:
    """Return what the step is sent, given what came of each of its parts.

    Args:
        sent: the step.
        answers: in the order of the parts; of a part of a batch, never an exception.
    """
    left = iter(answers)
    replies = [_reply_to_one(request, left) for request in requests_of(sent)]
    return replies if isinstance(sent, Together) else replies[0]


def _parts_of_one(request: Request) -> list[Request]:
    if request.operation != "batch_execute_statement":
        return [request]
    return [execute([statement]) for statement in request.params["Statements"]]


def _reply_to_one(request: Request, left: Iterator[Response | Exception]) -> Response | Exception:
    if request.operation != "batch_execute_statement":
        return next(left)
    answers: list[Any] = [next(left) for _ in request.params["Statements"]]
    return {"Responses": [entry for answer in answers for entry in answer["Responses"]]}


def answer_batch(request: Request, write: Callable[[Request], object]) -> Response:
    """Carry out a batch of statements, each by itself, and return DynamoDB's reply.

    Args:
        request: the batch.
        write: carries out a ``put_item`` or an ``update_item``; raises `ConditionRefused`.
    """
    return {"Responses": [_answer(each, write) for each in request.params["Statements"]]}


def _answer(statement: Mapping[str, Any], write: Callable[[Request], object]) -> dict[str, Any]:
    request = write_of(statement)
    try:
        write(request)
    except ConditionRefused as refused:
        if request.operation == "put_item":
            return {"Error": {"Code": "DuplicateItem"}}
        (item,) = refused.items
        shown = {} if item is None else {"Item": item}
        return {"Error": {"Code": "ConditionalCheckFailed", **shown}}
    return {}


def write_of(statement: Mapping[str, Any]) -> Request:
    """Return the ``put_item`` or ``update_item`` that does the same as a statement."""
    read = read_statement(statement["Statement"], statement["Parameters"])
    if isinstance(read, Insert):
        (names,) = (each for each in KEYS if each[0] in read.item)
        condition = f"attribute_not_exists({names[1]})"
        params = {"TableName": read.table, "Item": read.item, "ConditionExpression": condition}
        return Request("put_item", params)
    (names,) = (each for each in KEYS if any(each[0] == name for name, _, _ in read.compared))
    others = [each for each in read.compared if each[0] not in names]
    values = {f":set{number}": value for number, value in enumerate(read.changes.values())}
    values |= {f":if{number}": value for number, (_, _, value) in enumerate(others)}
    update = ", ".join(f"{name} = :set{number}" for number, name in enumerate(read.changes))
    removed = f" REMOVE {', '.join(read.removed)}" if read.removed else ""
    conditions = [f"attribute_exists({names[1]})"]
    conditions += [f"attribute_not_exists({name})" for name in read.missing]
    conditions += [f"{name} {sign} :if{number}" for number, (name, sign, _) in enumerate(others)]
    params = {
        "TableName": read.table,
        "Key": read.key(names),
        "UpdateExpression": f"SET {update}{removed}",
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeValues": values,
    }
    told = "ReturnValuesOnConditionCheckFailure"
    return Request("update_item", params | ({told: statement[told]} if told in statement else {}))
