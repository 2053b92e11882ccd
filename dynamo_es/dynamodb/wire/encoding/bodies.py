"""The operations of DynamoDB's API that the store uses for items, and the bodies of its requests.

The parameters of a request are already JSON, except for binary values and sets.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATIONS: Final[Mapping[str, str]] = {
    "batch_execute_statement": "BatchExecuteStatement",
    "batch_get_item": "BatchGetItem",
    "batch_write_item": "BatchWriteItem",
    "delete_item": "DeleteItem",
    "get_item": "GetItem",
    "put_item": "PutItem",
    "query": "Query",
    "scan": "Scan",
    "transact_get_items": "TransactGetItems",
    "transact_write_items": "TransactWriteItems",
    "update_item": "UpdateItem",
}
"""The API operations, by the name of a client's method."""


def body_of(params: Mapping[str, Any]) -> bytes:
    """Return the body of a request, byte for byte as botocore makes it.

    Raises:
        TypeError: a value that a request cannot hold.
    """
    return _encode(params).encode()


def _as_json(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return b64encode(value).decode("ascii")
    if isinstance(value, set | frozenset):
        return list(value)
    raise TypeError(f"A request cannot hold a value of {type(value).__name__}.")


_encode: Final = json.JSONEncoder(default=_as_json).encode
