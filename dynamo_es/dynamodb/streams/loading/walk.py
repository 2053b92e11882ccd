"""Walks down a stream, page by page, and asks for no more than the reader wants.

A page may end anywhere: at its limit, at 1 MB, or at a lower bound. The next page goes on below, so
a limit or a bound that was a bad guess costs a request, and never changes what the walk finds.
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
"""Items that mostly fit into one read unit."""

_GROWTH: Final = 8
"""How many times larger each next page is while a walk looks for one commit among fences."""


class Page(NamedTuple):
    """What to ask for in a page.

    Attributes:
        limit: most items; None: as many as fit into 1 MB.
        lowest: lowest sort key; 1: no lower bound.
        beyond: most items of the page below ``lowest``; None: one, or ``limit`` if it is given.
    """

    limit: int | None
    lowest: int = 1
    beyond: int | None = None


class Walk:
    """A walk down a stream, past fences and commits of closed generations.

    Args:
        stream: the stream.
        first: the first page.
        below: only sort keys below this one; None: begin with the snapshot.
        consistent: whether each page shows every write that was answered.

    Attributes:
        stream: the stream.
        consistent: as given.
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
        """Return the next commit down; None at the end, or where a closed generation begins.

        Args:
            generation: only commits of this generation; None: of any that is not closed.
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
        """Return the next commit of a generation in the page that was read; None: there is none."""
        while (commit := self._pop()) is not None:
            if commit.generation == generation:
                return commit
        return None

    def _pop(self) -> Commit | None:
        """Return the next commit in the page that was read, and note what is not a commit."""
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
        """Return the snapshot, if it is of the same generation and below ``stop``."""
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
        """Whether the next commit takes a request, if there is one."""
        return not self._items

    def has_snapshot_above(self, newest: Commit | None) -> bool:
        """Whether the snapshot that came proves that there is a newer commit than this one."""
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
        """Ask in the next page for the commits that hold the versions from first to last.

        A few versions are in as few commits, so a limit is enough. For more, the page ends at the
        first version, and a commit that began below it takes a page of its own.

        Args:
            first: first version wanted.
            last: last version wanted.
            most: most items of the page; None: as many as fit into 1 MB.
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
