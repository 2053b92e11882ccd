"""The chain of commits that a load follows, from the newest one down, and their events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynamo_es.dynamodb.streams.items import decode_events
from dynamo_es.exceptions import InvalidStreamIdError, StoredItemError, StreamGapError
from dynamo_es.values import StreamId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.values import RawEvent


@dataclass(slots=True)
class Chain:
    """The commits of a range, from the newest one down, without gaps.

    Attributes:
        stream_id: the stream.
        floor: first version of the range (inclusive).
        stop: version to stop before (exclusive); None: to the end.
        wanted: version that the next commit must hold.
        begun: whether the next commit must end with that version, because a later one was taken.
        commits: the commits so far, newest first.
    """

    stream_id: StreamId
    floor: int
    stop: int | None
    wanted: int
    begun: bool = False
    commits: list[Commit] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all commits of the range were taken."""
        return self.wanted < self.floor

    def take(self, commit: Commit | None) -> None:
        """Add the next lower commit.

        Args:
            commit: the commit; None: there are no more.

        Raises:
            StreamGapError: it is not the next commit, so there is a gap.
        """
        if commit is None or commit.last < self.wanted:
            raise StreamGapError(self.stream_id, self.wanted)
        if self.stop is None or commit.version < self.stop:
            if self.begun and commit.last > self.wanted:
                raise StreamGapError(self.stream_id, self.wanted)
            if commit.last >= self.floor:
                self.commits.append(commit)
                self.begun = True
        self.wanted = commit.version - 1

    def skips_above(self) -> int | None:
        """If the next commit is above ``stop``, skip to the one below and return ``stop``."""
        if self.stop is None or self.wanted < self.stop:
            return None
        self.wanted = self.stop - 1
        return self.stop


def events_of(
    stream: Stream, stream_id: StreamId, commit: Commit, floor: int, stop: int | None
) -> list[RawEvent]:
    """Return the events of a commit that are in a range, in the order of their versions.

    Args:
        stream: the stream.
        stream_id: the stream id that each event gets.
        commit: the commit.
        floor: first version of the range (inclusive).
        stop: version to stop before (exclusive); None: to the end.

    Raises:
        StoredItemError: this release cannot read the item.
        StreamGapError: the commit has fewer events than its event count.
    """
    found = decode_events(
        commit.item, stream_id, None if commit.versionless else commit.version, stream.most_bytes
    )
    if len(found) != commit.last - commit.version + 1:
        raise StreamGapError(stream.id, commit.version + len(found))
    low = max(floor - commit.version, 0)
    high = None if stop is None else stop - commit.version
    return found if low == 0 and high is None else found[low:high]


def named(stream_id: StreamId, commits: Iterable[Commit]) -> StreamId:
    """Return a stream id with the name in the first commit that has one."""
    if stream_id.name is not None:
        return stream_id
    for commit in commits:
        if name := commit.item.get("stream_name"):
            try:
                return StreamId(stream_id, name["S"], category=stream_id.category)
            except (KeyError, InvalidStreamIdError):
                key, version = commit.item["stream_key"]["S"], commit.version
                raise StoredItemError(key, version, "its name is not the stream's.") from None
    return stream_id
