"""Decides whether a call gets another attempt, by the rules of botocore's standard mode.

botocore registers its rules as handlers of a client's events. So `LeanRetries` gives them events,
and those parts of a client and its models that they read.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.wire.lean.connections import Reply

_FIRST_ERROR: Final = 300

RETRIED_BY_MODEL: Final = SimpleNamespace(
    name="ReplicatedWriteConflictException", metadata={"retryable": {"throttling": False}}
)
"""The only error that botocore retries because a model says so: the models of `WRITES`."""

WRITES: Final = frozenset({"BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"})
"""The operations whose models have `RETRIED_BY_MODEL`."""

SERVICE: Final = SimpleNamespace(
    service_name="dynamodb", service_id=SimpleNamespace(hyphenize=lambda: "dynamodb")
)


class _Model(NamedTuple):
    """The parts of botocore's model of an operation that the rules of retries read."""

    name: str
    error_shapes: tuple[Any, ...]
    output_shape: object = True
    service_model: Any = SERVICE


class Call:
    """One call of an operation, over all its attempts.

    Attributes:
        attempt: number of the current attempt, 1-based.
        context: state that botocore's rules of retries keep about the call.
    """

    __slots__ = ("attempt", "body", "context", "id", "model", "operation")

    def __init__(self, operation: str, body: bytes) -> None:
        self.operation = operation
        self.body = body
        self.attempt = 0
        self.id = str(uuid4())
        self.context: dict[str, Any] = {}
        self.model = _Model(operation, (RETRIED_BY_MODEL,) if operation in WRITES else ())


class LeanRetries:
    """Decides whether a call gets another attempt: by the client's hooks, then botocore's rules.

    Args:
        events: events of the client. Its ``needs-retry`` hooks come first, as in botocore.
        max_attempts: the most attempts of a call.
    """

    def __init__(self, events: Events, max_attempts: int) -> None:
        self._events = events
        self._of_botocore = Events()
        self._most = max_attempts

    def delay(
        self,
        call: Call,
        endpoint: Any,
        reply: Reply | None,
        members: dict[str, Any],
        failure: Exception | None,
    ) -> float | None:
        """Return the seconds until the next attempt; None: the call is over."""
        told = {
            "response": None if reply is None else (reply, members),
            "caught_exception": failure,
            "operation": call.model,
            "endpoint": endpoint,
            "attempts": call.attempt,
            "request_dict": {"context": call.context},
        }
        self._events.emit("needs-retry.dynamodb", **told)
        succeeded = reply is not None and reply.status_code < _FIRST_ERROR
        if not succeeded:
            self._load()
        # After a success, the rules only return to the quota what failures took from it.
        self._of_botocore.emit("after-call.dynamodb", context=call.context, http_response=reply)
        return None if succeeded else self._of_botocore.emit("needs-retry.dynamodb", **told)

    def _load(self) -> None:
        if self._of_botocore.handlers:
            return
        from botocore.retries.standard import register_retry_handler

        events = Events()
        client: Any = SimpleNamespace(meta=SimpleNamespace(events=events, service_model=SERVICE))
        register_retry_handler(client, self._most)
        self._of_botocore = events


class Events:
    """The part of botocore's events that this library's hooks and botocore's retries use."""

    def __init__(self) -> None:
        self.handlers: dict[str, dict[object, Callable[..., Any]]] = {}

    def register(
        self, event: str, handler: Callable[..., Any], unique_id: str | None = None
    ) -> None:
        """Call the handler at each event with this name. An id is registered only once."""
        self.handlers.setdefault(event, {}).setdefault(unique_id or handler, handler)

    register_first = register

    def emit(self, event: str, **told: Any) -> Any:
        """Call the handlers of an event, and return the first answer that is not None."""
        handlers = self.handlers.get(event)
        if not handlers:
            return None
        answers = [handler(**told) for handler in list(handlers.values())]
        return next((answer for answer in answers if answer is not None), None)
