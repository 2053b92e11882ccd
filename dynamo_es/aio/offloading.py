"""The parts of a backend that do work of more than about two milliseconds in threads."""

from __future__ import annotations

from asyncio import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.aio.greenlets import this_call
from dynamo_es.aio.waiters import new_waiter
from dynamo_es.aio.weights import MOST, are_large
from dynamo_es.dynamodb.storage import DynamoStorage
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown, subject_of
from dynamo_es.dynamodb.wire.gateway import READS, Gateway
from dynamo_es.dynamodb.wire.steps import Pause, Together
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    AppendsFailedError,
    UnavailableError,
)
from dynamo_es.facade.event_store import EventStoreAccess
from dynamo_es.grouping.groups import Groups
from dynamo_es.waiting import elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynamo_es.aio.bridge import Bridge
    from dynamo_es.boundaries.boundary import Boundary
    from dynamo_es.contracts import EnlistedWrite, StreamAppend
    from dynamo_es.contracts.appends import StreamCheck
    from dynamo_es.contracts.boundaries import BoundaryResult, ConditionalAppend
    from dynamo_es.dynamodb.streams.append import Append
    from dynamo_es.dynamodb.wire.gateway import Asked
    from dynamo_es.dynamodb.wire.steps import Request, Response, Steps, T
    from dynamo_es.event_store.serde import Serde
    from dynamo_es.values import StoredVersion, StreamId, TenantId

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
    code, why = _why()
    if isinstance(asked, Pause):
        return UnavailableError("Pause", code, f"{why}.", "")
    error = UnavailableError(asked.api_name, code, f"{why}.", subject_of(asked, stream_id))
    return error if asked.operation in READS else OutcomeUnknown(error)


def _why() -> tuple[str, str]:
    """Return the reason why a call ends: a code, and a clause for messages."""
    call = this_call()
    if call is not None and call.bridge.is_closed:
        return "Closed", "the asynchronous backend was closed"
    return "Cancelled", "the task was cancelled"


class AsyncDynamoStorage(DynamoStorage):
    """A `DynamoStorage` for calls of tasks."""

    def insert_many(self, appends: Sequence[StreamAppend]) -> list[StoredVersion | None]:
        """Append to many streams, each on its own; see `StorageStrategy.insert_many`."""
        # The appends are not checked yet; wrong ones are refused later.
        note_size(e for one in _seen(appends) for e in _seen(getattr(one, "events", ())))
        return super().insert_many(appends)

    def append(
        self,
        appends: Sequence[StreamAppend],
        writes: Sequence[EnlistedWrite],
        unchanged: Sequence[StreamCheck] = (),
    ) -> list[StoredVersion | None]:
        """Append to one stream or several unchecked; see `DynamoStorage.append`."""
        note_size(event for append in appends for event in append.events)
        return super().append(appends, writes, unchanged)

    def insert_unless(
        self, stream_id: StreamId, appends: Sequence[ConditionalAppend]
    ) -> list[BoundaryResult]:
        """Append under conditions; see `BoundaryStrategy.insert_unless`."""
        note_size(e for one in _seen(appends) for e in _seen(getattr(one, "events", ())))
        return super().insert_unless(stream_id, appends)

    def _announce(self, stored: Sequence[Append]) -> None:
        try:
            super()._announce(stored)
        except CancelledError as error:
            if error.__cause__ is None and stored:
                error.__cause__ = AppendOutcomeUnknownError(
                    stored[0].stream.id,
                    stored[0].expected,
                    f"the events are stored, and {_why()[1]} before the append returned.",
                )
            raise


def _seen(values: Any) -> Any:
    return values if isinstance(values, list | tuple) else ()


def note_size(events: Iterable[Any]) -> None:
    """Let threads work on the events of the running call from now on, if they are large."""
    call = this_call()
    if call is not None and call.is_large is None:
        call.is_large = are_large(events)


def typed_over(bridge: Bridge) -> type[EventStoreAccess]:
    """Return the class that makes event stores and boundaries for calls of a bridge."""

    class AsyncEventStoreAccess(EventStoreAccess):
        """Makes event stores that check, encode and decode large events in threads."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            named.setdefault("groups", Groups(new_waiter=partial(new_waiter, bridge)))
            super().__init__(*arguments, **named)

        def serde(self, tenant_id: TenantId) -> Serde:
            """Return the serde of a tenant's events."""
            from dynamo_es.aio.serde import AsyncSerde

            return AsyncSerde(self.registry, self.encryption(tenant_id))

        def boundary(self, *arguments: Any, **named: Any) -> Boundary:
            """Return a boundary in a tenant's storage."""
            made = super().boundary(*arguments, **named)
            made._sleep = bridge.sleep  # noqa: SLF001 - as its constructor takes it
            return made

    return AsyncEventStoreAccess
