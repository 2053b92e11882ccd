"""Reads the events of a stream that match a query, and how far the answer is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts.boundaries import NO_STREAM, Matching, refuse_unreached
from dynamo_es.dynamodb.streams.load import load_with_newest
from dynamo_es.exceptions import ExpectedVersionUsedOnVersionlessStream
from dynamo_es.values import StoredVersion, matches_event

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.values import Query


def fetch_matching(stream: Stream, query: Query, after: int | None) -> Steps[Matching]:
    """Return the matching events; see `BoundaryStrategy.fetch_matching`.

    The events and the head are of one moment: a head read after the events would hide what came in
    between.
    """
    newest, events = yield from load_with_newest(stream, int(after or 0) + 1, None)
    if newest is not None and newest.versionless:
        raise ExpectedVersionUsedOnVersionlessStream(stream.id)
    head = NO_STREAM if newest is None else StoredVersion(newest.last, newest.generation)
    refuse_unreached(stream.id, query, after, head)
    return Matching(tuple(event for event in events if matches_event(query, event)), head)
