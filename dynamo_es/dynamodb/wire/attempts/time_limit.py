"""Limits the time that requests may take in a call of a Lambda function.

Without a limit, a request to a service that does not answer uses all its attempts and time-outs,
which takes longer than many functions may run. A function that is killed reports nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import Timeout

_SHORTEST: Final = 0.05
"""The shortest time-out, in seconds, so that a request that begins late may still succeed."""

_FIRST_ERROR: Final = 300

_left: ContextVar[Callable[[], float] | None] = ContextVar("dynamo_es_seconds_left", default=None)


@contextmanager
def limited(left: Callable[[], float] | None) -> Iterator[None]:
    """Limit the requests of this thread, and of threads that it starts, within the context.

    Args:
        left: returns the number of seconds that are left for requests; None: no limit.
    """
    before = _left.set(left)
    try:
        yield
    finally:
        _left.reset(before)


def seconds_left() -> float | None:
    """Return the number of seconds that are left for requests; None: no limit."""
    left = _left.get()
    return None if left is None else left()


def time_out(connect: float, read: float) -> dict[str, Timeout]:
    """Return urllib3's keyword argument for a request's time-outs; empty if they need no change.

    Args:
        connect: seconds that a connection may take, without a limit.
        read: seconds that a reply may take, without a limit.
    """
    left = seconds_left()
    if left is None or left >= connect + read:
        return {}
    from urllib3 import Timeout

    total = max(left, _SHORTEST)
    return {"timeout": Timeout(total=total, connect=min(connect, total), read=min(read, total))}


def shorten(request: Any, connect: float, read: float, share: float = 1.0) -> None:
    """Limit the time for the reply to a request that botocore sends.

    With a release of botocore that has no time-outs for single requests, this has no effect; such a
    release only makes fewer attempts.

    Args:
        request: botocore's request.
        connect: seconds that a connection may take, without a limit.
        read: seconds that a reply may take, without a limit.
        share: fraction of the remaining time that the request may take.
    """
    left = seconds_left()
    if left is None or left * share >= connect + read:
        return
    context = getattr(request, "context", None)
    if context is not None:
        context["read_timeout"] = min(read, max(left * share, _SHORTEST))


def end_in_time(
    attempt: int,
    response: tuple[Any, dict[str, Any]] | None,
    failure: BaseException | None,
    operation: str,
) -> None:
    """Raise the failure of an attempt if the wait for the next one could end after the limit.

    Args:
        attempt: number of the attempt, 1-based.
        response: the reply and its members; None: there is none.
        failure: the exception of the attempt; None: a reply came.
        operation: name of the API operation.

    Raises:
        BaseException: the failure; for a reply that is an error, a `ClientError`.
    """
    left = seconds_left()
    # botocore waits up to 1 s after the first attempt, and each time twice as long.
    if left is None or left > 2 ** (attempt - 1):
        return
    if failure is not None:
        raise failure
    if response is not None and response[0].status_code >= _FIRST_ERROR:
        from botocore.exceptions import ClientError

        raise ClientError(response[1], operation)  # type: ignore[arg-type]


def keep_in_time(client: Any) -> None:
    """Make a boto3 client of another service respect the limit, with time to spare.

    Its requests may take half of the remaining time, so that their outcome can still be stored.
    """
    config = client.meta.config

    def send(request: Any, **_: Any) -> None:
        shorten(request, config.connect_timeout, config.read_timeout, 0.5)

    def note(
        response: Any = None,
        caught_exception: BaseException | None = None,
        operation: Any = None,
        attempts: int = 1,
        **_: Any,
    ) -> None:
        end_in_time(attempts + 1, response, caught_exception, operation.name)

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(f"before-send.{service}", send)
    client.meta.events.register_first(f"needs-retry.{service}", note)
