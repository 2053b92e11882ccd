"""Reads a long stream page by page, in either direction, with one page in memory.

The pages show the stream as the first request found it. A commit never changes, so later pages need
only the remaining versions. If the stream is deleted in the meantime, these versions are missing,
which is an error. So the pages never mix two generations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from dynamo_es.dynamodb.streams.items import generation_of, is_fence, is_snapshot, read_commit
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.loading.chain import Chain, events_of, named
from dynamo_es.dynamodb.streams.loading.load import (
    COLD_PAGE,
    begin,
    first_page,
    follow,
    gaps_of,
    reading_again,
)
from dynamo_es.dynamodb.streams.loading.walk import Page, Walk
from dynamo_es.dynamodb.streams.requests import query_up
from dynamo_es.exceptions import StreamGapError
from dynamo_es.values import RawEvent

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps

Part: TypeAlias = "Commit | RawEvent"
"""A part of a page: a commit, or the snapshot."""


class Pages:
    """The pages of a range of a stream. Run the steps of `next_page` for each page.

    ::

        while not pages.is_complete:
            for part in run(pages.next_page()):
                yield from pages.events_of(part)

    Args:
        stream: the stream.
        start: first version (inclusive); None: the newest snapshot, or the first event.
        stop: version to stop before (exclusive); None: to the end.
        newest_first: whether to begin with the newest event; needs a start.
        size: the most commits of a page, 1 or more; a page has at most 1 MB.
        consistent: whether the pages show every append that finished before.

    Attributes:
        is_complete: whether all pages were read.
    """

    def __init__(
        self,
        stream: Stream,
        start: int | None,
        stop: int | None,
        *,
        newest_first: bool,
        size: int,
        consistent: bool,
    ) -> None:
        self.is_complete = False
        self._stream = stream
        self._start = start
        self._stop = stop
        self._newest_first = newest_first
        self._size = size
        self._consistent = consistent
        self._stream_id = stream.id
        self._is_first = True
        self._generation = 0  # set by the first page
        self._floor = 1
        self._next = 0  # the version to continue with
        self._last = 0  # the last version to read, if oldest first
        self._begun = False

    def next_page(self) -> Steps[list[Part]]:
        """Return the parts of the next page; an empty list only if all pages were read.

        If it fails, you can run it again.

        Raises:
            StreamGapError: the stream was deleted since the first page, or is damaged.
        """
        parts: list[Part] = []
        while not parts and not self.is_complete:
            later = self._down if self._newest_first else self._up
            read = self._first if self._is_first else later
            parts = yield from reading_again(self._stream, read, consistent=self._consistent)
        return parts

    def events_of(self, part: Part) -> list[RawEvent]:
        """Return the events of a part, in the order of the pages."""
        if isinstance(part, RawEvent):
            return [replace(part, stream_id=self._stream_id)]
        events = events_of(self._stream, self._stream_id, part, self._floor, self._stop)
        return events[::-1] if self._newest_first else events

    def _first(self, *, consistent: bool) -> Steps[list[Part]]:
        below = None if self._start is None else SNAPSHOT_VERSION
        walk = Walk(self._stream, self._first_page(), below=below, consistent=consistent)
        beginning = yield from begin(self._stream, walk, self._start, self._stop)
        if beginning is None:
            self.is_complete = True
            return []
        newest, snapshot, chain = beginning
        if not walk.is_between_pages:
            with gaps_of(newest.generation):
                yield from follow(walk, chain, newest.generation, self._size)
        self._is_first = False
        self._generation = newest.generation
        self._floor = chain.floor
        self._name([newest])
        if self._newest_first:
            return self._taken(chain)
        parts: list[Part] = [] if snapshot is None else [snapshot]
        if chain.is_complete:
            self.is_complete = True
            self._name(chain.commits)
            return [*parts, *reversed(chain.commits)]
        self._next = chain.floor
        self._last = newest.last if self._stop is None else min(newest.last, self._stop - 1)
        return parts

    def _first_page(self) -> Page:
        """Return the first page to ask for: a short stream whole, a long one only in part."""
        if self._newest_first and self._stop is None:
            return Page(self._size)
        if self._start is None:
            page = first_page(self._stream, None, self._stop)
            return page._replace(limit=min(page.limit or self._size, max(self._size, 2)))
        seen = self._stream.heads.recall(self._stream.key)
        if seen is not None:
            far = seen.head.version - (self._stop or self._start)
            if far > COLD_PAGE:
                return Page(1)
        return Page(min(self._size, COLD_PAGE))

    def _down(self, *, consistent: bool) -> Steps[list[Part]]:
        """Read the commits from the next version down."""
        chain = Chain(self._stream.id, self._floor, self._stop, self._next, self._begun)
        walk = Walk(self._stream, Page(1), below=self._next + 1, consistent=consistent)
        with gaps_of(self._generation):
            yield from follow(walk, chain, self._generation, self._size)
        return self._taken(chain)

    def _taken(self, chain: Chain) -> list[Part]:
        self._next, self._begun, self.is_complete = chain.wanted, chain.begun, chain.is_complete
        self._name(chain.commits)
        return [*chain.commits]

    def _up(self, *, consistent: bool) -> Steps[list[Part]]:
        """Read the commits from the next version up."""
        is_inside = self._next > 1 and not self._begun
        with gaps_of(self._generation):
            commits = yield from (self._across if is_inside else self._above)(consistent=consistent)
        self._next, self._begun = commits[-1].last + 1, True
        self.is_complete = self._next > self._last
        self._name(commits)
        return [*commits]

    def _across(self, *, consistent: bool) -> Steps[list[Commit]]:
        """Return the commit that holds the first version of the range. It may begin below it."""
        walk = Walk(self._stream, Page(1), below=self._next + 1, consistent=consistent)
        commit = yield from walk.next_commit(self._generation)
        if commit is None or commit.last < self._next:
            raise StreamGapError(self._stream.id, self._next)
        return [commit]

    def _above(self, *, consistent: bool) -> Steps[list[Commit]]:
        """Return the commits from the next version on. The first one must begin there."""
        wanted = self._next
        response = yield query_up(
            self._stream.table,
            self._stream.key,
            lowest=wanted,
            highest=self._last,
            limit=min(self._size, self._last - wanted + 1),
            consistent=consistent,
        )
        commits: list[Commit] = []
        for item in response.get("Items", ()):
            if is_fence(item) or is_snapshot(item) or generation_of(item) != self._generation:
                continue
            commit = read_commit(item)
            if commit.version != wanted:
                raise StreamGapError(self._stream.id, wanted)
            commits.append(commit)
            wanted = commit.last + 1
        if not commits or ("LastEvaluatedKey" not in response and wanted <= self._last):
            raise StreamGapError(self._stream.id, wanted)
        return commits

    def _name(self, commits: list[Commit]) -> None:
        self._stream_id = named(self._stream_id, commits)
