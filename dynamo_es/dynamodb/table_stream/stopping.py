"""Ending an algorithm between two of its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.wire.steps import Response, Steps, T


class StoppedError(Exception):
    """An algorithm was ended before its end."""


def until(stopped: Callable[[], bool], steps: Steps[T]) -> Steps[T]:
    """Run an algorithm that may die at any request, until it ends or is stopped.

    Args:
        stopped: asked before each request.
        steps: the algorithm.

    Raises:
        StoppedError: it was stopped: the request in hand was not sent.
    """
    reply: Response | Exception | None = None
    while True:
        try:
            if isinstance(reply, Exception):
                request = steps.throw(reply)
            else:
                request = next(steps) if reply is None else steps.send(reply)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if stopped():
            steps.close()
            raise StoppedError
        try:
            reply = yield request
        except Exception as error:  # noqa: BLE001 - the algorithm decides
            reply = error
