"""Finds out whether a cancelled or timed out call has left an append unknown."""

from __future__ import annotations

from typing import Final

from dynamo_es.exceptions import AppendOutcomeUnknownError, AppendsFailedError

_DEPTH: Final = 100


def unknown_outcome(
    error: BaseException | None,
) -> AppendOutcomeUnknownError | AppendsFailedError | None:
    """Return why the outcome of a cancelled call is unknown; None if nothing was written.

    ``except TimeoutError as error: if unknown_outcome(error): …`` An append that is cancelled while
    its request is under way may be stored. Append the same wrapped events again to find out.

    Args:
        error: a ``CancelledError``, a ``TimeoutError`` of ``asyncio.timeout``, or any other error.
    """
    for _ in range(_DEPTH):
        if error is None or isinstance(error, AppendOutcomeUnknownError | AppendsFailedError):
            return error
        error = error.__cause__ or error.__context__
    return None
