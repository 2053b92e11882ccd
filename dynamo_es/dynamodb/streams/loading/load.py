"""Loads streams from the newest item down, along the chain of commits of the current generation.

A load of any range begins at the newest item. If a deletion has just begun, that item is its fence,
and everything below is deleted. What this process remembers about the stream decides only how much
the first page asks for, never what the load returns (ADR 13).
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.dynamodb.streams.items import decode_events, generation_of, snapshot_version
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.loading.chain import Chain, events_of, named
from dynamo_es.dynamodb.streams.loading.walk import FEW, Page, Walk
from dynamo_es.dynamodb.streams.requests import get_item
from dynamo_es.dynamodb.wire.awaiting_arrival import await_arrival
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import StoredItemError, StreamGapError, describe_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps, T
    from dynamo_es.values import RawEvent

_log = logging.getLogger("dynamo_es")

COLD_PAGE: Final = 8
"""Items of the first page if this process has never seen the stream: a snapshot and the commits
that usually follow it fit in, for 2 read units."""

SNAPSHOT_PAGE: Final = 32
"""Items of the first page if a snapshot is remembered. There may be a newer one by now."""

SEEN_PAGE: Final = 128
"""Items of the first page if this process saw the stream without a snapshot: all are needed."""


def newest_commit(stream: Stream) -> Steps[Commit | None]:
    """Return the newest commit of a stream and remember its head; None if there is no stream."""
    commit: Commit | None = None
    tries = 1
    while True:
        try:
            commit = yield from _newest(Walk(stream, Page(1)))
            break
        except ChangingStreamError:
            if tries > 1:  # the first retry needs no pause
                yield Pause(tries)
            tries += 1
    if commit is None:
        stream.heads.forget(stream.key)
    else:
        stream.heads.remember(stream.key, commit.head, commit.version)
    return commit


def load(
    stream: Stream, start: int | None, stop: int | None, *, consistent: bool = True
) -> Steps[list[RawEvent]]:
    """Return the events of a range, or the newest snapshot and the events after it.

    See `StorageStrategy.fetch_events`.
    """
    found = yield from load_with_newest(stream, start, stop, consistent=consistent)
    return found[1]


def load_with_newest(
    stream: Stream,
    start: int | None,
    stop: int | None,
    *,
    consistent: bool = True,
    first: Page | None = None,
) -> Steps[tuple[Commit | None, list[RawEvent]]]:
    """Return the newest commit, or None if there is no stream, and the events as `load` does.

    Both are from the same moment: the events belong to the newest commit's generation. ``first`` is
    the first page to ask for; None: the result of `first_page`.
    """
    read = partial(_load, stream, start, stop, first)
    return (yield from reading_again(stream, read, consistent=consistent))


def reading_again(stream: Stream, read: Callable[..., Steps[T]], *, consistent: bool) -> Steps[T]:
    """Run a read, and run it again if it finds a gap or is out of date.

    A deletion puts its closing fence before it makes a gap. So if a deletion made the gap, the next
    read finds another generation, or none. Only a second gap in the same generation is an error,
    because an event is lost. If the stream changes during each read, the pauses limit the tries.

    An eventually consistent read of a stream is correct, but may be out of date. If it is older
    than what this process knows, or has a gap, the stream is read again, consistently.

    In a replica region, a gap usually means that an item has not arrived yet, so the read waits.

    Args:
        stream: the stream.
        read: returns the steps of the read; called with ``consistent=``.
        consistent: whether the first try must be consistent.

    Raises:
        StreamGapError: an event is missing in two reads of one generation.
        ReplicaLagError: an event has not arrived in this region by the deadline.
    """
    if not consistent and not stream.heads.is_doubtful(stream.key):
        try:
            return (yield from read(consistent=False))
        except (GapError, OutdatedReadError, ChangingStreamError):
            pass
    torn: set[int] = set()
    tries = 1
    while True:
        try:
            return (yield from read(consistent=True))
        except GapError as error:
            if stream.is_replica:
                yield from await_arrival(tries, "Query", f"version {error.gap.version}")
            elif error.generation in torn:
                raise error.gap from None
            torn.add(error.generation)
        except ChangingStreamError:
            pass
        stream.heads.forget_snapshot(stream.key)
        if tries > 1:  # the first retry needs no pause
            yield Pause(tries)
        tries += 1


class Beginning(NamedTuple):
    """The result of the first page of a read.

    Attributes:
        newest: the newest commit.
        snapshot: the snapshot to begin with; None: begin with an event.
        chain: the commits of the range; so far it has at most the newest commit.
    """

    newest: Commit
    snapshot: RawEvent | None
    chain: Chain


def begin(
    stream: Stream, walk: Walk, start: int | None, stop: int | None
) -> Steps[Beginning | None]:
    """Return the beginning of a read; None if there is no stream.

    Raises:
        OutdatedReadError: the read is eventually consistent, and this process knows a newer state.
    """
    newest = yield from _newest(walk)
    if not walk.consistent:
        _check_date(stream, walk, newest)
    if newest is None:
        if stream.heads.recall(stream.key) is not None:
            # An eventually consistent read may still show the deleted events.
            stream.heads.doubt(stream.key)
        stream.heads.forget(stream.key)
        stream.heads.forget_snapshot(stream.key)
        return None
    stream.heads.remember(stream.key, newest.head, newest.version)
    snapshot = _readable_snapshot(stream, walk, newest, stop) if start is None else None
    floor = start or 1
    if snapshot is not None and snapshot.version is not None:
        floor = snapshot.version + 1
    chain = Chain(stream.id, floor, stop, newest.last)
    if stop is not None and floor >= stop:
        chain.wanted = floor - 1  # an empty range
    else:
        chain.take(newest)
    return Beginning(newest, snapshot, chain)


def _load(
    stream: Stream,
    start: int | None,
    stop: int | None,
    first: Page | None,
    *,
    consistent: bool,
) -> Steps[tuple[Commit | None, list[RawEvent]]]:
    below = None if start is None else SNAPSHOT_VERSION
    first = first_page(stream, start, stop) if first is None else first
    walk = Walk(stream, first, below=below, consistent=consistent)
    beginning = yield from begin(stream, walk, start, stop)
    if beginning is None:
        return None, []
    newest, snapshot, chain = beginning
    with gaps_of(newest.generation):
        while not chain.is_complete:
            yield from follow(walk, chain, newest.generation)
        if start is None and stop is None:
            _remember_snapshot(stream, snapshot, [newest, *chain.commits])
        return newest, _decode(stream, beginning)


def follow(walk: Walk, chain: Chain, generation: int, most: int | None = None) -> Steps[None]:
    """Add the commits that the walk has already read to a chain; if none, those of its next page.

    Args:
        walk: the walk down the stream.
        chain: the chain so far.
        generation: generation of its commits.
        most: the most items of the next page; None: as many as fit into 1 MB.

    Raises:
        StreamGapError: a commit is missing.
    """
    page = walk.pages + walk.is_between_pages
    while not chain.is_complete:
        if (below := chain.skips_above()) is not None:
            walk.skip_to(below)
        if walk.is_between_pages and walk.pages >= page:
            return
        commit = walk.commit_read(generation)
        if commit is None:
            walk.want(chain.floor, chain.wanted, most)
            commit = yield from walk.next_commit(generation)
        chain.take(commit)


class OutdatedReadError(Exception):
    """An eventually consistent read is older than what this process knows of the stream."""


class ChangingStreamError(Exception):
    """An append or a deletion came between two requests of a read."""


class GapError(Exception):
    """A read found a gap in the generation that it read.

    Attributes:
        generation: the generation.
        gap: the error for the caller, if the gap stays.
    """

    def __init__(self, generation: int, gap: StreamGapError) -> None:
        super().__init__(generation, gap)
        self.generation = generation
        self.gap = gap


@contextmanager
def gaps_of(generation: int) -> Iterator[None]:
    """Turn each `StreamGapError` in the context into a `GapError` with the generation."""
    try:
        yield
    except StreamGapError as gap:
        raise GapError(generation, gap) from gap


def _check_date(stream: Stream, walk: Walk, newest: Commit | None) -> None:
    seen = stream.heads.recall(stream.key)
    if seen is not None and (newest is None or newest.head < seen.head):
        raise OutdatedReadError
    try:
        outdated = walk.has_snapshot_above(newest)
    except StoredItemError as error:
        raise OutdatedReadError from error
    if outdated:
        raise OutdatedReadError


def _remember_snapshot(stream: Stream, snapshot: RawEvent | None, needed: list[Commit]) -> None:
    """Remember the sort key from which the next load with the snapshot must read.

    The newest commit is always needed. It proves that the stream exists, even if the snapshot
    covers all events.
    """
    if snapshot is None:
        stream.heads.forget_snapshot(stream.key)
    else:
        stream.heads.remember_snapshot(stream.key, min(commit.version for commit in needed))


def _readable_snapshot(
    stream: Stream, walk: Walk, newest: Commit, stop: int | None
) -> RawEvent | None:
    """Return the snapshot to begin with; None without one, or if it cannot be read."""
    try:
        item = walk.snapshot_for(newest, stop)
        if item is None:
            return None
        found = decode_events(item, stream.id, snapshot_version(item), stream.most_bytes)
    except StoredItemError as error:
        # Continue without it: all events are stored, and a snapshot only saves time.
        _log.warning("Skipped the snapshot of stream %s: %s", describe_stream(stream.id), error)
        return None
    if len(found) == 1:
        return found[0]
    _log.warning("Skipped the snapshot of stream %s: it has no state.", describe_stream(stream.id))
    return None


def _newest(walk: Walk) -> Steps[Commit | None]:
    """Return the newest commit of the stream; None if the stream does not exist.

    Raises:
        ChangingStreamError: the commit was found below a first page of fences, and there is an
            item above it. The commit may be only the lower part of an append of several items, or a
            deletion may have ended its generation. Another read finds the item above.
    """
    newest = yield from walk.next_commit()
    if newest is not None and walk.pages > 1:
        stream = walk.stream
        above = yield get_item(stream.table, stream.key, newest.last + 1)
        if "Item" in above and generation_of(above["Item"]) >= newest.generation:
            raise ChangingStreamError
    return newest


def _decode(stream: Stream, beginning: Beginning) -> list[RawEvent]:
    newest, snapshot, chain = beginning
    stream_id = named(stream.id, [newest, *chain.commits])
    events = [] if snapshot is None else [replace(snapshot, stream_id=stream_id)]
    for commit in reversed(chain.commits):
        events += events_of(stream, stream_id, commit, chain.floor, chain.stop)
    return events


def first_page(stream: Stream, start: int | None, stop: int | None) -> Page:
    """Return the first page to ask for, from the remembered heads: at least the newest item."""
    seen = stream.heads.recall(stream.key)
    if start is None:
        lowest = stream.heads.snapshot_from(stream.key)
        if stop is None and lowest is not None:
            return Page(SNAPSHOT_PAGE, lowest)
        return Page(COLD_PAGE if stop is not None or seen is None else SEEN_PAGE)
    if seen is None:
        return Page(None) if start == 1 and stop is None else Page(FEW)
    head = seen.head.version
    if stop is not None and head - stop > COLD_PAGE:
        return Page(1)  # The range is far below the head: only check that the stream still exists.
    wanted = head - start + 1
    if wanted <= FEW and (stop is not None or seen.begins is None):
        return Page(FEW)
    # The newest commit may begin below the range. Only this commit shows that the stream exists.
    lowest = start if seen.begins is None else min(start, seen.begins)
    return Page(None if stop is None else wanted + FEW, lowest)
