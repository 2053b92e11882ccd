"""`RunsByStream`: the hand-written part of asynchronous projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from dynamo_es.projections.projection import Projection


class RunsByStream(Over):
    """Makes projections that handle several streams at once."""

    _sync: Projection

    def by_stream(self, streams: int) -> Self:
        """Return a projection whose handler runs for several streams at once.

        ``await backend.projection("mails", send).by_stream(16).run_forever()``

        The events of a stream are handled one after the other, in order. Events of different
        streams may be handled at the same time, within a batch. The checkpoint moves past an event
        when all events before it are handled too. So if the handler fails or the process dies, up
        to a batch of events is handled again, including some after the failing one. Without
        greenlet, all events are handled one after the other.

        Args:
            streams: most streams at once, 1 or more.

        Raises:
            InvalidSubscriptionError: ``streams`` is out of range, the handler is a projector, or
                ``on_failure`` is not ``"stop"``.
        """
        try:
            from dynamo_es.aio.on_loop.by_stream import by_stream
        except ImportError:  # without the extra
            return self
        return self._like(by_stream(self._sync, streams, self._bridge))
