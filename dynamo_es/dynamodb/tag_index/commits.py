"""Reads the commits of a boundary: a range of them, or those that the index names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dynamo_es.dynamodb.streams.items import is_fence, read_commit
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.loading.load import (
    begin,
    first_page,
    follow,
    gaps_of,
    reading_again,
)
from dynamo_es.dynamodb.streams.loading.walk import Walk
from dynamo_es.dynamodb.tag_index.items import get_commits
from dynamo_es.dynamodb.wire.batches import fetch_all
from dynamo_es.dynamodb.wire.steps import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps


def commits_from(
    stream: Stream, start: int, stop: int
) -> Steps[tuple[Commit | None, list[Commit]]]:
    """Return the newest commit, and the commits that hold versions of a range, in order."""
    return (yield from reading_again(stream, partial(_read, stream, start, stop), consistent=True))


def _read(
    stream: Stream, start: int, stop: int, *, consistent: bool
) -> Steps[tuple[Commit | None, list[Commit]]]:
    first = first_page(stream, start, stop)
    walk = Walk(stream, first, below=SNAPSHOT_VERSION, consistent=consistent)
    beginning = yield from begin(stream, walk, start, stop)
    if beginning is None:
        return None, []
    newest, _, chain = beginning
    with gaps_of(newest.generation):
        while not chain.is_complete:
            yield from follow(walk, chain, newest.generation)
    return newest, chain.commits[::-1]


def commits_at(
    stream: Stream, generation: int, versions: Iterable[int]
) -> Steps[list[Commit] | None]:
    """Return the commits of a generation that begin at given versions; None: one does not exist.

    Commits do not change, so an eventually consistent read is enough, at half the price. Commits
    that it misses are read again.
    """
    left = set(versions)
    found: list[Commit] = []
    for consistent in (False, True):
        keys = [
            {"stream_key": {"S": stream.key}, "version": number(version)}
            for version in sorted(left)
        ]
        if not keys:
            break
        items = yield from fetch_all(
            stream.table, keys, partial(get_commits, stream.table, consistent=consistent)
        )
        for commit in (read_commit(item) for item in items if not is_fence(item)):
            if commit.generation == generation:
                found.append(commit)
                left.discard(commit.version)
    return None if left else sorted(found, key=lambda commit: commit.version)
