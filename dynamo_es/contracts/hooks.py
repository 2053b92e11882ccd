"""Functions that a process calls for each append: the outbox filter and the listener."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from dynamo_es.contracts.checks.arguments import check_callable
from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.values import RawEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import Position, TenantId

OutboxFilter: TypeAlias = Callable[[RawEvent], bool]
"""Returns whether the outbox publishes an event. Called once, when the event is appended."""


_ROLE: Final = "An outbox filter"


def checked_filter(wanted: OutboxFilter) -> OutboxFilter:
    """Wrap a filter so that it gets copies of events and cannot change the stored ones.

    Raises:
        InvalidSubscriptionError: the filter is not callable, or is asynchronous.
    """
    check_callable(_ROLE, wanted, InvalidSubscriptionError)
    refuse_asynchronous(wanted, _ROLE)

    def chooses(event: RawEvent) -> bool:
        copy = replace(event, data=deepcopy(event.data), context=deepcopy(event.context))
        answer = wanted(copy)
        refuse_unfinished(answer, wanted, _ROLE)
        return bool(answer)

    return chooses


class AppendListener(Protocol):
    """Called after every append of a process, in the thread that made the append."""

    def __bool__(self) -> bool:
        """Return whether anyone listens; if not, an append does not prepare the call."""

    def __call__(
        self,
        events: Sequence[RawEvent],
        tenant_id: TenantId,
        first_position: Position | None,
        generation: int,
    ) -> None:
        """Handle one append. Must not raise.

        Args:
            events: the stored events, with their versions.
            tenant_id: tenant of the stream.
            first_position: position of the first event; the others have the positions right after
                it. None: the events have no positions yet.
            generation: generation of the stream; 0: unknown, because the events were stored
                before.
        """


class AppendedCommit(NamedTuple):
    """A commit that this process appended.

    Attributes:
        stream_key: key of the stream.
        generation: generation of the stream.
        version: version of the first event, 1-based.
    """

    stream_key: str
    generation: int
    version: int


@dataclass(slots=True)
class AppendHooks:
    """Hooks that all storages of a backend share, whatever their tenant. Set them at any time.

    Attributes:
        outbox_filter: chooses the events to publish; None: publish no event.
        listener: called after every append; None: no call.
        last_commit: the last commit that this process appended; None before the first one.
    """

    outbox_filter: OutboxFilter | None = None
    listener: AppendListener | None = None
    last_commit: AppendedCommit | None = None
