"""Waits in a replica region for items that have not arrived yet.

A global table replicates each item by itself. An item may arrive before those that were written
before it, also if a transaction wrote them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import ReplicaLagError, ThrottledError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Steps

_FIRST_WAIT: Final = 5
"""Added to the tries, so that the first wait takes up to 32 ms. Most items arrive in a second."""


def await_arrival(tries: int, operation: str, missing: str, subject: str = "") -> Steps[None]:
    """Wait before the next look for an item.

    Args:
        tries: looks so far, 1 or more.
        operation: the API operation that looks, such as ``Query``.
        missing: what has not arrived, for the message.
        subject: the stream or the table, for the message.

    Raises:
        ReplicaLagError: the deadline of the operation has passed.
    """
    try:
        yield Pause(tries + _FIRST_WAIT, throttled=True)
    except ThrottledError as late:
        raise ReplicaLagError(operation, missing, late.subject or subject) from None
