"""What earlier runs have stored: read ahead, so that nothing is sent for it again."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from dynamo_es.cli.importing.chunks import Chunk
    from dynamo_es.cli.importing.lines import StreamOf
    from dynamo_es.contracts import StorageStrategy

WINDOW: Final = 500
"""Events read ahead of a stream that was there before this run."""

MOST_WINDOWS: Final = 1000
"""Streams whose window is kept; the least recently used goes. Losing one costs a read."""


class _Window(NamedTuple):
    first: int
    uuids: Sequence[UUID]
    reaches_end: bool


class StoredEvents:
    """The ids of stored events, by stream and version; of one worker, so without a lock."""

    def __init__(self) -> None:
        self._windows: OrderedDict[StreamOf, _Window] = OrderedDict()

    def __contains__(self, stream: StreamOf) -> bool:
        """Whether the stream is known to have been there before this run."""
        return stream in self._windows

    def add(self, stream: StreamOf) -> None:
        """Note that a stream was there before this run; nothing of it is known yet."""
        self._keep(stream, _Window(1, (), reaches_end=False))

    def forget(self, stream: StreamOf) -> None:
        """Note that what is known of a stream is out of date, or that all of it is known."""
        self._windows.pop(stream, None)

    def ids(self, storage: StorageStrategy, chunk: Chunk) -> Sequence[UUID]:
        """Return the ids at the chunk's versions: fewer than it has events if the stream ends."""
        window = self._windows.get(chunk.stream)
        if window is None or not _covers(window, chunk):
            count = max(WINDOW, len(chunk.events))
            stored = storage.fetch_events(chunk.stream_id, chunk.first, chunk.first + count)
            window = _Window(chunk.first, [event.uuid for event in stored], len(stored) < count)
        self._keep(chunk.stream, window)
        offset = chunk.first - window.first
        return window.uuids[offset : offset + len(chunk.events)]

    def _keep(self, stream: StreamOf, window: _Window) -> None:
        self._windows[stream] = window
        self._windows.move_to_end(stream)
        if len(self._windows) > MOST_WINDOWS:
            self._windows.popitem(last=False)


def _covers(window: _Window, chunk: Chunk) -> bool:
    end = window.first + len(window.uuids)
    return window.reaches_end or chunk.last < end
