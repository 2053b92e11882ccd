"""Facts about the log that a process remembers while it writes the log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from dynamo_es.dynamodb.streams.remembered.heads import TRUSTED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.log.markers import Marker
    from dynamo_es.values import Position

_MOST_SEEN: Final = 5_000
"""The most markers that a process remembers."""


@dataclass(slots=True)
class SequencerMemory:
    """Facts about the log that a process remembers. They may be out of date. Threads may share it.

    Attributes:
        new_id: returns a new unique id for a page.
        marked_below: the markers of all pages below this position are applied, for ever.
        alone: whether this process put the last page below that position, without a race. Then the
            log probably still ends there; if not, the put of the next page is refused.
        clock: returns seconds since the epoch.
        set_aside: sort keys, in the log table, of the commits that this process has set aside.
        waiting: number of hints left out so far because an earlier commit is set aside.
        noted_at: when this process last put the item of a minute, or else its first page; None:
            neither.
    """

    new_id: Callable[[], str] = field(default=lambda: uuid4().hex)
    marked_below: Position | None = None
    alone: bool = False
    clock: Callable[[], float] = time.time
    set_aside: set[str] = field(default_factory=set)
    waiting: int = 0
    noted_at: float | None = None
    _at: float = 0.0
    _seen: list[tuple[Position, dict[Marker, int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Treat the given facts as true at this time."""
        self._at = self.clock()

    def begin(self) -> None:
        """Forget all facts if another table may have replaced this one since the last reply.

        A table does not reply while it is replaced, so a long silence makes that possible (ADR 12).
        """
        now = self.clock()
        if not 0 <= now - self._at < TRUSTED_SECONDS:
            self.marked_below, self.alone = None, False
            self._seen.clear()
        self._at = now

    def take_seen(self, position: Position | None) -> dict[Marker, int]:
        """Return the markers that this process knows, as of a position, and forget them here.

        So only the caller can change them, until it calls `keep_seen`.
        """
        try:
            known, seen = self._seen.pop()
        except IndexError:
            return {}
        return seen if known == position else {}

    def keep_seen(self, position: Position, seen: dict[Marker, int]) -> None:
        """Remember markers as of a position, if every page below it was seen or put."""
        if len(seen) > _MOST_SEEN:
            for marker in list(islice(seen, len(seen) // 2)):
                del seen[marker]
        self._seen[:] = [(position, seen)]
        self._at = self.clock()
