"""Boundaries that are broken on purpose; `test_boundaries.py` must find each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.boundaries import candidates
from dynamo_es.contracts.boundaries import strategy as contract
from dynamo_es.contracts.boundaries.candidates import (
    Candidate,
)
from dynamo_es.contracts.boundaries.gathered import GatheredEvents
from dynamo_es.contracts.boundaries.strategy import (
    NO_STREAM,
    Matching,
)
from dynamo_es.dynamodb.streams.appending import append_unless
from dynamo_es.dynamodb.streams.appending.append_unless import ConditionalAppends
from dynamo_es.dynamodb.streams.boundaries import matching
from dynamo_es.dynamodb.streams.loading.load import newest_commit
from dynamo_es.values import StoredVersion, matches_event
from tests.linearizability import scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

    from dynamo_es.dynamodb.streams.appending.outcomes import Overtaken
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.values import Query


def only_the_item_in_the_way_is_matched(patch: pytest.MonkeyPatch) -> None:
    """After a lost race, the put goes to the new head, and what lies between is not matched."""
    right: Any = ConditionalAppends._read

    def read(self: Any) -> Steps[None]:
        if not self._lost:
            yield from right(self)
            return
        newest = yield from newest_commit(self.stream)
        self._know(None if newest is None else newest.head)
        self._look_at(GatheredEvents(), complete=True)

    patch.setattr(ConditionalAppends, "_read", read)


def head_is_read_after_the_events(patch: pytest.MonkeyPatch) -> None:
    """A read says that it is complete to a head that it reads later."""

    def fetch(
        stream: Stream, query: Query, after: int | None, lowest: int | None = None
    ) -> Steps[Matching]:
        _, events = yield from matching.read_after(stream, int(after or 0), lowest)
        newest = yield from newest_commit(stream)
        head = NO_STREAM if newest is None else StoredVersion(newest.last, newest.generation)
        contract.refuse_unreached(stream.id, query, after, head)
        return Matching(tuple(each for each in events if matches_event(query, each)), head)

    patch.setattr(matching, "fetch_matching", fetch)
    patch.setattr(scheduler, "fetch_matching", fetch)


def condition_is_skipped_on_the_second_try(patch: pytest.MonkeyPatch) -> None:
    """After a lost race, the put goes after the item in the way, which is not matched."""
    right: Any = ConditionalAppends._lose

    def lose(self: Any, outcome: Overtaken) -> Steps[None]:
        if outcome.commit is None or outcome.commit.head != outcome.head:
            yield from right(self, outcome)
            return
        self._know(outcome.commit.head)
        self._look_at(GatheredEvents(), complete=False)
        yield from self._wait()

    patch.setattr(ConditionalAppends, "_lose", lose)


def conditions_of_a_group_see_the_state_before_it(patch: pytest.MonkeyPatch) -> None:
    """An append is not refused by an earlier one of the same call."""

    def chosen(candidates: Iterable[Candidate]) -> list[Candidate]:
        return [candidate for candidate in candidates if candidate.result is None]

    patch.setattr(append_unless, "chosen_together", chosen)


def own_events_are_not_recognized(patch: pytest.MonkeyPatch) -> None:
    """An append that is repeated is matched with its own events, or stored twice."""
    right: Any = Candidate.look_at

    def look_at(self: Any, events: Any, head: StoredVersion, *, complete: bool) -> None:
        own = {event.uuid for event in self.append.events}
        others = GatheredEvents(e for e in events if e.uuid not in own)
        right(self, others, head, complete=complete)

    patch.setattr(Candidate, "look_at", look_at)


def generation_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """What was seen of a boundary before its deletion counts for the next one."""

    def is_before(head: StoredVersion, after: int | None) -> bool:
        return after is not None and head < after

    patch.setattr(contract, "is_before", is_before)
    patch.setattr(candidates, "is_before", is_before)
    patch.setattr(append_unless, "is_before", is_before)


BOUNDARIES: Final[list[Callable[[pytest.MonkeyPatch], None]]] = [
    only_the_item_in_the_way_is_matched,
    head_is_read_after_the_events,
    condition_is_skipped_on_the_second_try,
    conditions_of_a_group_see_the_state_before_it,
    own_events_are_not_recognized,
    generation_is_ignored,
]
"""Boundaries without a guard, which interleavings show."""
