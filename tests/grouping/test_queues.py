"""An interrupt at any point of a queue neither loses an entry nor leaves it there twice."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from dynamo_es.grouping.queues import Entry, Queue
from dynamo_es.grouping.waiting import ThreadWaiter


class Interrupting(deque[Any]):
    """A deque whose methods are interrupted when they are done, after so many that are not."""

    calls = 0

    def popleft(self) -> Any:
        first = super().popleft()
        self.interrupt()
        return first

    def appendleft(self, item: Any) -> None:
        super().appendleft(item)
        self.interrupt()

    def interrupt(self) -> None:
        self.calls -= 1
        if self.calls == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("interrupted", [1, 2, 3])
@pytest.mark.parametrize("at", ["take", "give_back"])
def test_an_interrupt_keeps_each_entry_once(at, interrupted):
    entries = [Entry(name, ThreadWaiter(), 0, alone=False) for name in "abc"]
    waiting = Interrupting(entries)
    queue = Queue(waiting)
    if at == "give_back":
        queue.take(3, None)
    waiting.calls = interrupted

    with pytest.raises(KeyboardInterrupt):
        if at == "take":
            queue.take(3, None)
        queue.give_back(lambda _: None)
    queue.give_back(lambda _: None)

    assert [entry.item for entry in queue.waiting] == ["a", "b", "c"]
    assert not any(entry.taken for entry in entries)
