"""Walks down a stream, page by page, and reads no more than the caller needs.

A page may end anywhere: at its limit, at 1 MB, or at a lower bound. The next page continues below.
So a badly guessed limit or bound costs a request, but never changes what the walk finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.dynamodb.streams.items import (
    generation_of,
    is_fence,
    is_snapshot,
    read_commit,
    snapshot_version,
    version_of,
)
from dynamo_es.dynamodb.streams.keys import SNAPSHOT_VERSION
from dynamo_es.dynamodb.streams.requests import query_down

if TYPE_CHECKING:
    from collections.abc import Generator

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Pause, Request, Response, Steps

FEW: Final = 4
"""A number of items that usually fit into one read unit."""

_GROWTH: Final = 8
"""The factor by which each page is larger while a walk searches for a commit among fences."""


class Page(NamedTuple):
    """The size of a page to ask for.

    Attributes:
        limit: the most items; None: as many as fit into 1 MB.
        lowest: lowest sort key (inclusive); 1: no lower bound.
        beyond: the most items of a further page below ``lowest``; None: ``limit``, or 1 without a
            limit.
    """

    limit: int | None
    lowest: int = 1
    beyond: int | None = None


class Walk:
    """A walk down a stream, past fences and commits of closed generations.

    Args:
        stream: the stream.
        first: the first page.
        below: only sort keys below this one (exclusive); None: begin with the snapshot.
        consistent: whether each page shows every write that finished before.

    Attributes:
        stream: the stream.
        consistent: whether the reads are consistent.
        pages: number of pages read.
    """

    def __init__(
        self,
        stream: Stream,
        first: Page,
        *,
        below: int | None = SNAPSHOT_VERSION,
        consistent: bool = True,
    ) -> None:
        self.stream = stream
        self.consistent = consistent
        self.pages = 0
        self._next = first
        self._below = below
        self._more = True
        self._items: list[Item] = []
        self._closed = 0
        self._snapshot: Item | None = None

    def next_commit(self, generation: int | None = None) -> Steps[Commit | None]:
        """Return the next lower commit; None at the end, or where a closed generation begins.

        Args:
            generation: only commits of this generation; None: any generation that is not closed.
        """
        while True:
            if generation is not None:
                commit = self.commit_read(generation)
                if commit is not None:
                    return commit
            elif (commit := self._pop()) is not None:
                return None if commit.generation <= self._closed else commit
            if not self._more:
                return None
            yield from self._next_page()

    def commit_read(self, generation: int) -> Commit | None:
        """Return the next commit of a generation from the page that was read; None: none left."""
        while (commit := self._pop()) is not None:
            if commit.generation == generation:
                return commit
        return None

    def _pop(self) -> Commit | None:
        """Return the next commit from the page that was read, and remember fences and snapshot."""
        while self._items:
            item = self._items.pop()
            if is_fence(item):
                self._closed = max(self._closed, generation_of(item))
            elif is_snapshot(item):
                self._snapshot = item
            else:
                return read_commit(item)
        return None

    def snapshot_for(self, newest: Commit, stop: int | None) -> Item | None:
        """Return the snapshot if it is of the same generation and below ``stop``; else None."""
        snapshot = self._snapshot
        if (
            snapshot is None
            or generation_of(snapshot) != newest.generation
            or (stop is not None and snapshot_version(snapshot) >= stop)
        ):
            return None
        return snapshot

    @property
    def is_between_pages(self) -> bool:
        """Whether the next commit, if there is one, takes a request."""
        return not self._items

    def has_snapshot_above(self, newest: Commit | None) -> bool:
        """Return whether the snapshot proves that there is a commit newer than this one."""
        snapshot = self._snapshot
        return snapshot is not None and (
            newest is None
            or (generation_of(snapshot), snapshot_version(snapshot))
            > (newest.generation, newest.last)
        )

    def skip_to(self, version: int) -> None:
        """Continue below a version, without reading the commits in between."""
        while self._items and version_of(self._items[-1]) >= version:
            self._items.pop()
        if not self._items:
            self._below = version if self._below is None else min(self._below, version)

    def want(self, first: int, last: int, most: int | None = None) -> None:
        """Make the next page ask for the commits that hold the versions from first to last.

        Few versions are in few commits, so a limit is enough. For more versions, the page ends at
        the first one, and a commit that begins below it takes another page.

        Args:
            first: first version to read (inclusive).
            last: last version to read (inclusive).
            most: the most items of the page; None: as many as fit into 1 MB.
        """
        if first == 1:
            self._next = Page(most)
        elif self._below is not None and self._below <= first:
            self._next = Page(1)
        elif last - first < FEW:
            limit = last - first + 1
            self._next = Page(limit if most is None else min(limit, most))
        else:
            self._next = Page(most, first, beyond=1)

    def _next_page(self) -> Generator[Request | Pause, Response, None]:
        page = self._next
        response = yield query_down(
            self.stream.table,
            self.stream.key,
            below=self._below,
            lowest=page.lowest,
            limit=page.limit,
            consistent=self.consistent,
        )
        self.pages += 1
        self._items = response.get("Items", [])[::-1]
        last = response.get("LastEvaluatedKey")
        if last is None and page.lowest == 1:
            self._more = False
            return
        self._below = page.lowest if last is None else version_of(last)
        self._more = self._below > 1
        limit = page.limit
        if last is not None and limit is not None:
            limit *= _GROWTH
        if self._below > page.lowest:
            self._next = page._replace(limit=limit)
        else:
            self._next = Page(page.beyond or limit or 1)
