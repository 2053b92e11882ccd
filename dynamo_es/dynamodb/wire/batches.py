"""Reads many items by their keys, and reads again those that DynamoDB leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import ThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.dynamodb.wire.steps import Item, Request, Steps

MAX_KEYS: Final = 100
"""Most keys of one ``BatchGetItem``."""
_MOST_READS: Final = 10


def fetch_all(
    table: str, keys: Sequence[Item], request: Callable[[Sequence[Item]], Request]
) -> Steps[list[Item]]:
    """Return the items that exist, in no particular order.

    Args:
        table: name of the table.
        keys: keys of the items, each once.
        request: builds the ``BatchGetItem`` for up to 100 keys.

    Raises:
        ThrottledError: DynamoDB left keys out ten times in a row.
    """
    items: list[Item] = []
    for start in range(0, len(keys), MAX_KEYS):
        left = keys[start : start + MAX_KEYS]
        attempt = fruitless = 0
        while left:
            response = yield request(left)
            found = response["Responses"].get(table, [])
            items += found
            left = response.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            if left:
                attempt += 1
                fruitless = 0 if found else fruitless + 1
                yield Pause(attempt, throttled=True)
            if fruitless == _MOST_READS:
                raise ThrottledError(
                    "BatchGetItem",
                    "UnprocessedKeys",
                    f"DynamoDB left out keys {fruitless} times in a row.",
                    table,
                )
    return items
