"""Facts about the log that a process remembers while it writes the log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.values import Position


@dataclass(slots=True)
class SequencerMemory:
    """Facts about the log that a process remembers. They may be out of date. Threads may share it.

    Attributes:
        new_id: returns a new unique id for a page.
        marked_below: the markers of all pages below this position are applied, for ever.
        alone: whether this process put the last page below that position, without a race. The log
            probably still ends there; if not, the put of the next page is refused.
        clock: returns seconds since the epoch.
        set_aside: sort keys, in the log table, of the commits that this process has set aside.
        waiting: number of hints left out so far because an earlier commit is set aside.
    """

    new_id: Callable[[], str] = field(default=lambda: uuid4().hex)
    marked_below: Position | None = None
    alone: bool = False
    clock: Callable[[], float] = time.time
    set_aside: set[str] = field(default_factory=set)
    waiting: int = 0
