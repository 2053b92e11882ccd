"""Reads the events of a boundary: new ones from the table, the others from memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts.boundaries.strategy import NO_STREAM, Matching, copied, refuse_unreached
from dynamo_es.dynamodb.streams.loading.load import load_with_newest
from dynamo_es.dynamodb.streams.loading.walk import Page
from dynamo_es.exceptions import ExpectedVersionUsedOnVersionlessStream
from dynamo_es.values import StoredVersion, matches_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.streams.items import Commit, Head
    from dynamo_es.dynamodb.streams.remembered.runs import RememberedRun
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.values import Query, RawEvent


def fetch_matching(
    stream: Stream, query: Query, after: int | None, lowest: int | None = None
) -> Steps[Matching]:
    """Return the matching events; see `BoundaryStrategy.fetch_matching`, and `read_after`.

    The events and the head are from the same moment. A head that is read after the events would
    hide events that were appended in between.
    """
    newest, events = yield from read_after(stream, int(after or 0), lowest)
    if newest is not None and newest.versionless:
        raise ExpectedVersionUsedOnVersionlessStream(stream.id)
    head = NO_STREAM if newest is None else StoredVersion(newest.last, newest.generation)
    refuse_unreached(stream.id, query, after, head)
    return Matching(tuple(copied(each) for each in events if matches_event(query, each)), head)


def read_after(
    stream: Stream, version: int, lowest: int | None = None
) -> Steps[tuple[Commit | None, Sequence[RawEvent]]]:
    """Return the newest commit and all events after a version. Do not change the events.

    Args:
        stream: the stream.
        version: the version (exclusive); 0: all events.
        lowest: version of the commit that holds the next event, as far as the caller knows. The
            first request reads from there up. None: unknown.
    """
    heads = stream.heads
    run = heads.runs.get(stream.key)
    if run is not None and run.chunks and run.after <= version:
        newest, tail = yield from _read_tail(stream, run)
        if newest is not None and _continues(run, newest, tail):
            heads.runs.take(
                stream.key, newest.generation, run.last, tail[1:], heads.epoch, verified=True
            )
            unseen = [event for event in tail[1:] if (event.version or 0) > version]
            return newest, [*run.above(version), *unseen]
    first = None if lowest is None else Page(None, lowest)
    newest, events = yield from load_with_newest(stream, version + 1, None, first=first)
    if newest is None or newest.versionless:
        heads.runs.forget(stream.key)
    elif version <= newest.last:
        heads.runs.take(stream.key, newest.generation, version, events, heads.epoch)
    return newest, events


def is_remembered(stream: Stream, version: int) -> bool:
    """Return whether this process remembers events from directly after a version on."""
    run = stream.heads.runs.get(stream.key)
    return run is not None and bool(run.chunks) and run.after <= version


def remembered_after(stream: Stream, version: int, head: Head) -> list[RawEvent] | None:
    """Return all events between a version and a certain head, from memory; None: read them."""
    run = stream.heads.runs.get(stream.key)
    if (
        run is None
        or (run.generation, run.last) != (head.generation, head.version)
        or run.epoch != stream.heads.epoch
        or run.after > version
    ):
        return None
    return run.above(version)


def remember_more(stream: Stream, commit: Commit, events: Sequence[RawEvent]) -> None:
    """Remember the events of one more commit, if this process remembers events of the stream."""
    heads = stream.heads
    if heads.runs.get(stream.key) is not None:
        after = commit.version - 1
        heads.runs.take(stream.key, commit.generation, after, events, heads.epoch)


def _read_tail(stream: Stream, run: RememberedRun) -> Steps[tuple[Commit | None, list[RawEvent]]]:
    """Read the stream from the commit that holds the last remembered event."""
    seen = stream.heads.recall(stream.key)
    lowest = run.last
    if seen is not None and seen.begins is not None:
        lowest = min(lowest, seen.begins)
    return (yield from load_with_newest(stream, run.last, None, first=Page(None, lowest)))


def _continues(run: RememberedRun, newest: Commit, tail: Sequence[RawEvent]) -> bool:
    """Return whether the stream still has the remembered events, up to the start of the tail."""
    known = run.newest
    return (
        known is not None
        and bool(tail)
        and newest.generation == run.generation
        and tail[0].uuid == known.uuid
    )
