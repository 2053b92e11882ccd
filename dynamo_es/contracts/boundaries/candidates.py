"""Conditional appends while their conditions are checked; every storage uses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynamo_es.contracts.boundaries.gathered import GatheredEvents
from dynamo_es.contracts.boundaries.strategy import copied, is_before, unreached_hint
from dynamo_es.exceptions import BoundaryConflictError, InvalidEventError
from dynamo_es.values import StoredVersion, matches_event

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from dynamo_es.contracts.boundaries.strategy import BoundaryResult, ConditionalAppend
    from dynamo_es.contracts.hooks import OutboxFilter
    from dynamo_es.values import RawEvent, StreamId


@dataclass(slots=True, eq=False)
class Candidate:
    """A conditional append while its condition is checked.

    Attributes:
        stream_id: the stream.
        append: the append.
        seen: version of the stream up to which the condition has been checked.
        result: its result; None until it has one.
    """

    stream_id: StreamId
    append: ConditionalAppend
    seen: int = field(init=False)
    result: BoundaryResult | None = field(default=None, init=False)
    _own: frozenset[UUID] = field(init=False)
    _stored: dict[UUID, int] = field(default_factory=dict, init=False)
    _matching: list[RawEvent] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._own = frozenset(event.uuid for event in self.append.events)
        self.start_over()

    def start_over(self) -> None:
        """Check the condition from the beginning: the stream is in another generation."""
        self.seen = self.after
        self._stored.clear()
        self._matching.clear()

    @property
    def after(self) -> int:
        """Version above which events matter to the condition."""
        return int(self.append.after or 0)

    @property
    def must_look(self) -> bool:
        """Whether the events after ``seen`` must be checked before the events are put."""
        append = self.append
        return append.query is not None or append.after is not None or self.is_partly_stored

    @property
    def is_partly_stored(self) -> bool:
        """Whether events of this append were found in the stream."""
        return bool(self._stored)

    def begin(self, head: StoredVersion) -> None:
        """Refuse the append if the stream has not reached ``after``. Needs a consistent read."""
        if is_before(head, self.append.after):
            self.result = self._conflict((), head, unreached_hint(self.after, head))

    def look_at(self, events: GatheredEvents, head: StoredVersion, *, complete: bool) -> None:
        """Check the condition against more events; set the result if they decide the append.

        Args:
            events: all events of the stream above ``seen`` and up to ``head``; earlier ones are
                ignored.
            head: version up to which they are complete, with its generation.
            complete: whether an append ends at ``head``, so that its events are all there.
        """
        if self._may_concern(events):
            self._look_at_each(events)
        self.seen = max(self.seen, head)
        if len(self._stored) == len(self._own):
            last = self._stored[self.append.events[-1].uuid]
            self.result = StoredVersion(last, head.generation, repeated=True)
        elif self._stored:
            if complete:
                self.result = self._partial()
        elif self._matching:
            self.result = self._conflict(tuple(self._matching), head)

    def _look_at_each(self, events: Iterable[RawEvent]) -> None:
        own, query = self._own, self.append.query
        for event in events:
            if event.version is None or event.version <= self.seen:
                continue
            if event.uuid in own:
                self._stored[event.uuid] = event.version
            if query is not None and matches_event(query, event):
                self._matching.append(event)

    def chosen(self, wanted: OutboxFilter | None) -> list[bool]:
        """Return whether the outbox publishes each event of the append.

        If the filter fails, its error becomes the result of this append only, and the list is
        empty.
        """
        if wanted is None:
            return [False] * len(self.append.events)
        try:
            return [wanted(event) for event in self.append.events]
        except Exception as error:  # noqa: BLE001 - the caller of this append gets it
            self.result = error
            return []

    def has_any(self, events: GatheredEvents) -> bool:
        """Return whether an event of the append is among these events."""
        return events.has_any(self._own)

    def goes_after(self, events: GatheredEvents) -> bool:
        """Return whether no event that the append has not seen decides it."""
        return not self._may_concern(events) or not any(
            (event.version or 0) > self.seen and self._is_decided_by(event) for event in events
        )

    def goes_with(self, accepted: GatheredEvents) -> bool:
        """Return whether the append can follow accepted events in the same commit."""
        return not self._may_concern(accepted) or not any(map(self._is_decided_by, accepted))

    def _may_concern(self, events: GatheredEvents) -> bool:
        query = self.append.query
        return events.has_any(self._own) or (query is not None and events.may_match(query))

    def _is_decided_by(self, event: RawEvent) -> bool:
        query = self.append.query
        return event.uuid in self._own or (query is not None and matches_event(query, event))

    def accept(self, last: int, generation: int, *, repeated: bool) -> None:
        """Set the result: the append is stored, its last event at version ``last``."""
        self.result = StoredVersion(last, generation, repeated=repeated)

    def _conflict(
        self, matching: tuple[RawEvent, ...], head: StoredVersion, hint: str = ""
    ) -> BoundaryConflictError:
        shown = tuple(map(copied, matching))
        return BoundaryConflictError(
            self.stream_id, self.append.query, self.after, head, shown, hint
        )

    def _partial(self) -> InvalidEventError:
        versions = ", ".join(str(version) for version in sorted(self._stored.values())[:5])
        return InvalidEventError(
            self.stream_id,
            f"{len(self._stored)} of {len(self.append.events)} events are stored already (versions "
            f"{versions}), and the others are not: append again only what you appended together.",
        )


def results_of(candidates: Iterable[Candidate]) -> list[BoundaryResult]:
    """Return the result of each candidate; each must have one."""
    return [candidate.result for candidate in candidates if candidate.result is not None]


def chosen_together(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the undecided candidates that can go into one commit, in order.

    A candidate is left out if its query matches an accepted append, or if it repeats one. It gets
    its result after that append is stored.
    """
    chosen: list[Candidate] = []
    accepted = GatheredEvents()
    for candidate in candidates:
        if candidate.result is None and candidate.goes_with(accepted):
            chosen.append(candidate)
            accepted.add(candidate.append.events)
    return chosen
