"""Deleting: one fence ends a life at once, a sweep from the top down clears what it leaves.

The fence one version beyond the last event is the moment of deletion. The sweep overwrites
every commit of the closed generation with a fence, version 1 last: a new life can only begin
there, and then nothing of the old one is in its way. Every write is conditional on the
generation, so a second deleter, a retry or a slow one never touches the next life. A crash
leaves work that the next deletion, or the next creation, finds and finishes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynamo_es.dynamodb.streams import requests
from dynamo_es.dynamodb.streams.heads import FENCE_SECONDS
from dynamo_es.dynamodb.streams.items import (
    fence_item,
    generation_of,
    is_fence,
    is_snapshot,
    read_commit,
    version_of,
)
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Pause

if TYPE_CHECKING:
    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Request, Steps


@dataclass(slots=True)
class _Survey:
    """What a stream's partition holds, without the events.

    Attributes:
        commits: all of them, newest first.
        live: the newest commit, if its generation is not closed.
        closed: the highest closed generation, of the fences above the live commits.
        snapshot_generation: the life the snapshot is of; None without one.
        lasting_fences: fences that do not expire yet: their deletion is not complete.
    """

    commits: list[Commit] = field(default_factory=list)
    live: Commit | None = None
    closed: int = 0
    snapshot_generation: int | None = None
    lasting_fences: list[tuple[int, int]] = field(default_factory=list)

    def close(self, generation: int, version: int) -> None:
        """Take note of the fence just put at ``version``: the live generation is closed."""
        self.closed, self.live = generation, None
        self.lasting_fences = [f for f in self.lasting_fences if f[0] != version]
        self.lasting_fences.append((version, self.closed))

    def doomed_commits(self) -> list[Commit]:
        """Return the commits to clear, newest first.

        Not simply all: while a survey of several pages was under way, another process may
        have finished the deletion and begun a new life, whose commits came with a later page.
        """
        return [commit for commit in self.commits if commit.generation <= self.closed]

    def take(self, item: Item) -> None:
        """Take the next item down."""
        if is_snapshot(item):
            self.snapshot_generation = generation_of(item)
        elif is_fence(item):
            if self.live is None:
                self.closed = max(self.closed, generation_of(item))
            if "expires_at" not in item:
                self.lasting_fences.append((version_of(item), generation_of(item)))
        else:
            commit = read_commit(item)
            if not self.commits and commit.generation > self.closed:
                self.live = commit
            self.commits.append(commit)


def delete_stream(stream: Stream) -> Steps[None]:
    """End the stream's life, if it has one, and clear what this or an earlier deletion left."""
    survey = yield from _survey(stream)
    lost = 0
    while survey.live is not None:
        stream.heads.forget(stream.key)
        head = survey.live.head
        fence = fence_item(
            stream.key, version=head.version + 1, closed=head.generation, expires_at=None
        )
        if (yield from _if_met(requests.put_closing_fence(stream.table, fence))):
            survey.close(head.generation, head.version + 1)
            # Another process may have saved one since the survey.
            survey.snapshot_generation = max(head.generation, survey.snapshot_generation or 0)
        else:
            # An append landed before, or another deletion, or this fence, and its reply was lost.
            lost += 1
            if lost > 1:  # the first time at once
                yield Pause(lost)
            survey = yield from _survey(stream)
            if survey.live is not None and survey.live.generation != head.generation:
                return  # That life has ended, all of it is cleared: the next one is not ours.
    stream.heads.forget(stream.key)
    yield from _sweep(stream, survey)


def finish_deletion(stream: Stream) -> Steps[None]:
    """Clear what a deletion left, if it left anything; a live stream is not touched."""
    survey = yield from _survey(stream)
    if survey.live is None:
        yield from _sweep(stream, survey)


def _survey(stream: Stream) -> Steps[_Survey]:
    survey = _Survey()
    after: Item | None = None
    while True:
        page = yield requests.query_down(stream.table, stream.key, after=after, outline=True)
        for item in page.get("Items", ()):
            survey.take(item)
        after = page.get("LastEvaluatedKey")
        if after is None:
            return survey


def _sweep(stream: Stream, survey: _Survey) -> Steps[None]:
    table, key = stream.table, stream.key
    if survey.snapshot_generation is not None:
        yield from _if_met(requests.delete_snapshot(table, key, survey.snapshot_generation))
    expires_at = int(stream.clock()) + FENCE_SECONDS
    for commit in survey.doomed_commits():
        fence = fence_item(
            key, version=commit.version, closed=commit.generation, expires_at=expires_at
        )
        yield from _if_met(requests.put_fence_over(table, commit, fence))
    # Last: expired any earlier, a closing fence would bring what is below it back to life.
    for version, closed in survey.lasting_fences:
        yield from _if_met(
            requests.expire_fence(table, key, version=version, closed=closed, expires_at=expires_at)
        )


def _if_met(request: Request) -> Steps[bool]:
    """Send a conditional write; whether its condition was met. If not, another did the work."""
    try:
        yield request
    except ConditionRefused:
        return False
    return True
