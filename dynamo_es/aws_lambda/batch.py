"""Parts of every batch handler: the deadline, and the reply that names unhandled records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import Event
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, TypeAlias

from dynamo_es.contracts.checks.arguments import seconds_of
from dynamo_es.dynamodb.wire.attempts.time_limit import limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    BatchEvent: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]
    """A batch as Lambda delivers it, or the bare list that a pipe delivers."""

_LONGEST_MARGIN: Final = 5.0
_SHARE: Final = 0.2


class LambdaContext(Protocol):
    """The part of Lambda's context that handlers use."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that the function may still run."""


class ReadModelHandler(ABC):
    """A Lambda handler of one read model.

    Attributes:
        table: the table whose stream the handler reads.
    """

    table: ClassVar[Literal["events", "log"]]

    @property
    @abstractmethod
    def name(self) -> str:
        """The read model's name. Its cursors or its checkpoint are stored under it."""

    @abstractmethod
    def __call__(self, event: BatchEvent, context: LambdaContext | None = None) -> dict[str, Any]:
        """Apply a batch, or do what a schedule's event asks for; return the unhandled records."""


class Deadline(Event):
    """An event that is set when a function must stop to have time for its reply.

    Args:
        context: Lambda's context; None: the deadline is never set.
        margin: time to leave for the current event and the reply, a timedelta or seconds; None: a
            fifth of the remaining time, at most 5 s.

    Raises:
        InvalidSubscriptionError: a margin below 0.
    """

    def __init__(
        self, context: LambdaContext | None, margin: timedelta | float | None = None
    ) -> None:
        super().__init__()
        self._context = context
        margin_s = margin_of(margin)
        if margin_s is None and context is not None:
            margin_s = min(_LONGEST_MARGIN, _SHARE * context.get_remaining_time_in_millis() / 1000)
        self._margin_ms = (margin_s or 0.0) * 1000

    def is_set(self) -> bool:
        """Return whether it is time to stop."""
        if super().is_set():
            return True
        if self._context is None:
            return False
        return self._context.get_remaining_time_in_millis() <= self._margin_ms

    def limiting(self) -> AbstractContextManager[None]:
        """Abort requests early enough for the reply, even if a service does not answer."""
        context = self._context
        if context is None:
            return limited(None)
        # The rest of the margin is for the reply.
        kept_ms = self._margin_ms / 4
        return limited(lambda: (context.get_remaining_time_in_millis() - kept_ms) / 1000)


def margin_of(margin: timedelta | float | None) -> float | None:
    """Check a handler's margin and return it in seconds; None: a share of the remaining time.

    Raises:
        InvalidSubscriptionError: a margin that is not a duration, or below 0.
    """
    return None if margin is None else seconds_of("margin", margin)


def reply(event: BatchEvent, left: Iterable[str]) -> dict[str, Any]:
    """Return a partial batch response.

    Args:
        event: the batch; the reply carries the state of its tumbling window on.
        left: sequence numbers of the records that are not handled. Lambda delivers the lowest one
            and all records after it again.
    """
    answer: dict[str, Any] = {
        "batchItemFailures": [{"itemIdentifier": number} for number in sorted(left, key=int)]
    }
    if isinstance(event, dict) and "window" in event:
        answer["state"] = event.get("state") or {}
    return answer
