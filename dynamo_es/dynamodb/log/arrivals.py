"""`Arrivals` tells in a replica region which missing commits are deleted, and which are to arrive.

A deletion leaves a fence in the place of each commit, for a week. So where nothing is, or only what
an earlier generation left, the commit is still to arrive. Months later the fences have expired, and
nothing in the place of a commit means that it was deleted. The age of the commit's page decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynamo_es.dynamodb.streams.items import generation_of
from dynamo_es.dynamodb.streams.remembered.heads import FENCE_SECONDS
from dynamo_es.exceptions import StoredItemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.wire.steps import Item

YOUNG_SECONDS: Final = FENCE_SECONDS - 2 * 24 * 3600
"""Age of a page up to which nothing in the place of a commit proves that it is to arrive.

Two days less than the fences live: a sequencer may put a page a day after the commit was deleted,
and the clocks of the writer, the sequencer and the reader differ.
"""


class Arrivals:
    """Tells which missing commits are still to arrive in this region.

    Args:
        clock: returns seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def is_to_come(self, pointer: Pointer, item: Item | None, put_at: int | None) -> bool:
        """Whether a commit is still to arrive, by what is in its place.

        Args:
            pointer: to the commit.
            item: what is there, read consistently; None: nothing.
            put_at: when its page was put, in microseconds since the epoch; None: unknown, as in no
                page that this library wrote.
        """
        if item is None:
            return put_at is not None and self._clock() - put_at / 1_000_000 < YOUNG_SECONDS
        try:
            # A fence has the generation that it closes.
            return generation_of(item) < pointer.generation
        except StoredItemError:
            return False  # somebody has overwritten the commit
