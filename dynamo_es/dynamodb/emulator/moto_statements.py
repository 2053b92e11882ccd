"""Answers ``BatchExecuteStatement`` as DynamoDB does, with moto's own writes of single items."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.exceptions import MockValidationException, ResourceNotFoundException

from dynamo_es.dynamodb.wire.partiql.reading import (
    Insert,
    InvalidStatementError,
    UnknownStatementError,
    Update,
    read_statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.table import Table

_MOST: Final = 25
_REFUSED: Final = "ConditionalCheckFailed"
_CODES: Final = {"ValidationException": "ValidationError"}
"""Error codes that are different for statements and requests."""


def execute_batch(
    backend: DynamoDBBackend,
    statements: Sequence[dict[str, Any]],
    write: Callable[[str, dict[str, Any]], None],
) -> list[dict[str, Any]]:
    """Carry out statements, each independently, and return the reply's entry for each.

    Args:
        backend: the backend that has the tables.
        statements: the statements of the request.
        write: carries out a request that writes one item; takes the operation and its parameters.

    Raises:
        MockValidationException: the whole batch is refused.
    """
    if not 1 <= len(statements) <= _MOST:
        raise MockValidationException(
            f"1 validation error detected: {len(statements)} statements at 'statements' failed to "
            f"satisfy constraint: Member must have length between 1 and {_MOST}"
        )
    kinds = {str(statement["Statement"]).strip()[:6].upper() for statement in statements}
    if "SELECT" in kinds and len(kinds) > 1:
        raise MockValidationException(
            "Read and write requests together in the same batch is not supported."
        )
    read = [_read(statement) for statement in statements]
    keys = [key for each in read if (key := _key_of(backend, each)) is not None]
    if len(set(keys)) < len(keys):
        raise MockValidationException("Provided list of item keys contains duplicates")
    return [
        _carry_out(backend, each, statement, write)
        for each, statement in zip(read, statements, strict=True)
    ]


def _read(statement: dict[str, Any]) -> Insert | Update | InvalidStatementError:
    try:
        return read_statement(statement["Statement"], statement.get("Parameters", ()))
    except InvalidStatementError as error:
        return error
    except UnknownStatementError as error:
        # DynamoDB would not refuse this. Fail the whole request, so that nobody mistakes the error
        # for a reply of DynamoDB.
        raise MockValidationException(str(error)) from None


def _key_of(
    backend: DynamoDBBackend, statement: Insert | Update | InvalidStatementError
) -> str | None:
    if isinstance(statement, InvalidStatementError):
        return None
    try:
        names = backend.get_table(statement.table).table_key_attrs
        key = statement.item if isinstance(statement, Insert) else statement.key(names)
        return repr([statement.table, *(key[name] for name in names)])
    except (ResourceNotFoundException, InvalidStatementError, KeyError):
        return None  # only this statement is refused


def _carry_out(
    backend: DynamoDBBackend,
    statement: Insert | Update | InvalidStatementError,
    entry: dict[str, Any],
    write: Callable[[str, dict[str, Any]], None],
) -> dict[str, Any]:
    if isinstance(statement, InvalidStatementError):
        return {"Error": {"Code": "ValidationError", "Message": str(statement)}}
    try:
        table = backend.get_table(statement.table)
        if isinstance(statement, Insert):
            _check_keys(table, statement)
            request: dict[str, Any] = {
                "TableName": statement.table,
                "Item": statement.item,
                "ConditionExpression": "attribute_not_exists(#key)",
                "ExpressionAttributeNames": {"#key": table.table_key_attrs[0]},
            }
            write("put_item", request)
        else:
            _update(backend, statement.request(table.table_key_attrs), entry)
    except InvalidStatementError as error:
        return {"Error": {"Code": "ValidationError", "Message": str(error)}}
    except JsonRESTError as error:
        return _refusal(statement, error)
    return {"TableName": statement.table}


def _update(backend: DynamoDBBackend, request: dict[str, Any], entry: dict[str, Any]) -> None:
    # Not with moto's handler, which would check the request again, and copy the item.
    backend.update_item(
        request["TableName"],
        request["Key"],
        update_expression=request["UpdateExpression"],
        expression_attribute_names=request["ExpressionAttributeNames"],
        expression_attribute_values=request.get("ExpressionAttributeValues", {}),
        condition_expression=request["ConditionExpression"],
        return_values_on_condition_check_failure=entry.get("ReturnValuesOnConditionCheckFailure"),
    )


def _check_keys(table: Table, statement: Insert) -> None:
    kinds = {entry["AttributeName"]: entry["AttributeType"] for entry in table.attr}
    for name in table.table_key_attrs:
        if name not in statement.item:
            raise InvalidStatementError(
                f"One or more parameter values were invalid: Missing the key {name} in the item"
            )
        if kinds[name] not in statement.item[name]:
            raise InvalidStatementError(
                "Key attribute's data type should match its data type in table's schema: "
                f"Key {name}"
            )


def _refusal(statement: Insert | Update, error: JsonRESTError) -> dict[str, Any]:
    name = error.relative_error_type
    code = _CODES.get(name, name.removesuffix("Exception"))
    refusal = {"Code": code, "Message": str(error.message)}
    if code == _REFUSED and isinstance(statement, Insert):
        refusal = {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"}
    elif item := json.loads(error.description).get("Item"):
        refusal["Item"] = item
    return {"Error": refusal, "TableName": statement.table}
