"""`Arrivals`: in a replica region, decides whether a missing commit was deleted or has not arrived.

A deletion replaces each commit by a fence, which stays for a week. So if there is no item at the
commit's key, or only one of an earlier generation, the commit has not arrived yet. Months later the
fences have expired, and a missing item means that the commit was deleted. The age of the commit's
page decides between both cases.
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
"""Up to this age of a page, a missing item proves that the commit has not arrived yet.

It is two days less than fences stay, because a sequencer may put a page a day after the commit was
deleted, and the clocks of the writer, the sequencer and the reader differ.
"""


class Arrivals:
    """Decides which missing commits have not arrived in this region yet.

    Args:
        clock: returns seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def is_to_come(self, pointer: Pointer, item: Item | None, put_at: int | None) -> bool:
        """Return whether a commit has not arrived yet.

        Args:
            pointer: the pointer to the commit.
            item: the item at the commit's key, read consistently; None: there is none.
            put_at: when its page was put, in microseconds since the epoch; None: unknown. Every
                page that this library writes has the time.
        """
        if item is None:
            return put_at is not None and self._clock() - put_at / 1_000_000 < YOUNG_SECONDS
        try:
            # For a fence, this is the generation that it closes.
            return generation_of(item) < pointer.generation
        except StoredItemError:
            return False  # another program has overwritten the commit
