"""Writes to the caller's own tables that go along with an append: checked before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.sizes import MAX_TRANSACTION_ITEMS
from dynamo_es.exceptions import InvalidEnlistedWriteError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dynamo_es.contracts import EnlistedWrite

_KINDS: Final = ("Put", "Update", "Delete", "ConditionCheck")
MOST_WRITES: Final = MAX_TRANSACTION_ITEMS - 1
"""The commit is one of the items that a transaction takes."""


def check_enlisted(writes: Sequence[EnlistedWrite], own_tables: Collection[str]) -> None:
    """Raise `InvalidEnlistedWriteError` unless the writes can go along with an append.

    Args:
        writes: as given.
        own_tables: names of the store's own tables, which its own requests alone may write to.
    """
    if len(writes) > MOST_WRITES:
        raise InvalidEnlistedWriteError(
            f"{len(writes)} writes cannot go along with an append: at most {MOST_WRITES} can. "
            "Let a projection do the rest."
        )
    for index, write in enumerate(writes):
        if not isinstance(write, dict) or len(write) != 1 or next(iter(write)) not in _KINDS:
            raise InvalidEnlistedWriteError(
                f"The enlisted write {index} must be one of {', '.join(_KINDS)}, as in "
                f'{{"Put": {{"TableName": …, "Item": …}}}}; it is {write!r:.200}.'
            )
        ((kind, params),) = write.items()
        table = params.get("TableName") if isinstance(params, dict) else None
        if not isinstance(table, str) or not table:
            raise InvalidEnlistedWriteError(
                f"The enlisted write {index}, a {kind}, names no table: give its TableName."
            )
        # By its name, or by the ARN that ends with it.
        if table.rpartition("/")[2] in own_tables:
            raise InvalidEnlistedWriteError(
                f"The enlisted write {index}, a {kind}, goes to {table}, a table of the store "
                "itself: only tables of your own can be written to."
            )
