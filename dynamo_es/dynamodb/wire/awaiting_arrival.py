"""Waits in a replica region for items that have not arrived yet.

A global table replicates each item separately. An item may arrive before items that were written
earlier, or before others of the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import ReplicaLagError, ThrottledError

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Steps

_FIRST_WAIT: Final = 5
"""Added to the tries, so that the first wait takes up to 32 ms. Most items arrive within 1 s."""


def await_arrival(tries: int, operation: str, missing: str, subject: str = "") -> Steps[None]:
    """Wait before reading again for an item that has not arrived.

    Args:
        tries: reads so far, 1 or more.
        operation: the API operation that reads, such as ``Query``.
        missing: a description of the missing item, for the message.
        subject: the stream or the table, for the message.

    Raises:
        ReplicaLagError: the deadline of the operation has passed.
    """
    try:
        yield Pause(tries + _FIRST_WAIT, throttled=True)
    except ThrottledError as late:
        raise ReplicaLagError(operation, missing, late.subject or subject) from None
