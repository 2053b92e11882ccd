"""An operation that has begun and not ended, and the requests that it is at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamo_es.dynamodb.wire.errors import MAYBE_LANDED, ConditionRefused

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Pause, Request, Response, Steps, Together
    from tests.linearizability.histories import Operation


@dataclass(slots=True)
class Part:
    """A request of an operation under way.

    Attributes:
        request: what is sent.
        attempts_left: of that request.
        token: if it is a transaction.
        maybe_landed: whether an attempt of it may have been carried out.
        outcome: what came of it; None: nothing so far.
    """

    request: Request
    attempts_left: int
    token: str
    maybe_landed: bool = False
    outcome: Response | Exception | None = None


@dataclass(slots=True)
class Run:
    """An operation under way.

    Attributes:
        operation: what it is recorded as.
        steps: the algorithm.
        sending: what it is at.
        parts: the requests that it is at.
        in_time: whether the operation's deadline is not over.
    """

    operation: Operation
    steps: Steps[Any]
    sending: Request | Pause | Together
    parts: list[Part] = field(default_factory=list)
    in_time: bool = True

    @property
    def left(self) -> list[Part]:
        """The requests of which nothing came so far."""
        return [part for part in self.parts if part.outcome is None]


def as_told(part: Part, reply: Any) -> Any:
    """Return a reply as the gateway gives it: with what is known of the attempts before."""
    if isinstance(reply, ConditionRefused):
        return ConditionRefused(reply.items, maybe_landed=part.maybe_landed, refused=reply.refused)
    if part.maybe_landed and part.request.operation == "batch_execute_statement":
        return {**reply, MAYBE_LANDED: True}
    return reply
