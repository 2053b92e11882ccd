"""What a backend does along with every append of its process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from dynamo_es.values import RawEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.values import Position, TenantId

OutboxFilter: TypeAlias = Callable[[RawEvent], bool]
"""Whether an event is to be published; asked once, when it is appended."""


class AppendListener(Protocol):
    """Told of every append of a process, after it, in the thread that made it."""

    def __bool__(self) -> bool:
        """Whether there is anybody to tell; if not, nothing is prepared."""

    def __call__(
        self, events: Sequence[RawEvent], tenant_id: TenantId, first_position: Position | None
    ) -> None:
        """Hear of one append; raises nothing.

        Args:
            events: as they are stored, with their versions.
            tenant_id: of their stream.
            first_position: of the first of them, the others follow; None: they have none yet.
        """


@dataclass(slots=True)
class AppendHooks:
    """Hooks that the storages of all tenants of a backend share; they may be set at any time.

    Attributes:
        outbox_filter: which events are to be published; None: none of them.
        listener: who hears of appends; None: nobody.
    """

    outbox_filter: OutboxFilter | None = None
    listener: AppendListener | None = None
