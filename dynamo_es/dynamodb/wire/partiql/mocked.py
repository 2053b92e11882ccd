"""Carries out statements one by one under moto's ``mock_aws``.

moto does not support parameters in statements. So under ``mock_aws`` each statement of a batch
becomes an equivalent ``PutItem`` or ``UpdateItem``, and their replies are combined into one.
DynamoDB, `DynamoBackend.local` and other local engines get the batch itself.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from dynamo_es.dynamodb.wire.partiql.reading import Insert, InvalidStatementError, read_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.dynamodb.wire.steps import Response

_REFUSED: Final = "ConditionalCheckFailedException"
_TOLD: Final = "ReturnValuesOnConditionCheckFailure"


def is_mocked() -> bool:
    """Return whether moto's ``mock_aws`` answers this process's clients now."""
    models = sys.modules.get("moto.core.models")
    return models is not None and bool(models.botocore_stubber.enabled)


def executing(client: Any, keys: Mapping[str, tuple[str, str]]) -> Callable[..., Response]:
    """Return the client's ``batch_execute_statement``, which also works under ``mock_aws``.

    Args:
        client: a boto3 client.
        keys: the names of the key attributes of each table.
    """

    def batch_execute_statement(**params: Any) -> Response:
        if not is_mocked():
            response: Response = client.batch_execute_statement(**params)
            return response
        statements = params.pop("Statements")
        entries = [_carry_out(client, keys, statement, params) for statement in statements]
        units = [entry.pop("ConsumedCapacity") for entry in entries if "ConsumedCapacity" in entry]
        reply: Response = {"Responses": entries}
        return reply | ({"ConsumedCapacity": units} if units else {})

    return batch_execute_statement


def _carry_out(
    client: Any,
    keys: Mapping[str, tuple[str, str]],
    statement: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Carry out a statement; return the reply that DynamoDB would give."""
    read = read_statement(statement["Statement"], statement["Parameters"])
    told = {_TOLD: statement[_TOLD]} if _TOLD in statement else {}
    try:
        if isinstance(read, Insert):
            put = {"TableName": read.table, "Item": read.item}
            condition = f"attribute_not_exists({keys[read.table][1]})"
            written = client.put_item(**put, ConditionExpression=condition, **options)
        else:
            written = client.update_item(**read.request(keys[read.table]), **told, **options)
    except ClientError as error:
        return {
            "TableName": read.table,
            "Error": _refusal(error, is_insert=isinstance(read, Insert)),
        }
    except InvalidStatementError as error:
        return {"Error": {"Code": "ValidationError", "Message": str(error)}}
    capacity = {name: written[name] for name in ("ConsumedCapacity",) if name in written}
    return {"TableName": read.table, **capacity}


def _refusal(error: ClientError, *, is_insert: bool) -> dict[str, Any]:
    response: Mapping[str, Any] = error.response
    code, message = response["Error"]["Code"], response["Error"].get("Message", "")
    if code == _REFUSED and is_insert:
        return {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"}
    item = {name: response[name] for name in ("Item",) if name in response}
    if code == "ValidationException":
        code = "ValidationError"
    return {"Code": code.removesuffix("Exception"), "Message": message, **item}
