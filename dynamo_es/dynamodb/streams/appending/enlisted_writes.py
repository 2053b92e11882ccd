"""``transact_with``: checks the writes to the caller's tables in an append's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.streams.requests import get_item
from dynamo_es.dynamodb.wire.encoding.wire_values import NotWireError, check_attributes
from dynamo_es.dynamodb.wire.sizes import MAX_TRANSACTION_ITEMS
from dynamo_es.exceptions import (
    EnlistedTableNotFoundError,
    InvalidEnlistedWriteError,
    TableNotFoundError,
)

if TYPE_CHECKING:
    from dynamo_es.contracts import EnlistedWrite
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps, T

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "Put": ("TableName", "Item"),
    "Update": ("TableName", "Key", "UpdateExpression"),
    "Delete": ("TableName", "Key"),
    "ConditionCheck": ("TableName", "Key", "ConditionExpression"),
}
_OPTIONAL: Final = (
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
)
_ATTRIBUTES: Final = frozenset({"Item", "Key", "ExpressionAttributeValues"})
_TEXTS: Final = frozenset({"TableName", "UpdateExpression", "ConditionExpression"})
_RETURNED: Final = ("ALL_OLD", "NONE")

MOST_WRITES: Final = MAX_TRANSACTION_ITEMS - 1
"""The most enlisted writes. A transaction takes 100 items, and the commit is one of them."""


def check_enlisted(writes: Sequence[EnlistedWrite], own_tables: Collection[str]) -> None:
    """Raise `InvalidEnlistedWriteError` unless an append can carry the writes.

    Args:
        writes: the writes to check.
        own_tables: names of the store's tables, which the writes may not change.
    """
    if not isinstance(writes, Sequence) or isinstance(writes, str | bytes):
        raise InvalidEnlistedWriteError(
            f"transact_with must be a list of writes, not {type(writes).__name__}: "
            '[{"Put": {"TableName": …, "Item": …}}].'
        )
    if len(writes) > MOST_WRITES:
        raise InvalidEnlistedWriteError(
            f"transact_with takes at most {MOST_WRITES} writes, not {len(writes)}: let a "
            "projection make the others."
        )
    for index, write in enumerate(writes):
        if not isinstance(write, dict) or len(write) != 1 or next(iter(write)) not in _REQUIRED:
            raise InvalidEnlistedWriteError(
                f"The enlisted write {index} must be one of {', '.join(_REQUIRED)}, such as "
                f'{{"Put": {{"TableName": …, "Item": …}}}}, not {_shape(write)}.'
            )
        ((kind, params),) = write.items()
        try:
            _check_params(kind, params, own_tables)
        except NotWireError as error:
            raise InvalidEnlistedWriteError(
                f"The enlisted write {index}, a {kind}, {error}"
            ) from None


def _check_params(kind: str, params: Any, own_tables: Collection[str]) -> None:
    if not isinstance(params, dict):
        raise NotWireError(f"must be a dict of its parameters, not {type(params).__name__}.")
    table = params.get("TableName")
    if not isinstance(table, str) or not table:
        raise NotWireError("names no table: give its TableName.")
    # A table may be given by its name, or by its ARN, which ends with the name.
    if table.rpartition("/")[2] in own_tables:
        raise NotWireError(
            f"goes to {table}, which is a table of the store: write only to your own tables."
        )
    for name in _REQUIRED[kind]:
        if name not in params:
            raise NotWireError(f"lacks its {name}.")
    for name, value in params.items():
        if name not in _REQUIRED[kind] and name not in _OPTIONAL:
            raise NotWireError(f"does not take {name!r}.")
        _check_param(name, value)


def _check_param(name: str, value: Any) -> None:
    if name in _ATTRIBUTES:
        check_attributes(name, value)
    elif name in _TEXTS:
        if not isinstance(value, str) or not value.strip():
            raise NotWireError(f"has a {name} that is not text, or is empty.")
    elif name == "ExpressionAttributeNames":
        if not isinstance(value, dict) or not value or not all(map(_is_name, value.items())):
            raise NotWireError(f'has wrong {name}: write {{"#total": "total"}}.')
    elif value not in _RETURNED:
        raise NotWireError(f"has {name} {value!r:.40}: use {' or '.join(_RETURNED)}.")


def _is_name(entry: tuple[object, object]) -> bool:
    placeholder, name = entry
    return (
        isinstance(placeholder, str)
        and placeholder.startswith("#")
        and isinstance(name, str)
        and bool(name)
    )


def _shape(write: object) -> str:
    """Describe a write without its values, which may be personal data."""
    if isinstance(write, dict):
        return "a dict with " + (", ".join(f"{key!r:.40}" for key in list(write)[:5]) or "nothing")
    return f"a {type(write).__name__}"


def naming_missing_table(
    steps: Steps[T], stream: Stream, enlisted: Sequence[EnlistedWrite]
) -> Steps[T]:
    """Run an append. If a table is missing, find out whether it is one of the caller's.

    DynamoDB does not say which table of a transaction is missing. If the events table exists, one
    of the others is missing.

    Raises:
        EnlistedTableNotFoundError: a table of an enlisted write is missing.
    """
    try:
        return (yield from steps)
    except TableNotFoundError as missing:
        # Raises the same error if the events table is missing.
        yield get_item(stream.table, stream.key, 1)
        tables = dict.fromkeys(
            params["TableName"] for write in enlisted for params in write.values()
        )
        raise EnlistedTableNotFoundError(
            missing.operation, missing.code, tuple(tables), missing.subject
        ) from missing
