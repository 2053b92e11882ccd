"""Selecting events of an originator: its versions are those of its stream, moved by a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.adapters.eventsourcing.coding import FIRST_VERSION, initial_in
from dynamo_es.dynamodb.streams.load import load, newest_commit

if TYPE_CHECKING:
    from dynamo_es.adapters.eventsourcing.settings import InitialVersions
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.values import RawEvent


def select(
    stream: Stream,
    initials: InitialVersions,
    gt: int | None,
    lte: int | None,
    *,
    desc: bool,
    limit: int | None,
) -> Steps[list[RawEvent]]:
    """Return events of a range of versions, as the library counts them.

    Versions have no gaps, so a limit is a range, too: no more is read than returned.
    """
    if limit is not None and limit < 1:
        return []
    initial = initials.get(stream.key)
    if initial is None and (gt is not None or lte is not None or limit is not None):
        # The first event tells; without bounds, any event does.
        first = yield from load(stream, 1, 2)
        if not first:
            return []
        initial = initial_in(first[0])
        initials.remember(stream.key, initial)
    shift = FIRST_VERSION if initial is None else initial
    start = 1 if gt is None else max(gt - shift + 2, 1)
    stop = None if lte is None else lte - shift + 2
    if desc and limit is not None:
        newest = yield from newest_commit(stream)
        if newest is None:
            return []
        stop = newest.last + 1 if stop is None else min(stop, newest.last + 1)
        start = max(start, stop - limit)
    elif limit is not None:
        stop = start + limit if stop is None else min(stop, start + limit)
    if stop is not None and stop <= start:
        return []
    events = yield from load(stream, start, stop)
    if events:
        initials.remember(stream.key, initial_in(events[0]))
    return events[::-1] if desc else events
