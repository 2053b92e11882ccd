"""Deletes streams: one fence ends the generation at once, then a sweep replaces its commits.

The deletion takes effect when there is a fence one version after the last event. Then the sweep
turns every commit of the closed generation into a fence, many at once, in any order. Only version 1
waits until all others are fences. The next generation begins at version 1, so by then no commit of
the old one can refuse it. Every write is conditional on the generation, so a retry, or a second or
slow deletion, never touches the next generation. A crash may leave any of the commits; the next
deletion or creation finishes the work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.boundaries.strategy import BOUNDARY_CATEGORY
from dynamo_es.dynamodb.streams import requests
from dynamo_es.dynamodb.streams.items import (
    fence_item,
    generation_of,
    is_fence,
    is_snapshot,
    read_commit,
    version_of,
)
from dynamo_es.dynamodb.streams.remembered.heads import FENCE_SECONDS
from dynamo_es.dynamodb.wire.batches import execute_all
from dynamo_es.dynamodb.wire.errors import ConditionRefused, OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import ContentionError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Item, Request, Steps

_AT_ONCE: Final = 1_000
"""How many commits to turn into fences before the deletion checks the outcomes."""
_PASSING: Final = (ThrottledError, ContentionError, OutcomeUnknown)
"""Outcomes of a statement after which a single put, with the SDK's retries, may still succeed."""


@dataclass(slots=True)
class _Survey:
    """The items of a stream's partition, without their events.

    Attributes:
        commits: all commits, newest first.
        live: the newest commit if its generation is not closed; otherwise None.
        closed: the highest closed generation, from the fences above the live commits.
        snapshot_generation: generation of the snapshot; None without a snapshot.
        lasting_fences: version and closed generation of the fences that do not expire yet,
            because their deletion is not complete.
    """

    commits: list[Commit] = field(default_factory=list)
    live: Commit | None = None
    closed: int = 0
    snapshot_generation: int | None = None
    lasting_fences: list[tuple[int, int]] = field(default_factory=list)

    def close(self, generation: int, version: int) -> None:
        """Record that a fence was put at ``version`` and closed the current generation."""
        self.closed, self.live = generation, None
        self.lasting_fences = [f for f in self.lasting_fences if f[0] != version]
        self.lasting_fences.append((version, self.closed))

    def rounds(self) -> list[list[Commit]]:
        """Return the rounds of commits to replace. Within a round, the order does not matter.

        While a commit of the closed generation is at version 1, no new generation can begin. So
        that commit is alone in the last round.

        The rounds do not always have all commits. During a survey of several pages, another process
        may have finished the deletion and begun a generation, whose commits came with a later page.
        """
        doomed = [commit for commit in self.commits if commit.generation <= self.closed]
        return [[c for c in doomed if c.version > 1], [c for c in doomed if c.version == 1]]

    def take(self, item: Item) -> None:
        """Record the next item. Items come newest first."""
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
    """Delete a stream if it exists, and finish earlier deletions that crashed."""
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
            # Another process may have saved a snapshot since the survey.
            survey.snapshot_generation = max(head.generation, survey.snapshot_generation or 0)
        else:
            # An append or another deletion came first, or this fence's reply was lost.
            lost += 1
            if lost > 1:  # try again at once after the first loss
                yield Pause(lost)
            survey = yield from _survey(stream)
            if survey.live is not None and survey.live.generation != head.generation:
                return  # The generation has ended and is swept; the next one must stay.
    stream.heads.forget(stream.key)
    yield from _sweep(stream, survey)


def finish_deletion(stream: Stream) -> Steps[None]:
    """Finish a deletion that crashed; a live stream does not change."""
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
    if stream.id.category == BOUNDARY_CATEGORY and survey.closed:
        from dynamo_es.dynamodb.streams.boundaries.states import delete_states

        stream.heads.states.forget(key)
        yield from delete_states(stream, survey.closed)
    expires_at = int(stream.clock()) + FENCE_SECONDS
    for commits in survey.rounds():
        yield from _fence_all(stream, commits, expires_at)
    # This must come last: if a closing fence expired earlier, the commits below it would count
    # again.
    for version, closed in survey.lasting_fences:
        yield from _if_met(
            requests.expire_fence(table, key, version=version, closed=closed, expires_at=expires_at)
        )


def _fence_all(stream: Stream, commits: Sequence[Commit], expires_at: int) -> Steps[None]:
    """Turn commits into fences, in any order. Skip those that another process has replaced."""
    table, key = stream.table, stream.key
    if len(commits) == 1:
        yield from _fence(stream, commits[0], expires_at)
        return
    for begin in range(0, len(commits), _AT_ONCE):
        some = commits[begin : begin + _AT_ONCE]
        statements = [requests.turn_into_fence(table, key, c, expires_at) for c in some]
        outcomes = yield from execute_all(statements, f"table {table!r}")
        for commit, outcome in zip(some, outcomes, strict=True):
            if isinstance(outcome, _PASSING):
                # A partition takes 1,000 write units a second. Single puts wait for it.
                yield from _fence(stream, commit, expires_at)
            elif outcome is not None and not isinstance(outcome, ConditionRefused):
                raise outcome


def _fence(stream: Stream, commit: Commit, expires_at: int) -> Steps[None]:
    """Replace a commit by a fence, unless another process has done so."""
    fence = fence_item(
        stream.key, version=commit.version, closed=commit.generation, expires_at=expires_at
    )
    yield from _if_met(requests.put_fence_over(stream.table, commit, fence))


def _if_met(request: Request) -> Steps[bool]:
    """Send a conditional write; return whether its condition was met.

    If it was not, another process did the work.
    """
    try:
        yield request
    except ConditionRefused:
        return False
    return True
