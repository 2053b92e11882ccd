"""What a backend does along with every append of its process."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from dynamo_es.contracts.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.values import RawEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import Position, TenantId

OutboxFilter: TypeAlias = Callable[[RawEvent], bool]
"""Whether an event is to be published; asked once, when it is appended."""


_ROLE: Final = "An outbox filter"


def checked_filter(wanted: OutboxFilter) -> OutboxFilter:
    """Return a filter that is given copies: whatever it changes, what is stored stays as it is.

    Raises:
        InvalidSubscriptionError: it cannot be called, or is asynchronous.
    """
    if not callable(wanted):
        raise InvalidSubscriptionError(
            f"What chooses events for the outbox is called with each: {wanted!r} cannot be."
        )
    refuse_asynchronous(wanted, _ROLE)

    def chooses(event: RawEvent) -> bool:
        copy = replace(event, data=deepcopy(event.data), context=deepcopy(event.context))
        answer = wanted(copy)
        refuse_unfinished(answer, wanted, _ROLE)
        return bool(answer)

    return chooses


class AppendListener(Protocol):
    """Told of every append of a process, after it, in the thread that made it."""

    def __bool__(self) -> bool:
        """Whether there is anybody to tell; if not, nothing is prepared."""

    def __call__(
        self,
        events: Sequence[RawEvent],
        tenant_id: TenantId,
        first_position: Position | None,
        generation: int,
    ) -> None:
        """Hear of one append; raises nothing.

        Args:
            events: as they are stored, with their versions.
            tenant_id: of their stream.
            first_position: of the first of them, the others follow; None: they have none yet.
            generation: of their stream; 0: it is not known, because they were stored before.
        """


class AppendedCommit(NamedTuple):
    """A commit that this process appended.

    Attributes:
        stream_key: key of its stream.
        generation: of the stream.
        version: of its first event, 1-based.
    """

    stream_key: str
    generation: int
    version: int


@dataclass(slots=True)
class AppendHooks:
    """Hooks that the storages of all tenants of a backend share; they may be set at any time.

    Attributes:
        outbox_filter: which events are to be published; None: none of them.
        listener: who hears of appends; None: nobody.
        last_commit: the last one that was appended; None: none was so far.
    """

    outbox_filter: OutboxFilter | None = None
    listener: AppendListener | None = None
    last_commit: AppendedCommit | None = None
