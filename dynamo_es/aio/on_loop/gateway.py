"""Runs the algorithms on DynamoDB in calls of tasks. Threads do the work on large commits."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aio.bridges.greenlet_bridge import this_call
from dynamo_es.aio.on_loop.large_events import MOST
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown, subject_of
from dynamo_es.dynamodb.wire.gateway import READS, Gateway
from dynamo_es.dynamodb.wire.steps import Pause, Together
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    AppendsFailedError,
    UnavailableError,
)
from dynamo_es.waiting import elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.wire.gateway import Asked
    from dynamo_es.dynamodb.wire.steps import Request, Response, Steps, T
    from dynamo_es.values import StreamId

_MOST_ANSWERS: Final = 100
"""Most requests that are answered with an error after the task of an algorithm was cancelled."""


class AsyncGateway(Gateway):
    """Runs the library's algorithms in a call for a task; see `Gateway`.

    Large commits are encoded and decoded in threads. If the task is cancelled, the algorithm gets
    errors as after lost replies, and says whether an outcome is unknown.
    """

    def _advance(self, send: Callable[[Any], Asked], response: Any) -> Asked:
        call = this_call()
        if call is None or not (call.is_large or _is_large(response)):
            return send(response)
        found = elsewhere(lambda: _sent(send, response))
        if isinstance(found, StopIteration):
            raise found
        return found

    def _drive(self, steps: Steps[T], stream_id: StreamId | None, tally: Any) -> T:
        try:
            return super()._drive(steps, stream_id, tally)
        except CancelledError as error:
            if error.__cause__ is None:
                error.__cause__ = _left_unknown(steps, vars(error).pop("asked", None), stream_id)
            raise

    def _carry_out(self, request: Request | Pause, *rest: Any) -> Response:
        try:
            return super()._carry_out(request, *rest)
        except CancelledError as error:
            error.asked = request  # type: ignore[attr-defined]
            raise

    def _carry_out_together(self, requests: Together, *rest: Any) -> Any:
        try:
            return super()._carry_out_together(requests, *rest)
        except CancelledError as error:
            error.asked = requests  # type: ignore[attr-defined]
            raise


def _is_large(response: Any) -> bool:
    if isinstance(response, list):
        return any(map(_is_large, response))
    if not isinstance(response, dict):
        return False
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return int(headers.get("content-length", 0)) > MOST


def _sent(send: Callable[[Any], Asked], response: Any) -> Asked | StopIteration:
    try:
        return send(response)
    except StopIteration as end:  # a future cannot have this exception
        return end


def _left_unknown(
    steps: Steps[Any], asked: Asked | None, stream_id: StreamId | None
) -> BaseException | None:
    """Refuse all further requests of an algorithm; return its error if an outcome is unknown.

    For any other end, return None.
    """
    for _ in range(_MOST_ANSWERS):
        if asked is None:
            break
        try:
            if isinstance(asked, Together):
                asked = steps.send([_cut_off(one, stream_id) for one in asked.requests])  # type: ignore[arg-type]
            else:
                asked = steps.throw(_cut_off(asked, stream_id))
        except (AppendOutcomeUnknownError, AppendsFailedError) as unknown:
            return unknown
        except StopIteration as end:
            # Conditional appends return the error of each append instead of raising.
            results = end.value if isinstance(end.value, list) else []
            return next(
                (one for one in results if isinstance(one, AppendOutcomeUnknownError)), None
            )
        except BaseException:  # noqa: BLE001 - nothing was written, or nothing that matters
            return None
    steps.close()
    return None


def _cut_off(asked: Request | Pause, stream_id: StreamId | None) -> Exception:
    """Return the error for a request whose task was cancelled."""
    code, why = why_call_ends()
    if isinstance(asked, Pause):
        return UnavailableError("Pause", code, f"{why}.", "")
    error = UnavailableError(asked.api_name, code, f"{why}.", subject_of(asked, stream_id))
    return error if asked.operation in READS else OutcomeUnknown(error)


def why_call_ends() -> tuple[str, str]:
    """Return the reason why a call ends: a code, and a clause for messages."""
    call = this_call()
    if call is not None and call.bridge.is_closed:
        return "Closed", "the asynchronous backend was closed"
    return "Cancelled", "the task was cancelled"
