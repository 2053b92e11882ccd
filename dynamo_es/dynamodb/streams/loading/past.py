"""Reads single commits of a stream, to find its state at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts.moments import latest
from dynamo_es.contracts.streams import StreamCommit
from dynamo_es.dynamodb.streams.loading.chain import events_of
from dynamo_es.dynamodb.streams.loading.walk import Page, Walk

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps


def commit_at(stream: Stream, version: int, generation: int) -> Steps[StreamCommit | None]:
    """Return the commit that holds a version; see `StorageStrategy.commit_at`."""
    if version < 1:
        return None
    walk = Walk(stream, Page(1), below=version + 1)
    commit = yield from walk.next_commit(generation)
    if commit is None or commit.last < version:
        return None
    events = events_of(stream, stream.id, commit, 1, None)
    return StreamCommit(commit.version, commit.last, latest(events))
