"""Finds out whether the outcome of an append is unknown after a cancellation or time-out."""

from __future__ import annotations

from typing import Final

from dynamo_es.exceptions import AppendOutcomeUnknownError, AppendsFailedError

_DEPTH: Final = 100


def unknown_outcome(
    error: BaseException | None,
) -> AppendOutcomeUnknownError | AppendsFailedError | None:
    """Return the error that says that a cancelled append may be stored; None if it is not.

    ``except TimeoutError as error: if unknown_outcome(error): …`` An append that is cancelled after
    its request was sent may be stored. To find out, append the same wrapped events again.

    Args:
        error: a ``CancelledError``, a ``TimeoutError`` of ``asyncio.timeout``, or any other error.
    """
    for _ in range(_DEPTH):
        if error is None or isinstance(error, AppendOutcomeUnknownError | AppendsFailedError):
            return error
        error = error.__cause__ or error.__context__
    return None
