"""Shared by all handlers of batches: the deadline, and the reply that names the records left."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    BatchEvent: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]
    """A batch as Lambda hands it over, or the bare list of a pipe."""

_LONGEST_MARGIN: Final = 5.0
_SHARE: Final = 0.2


class LambdaContext(Protocol):
    """The part of Lambda's context that handlers use."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that the function may still run."""


class Deadline(Event):
    """An event that is set when a function must stop, so that it can still answer.

    Args:
        context: Lambda's; None: never set.
        margin: seconds to leave for the event in hand and the reply; None: a fifth of the
            remaining time, at most 5 s.
    """

    def __init__(self, context: LambdaContext | None, margin: float | None = None) -> None:
        super().__init__()
        self._context = context
        if margin is None and context is not None:
            margin = min(_LONGEST_MARGIN, _SHARE * context.get_remaining_time_in_millis() / 1000)
        self._margin = (margin or 0.0) * 1000

    def is_set(self) -> bool:
        """Whether it is time to stop."""
        if super().is_set():
            return True
        if self._context is None:
            return False
        return self._context.get_remaining_time_in_millis() <= self._margin


def reply(event: BatchEvent, left: Iterable[str]) -> dict[str, Any]:
    """Return a partial batch response.

    Args:
        event: the batch; the reply returns the state of its tumbling window.
        left: sequence numbers of the records that are not done. Lambda calls again with the
            lowest one and all records after it.
    """
    answer: dict[str, Any] = {
        "batchItemFailures": [{"itemIdentifier": number} for number in sorted(left, key=int)]
    }
    if isinstance(event, dict) and "window" in event:
        answer["state"] = event.get("state") or {}
    return answer
