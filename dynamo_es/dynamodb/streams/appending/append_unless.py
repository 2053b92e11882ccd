"""Appends to a boundary under conditions: events are put only if no unseen event matches a query.

An append is put at the version after a known head, and only after its query was compared with every
event up to that head. If another writer was faster, DynamoDB refuses the put and returns that
writer's item. Before the next put, the query is compared with this item and everything else up to
the new head. So a put that succeeds proves that the condition was met at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.boundaries.candidates import (
    Candidate,
    chosen_together,
    results_of,
)
from dynamo_es.contracts.boundaries.gathered import GatheredEvents
from dynamo_es.contracts.boundaries.strategy import (
    NO_STREAM,
    BoundaryResult,
    is_before,
)
from dynamo_es.dynamodb.streams.appending.append import Append
from dynamo_es.dynamodb.streams.appending.outcomes import Overtaken, Stored, StreamChanged
from dynamo_es.dynamodb.streams.boundaries.matching import (
    read_after,
    remember_more,
    remembered_after,
)
from dynamo_es.dynamodb.streams.loading.chain import events_of
from dynamo_es.dynamodb.streams.loading.load import newest_commit
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Pause
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    CommitTooLargeError,
    ContentionError,
    EventStoreError,
)
from dynamo_es.values import StoredVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.dynamodb.streams.items import Head
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps
    from dynamo_es.values import RawEvent

_JITTER: Final = 0.06
"""The longest wait after lost races, in seconds: the time of twelve puts.

In a simulation with 5 ms for a request and 100 appends a second by independent processes, an append
took 1.95 write units. Without a wait it took 2.06, with a wait and a read after each loss 2.17.
"""

_LOST_TWICE: Final = 2


@dataclass(slots=True)
class _OneCommit(Append):
    """The accepted appends of one try, combined into one append.

    Attributes:
        reason: why the outcome is unknown; None if it is known.
    """

    reason: str | None = field(default=None, init=False)

    @classmethod
    def with_events(cls, stream: Stream, events: Sequence[RawEvent]) -> _OneCommit:
        return cls(stream, events, expected=None, versionless=False)

    def put(self, head: Head | None) -> Steps[Stored | Overtaken]:
        """Put the events after a head. Without a head, begin the stream."""
        if head is not None:
            self._check_mixing(head)
            outcome = yield from self._put_after(head)
        else:
            created = yield from self._create()
            outcome = created if isinstance(created, Stored) else Overtaken(created.head, created)
        if isinstance(outcome, Stored):
            self.last = outcome.after + len(self.events)
        return outcome

    def _unknown(self, reason: str) -> AppendOutcomeUnknownError:
        self.reason = f"{reason}."
        return Append._unknown(self, reason)  # noqa: SLF001 - the base class; slots break super()


@dataclass(slots=True)
class ConditionalAppends:
    """Conditional appends to one stream. Run them once, then read the attributes.

    Attributes:
        stream: the stream.
        candidates: the appends, already checked.
        stored: the stored appends to announce: each put, and each append that was stored before.
    """

    stream: Stream
    candidates: Sequence[Candidate]
    stored: list[Append] = field(default_factory=list, init=False)
    _head: Head | None = field(default=None, init=False)
    _is_known: bool = field(default=False, init=False)
    _generation: int | None = field(default=None, init=False)
    _most: int = field(init=False)
    _lost: int = field(default=0, init=False)

    def run(self) -> Steps[list[BoundaryResult]]:
        """Carry out the appends; return the results of `BoundaryStrategy.insert_unless`."""
        self._most = len(self.candidates)
        self._choose_for_outbox()
        self._begin()
        while self._undecided():
            try:
                yield from self._try()
            except OutcomeUnknown as unknown:
                self._fail(unknown.error)
            except EventStoreError as error:
                self._fail(error)
        return results_of(self.candidates)

    def _choose_for_outbox(self) -> None:
        """Call the outbox filter once for each event, before anything is sent."""
        wanted = self.stream.outbox
        if wanted is None:
            return
        chosen = {
            event.uuid
            for candidate in self.candidates
            for event, mark in zip(candidate.append.events, candidate.chosen(wanted), strict=False)
            if mark
        }
        self.stream = replace(self.stream, outbox=lambda event: event.uuid in chosen)

    def _begin(self) -> None:
        """Begin with the remembered head, or without one if a caller saw an empty stream."""
        head = self.stream.heads.get(self.stream.key)
        if head is not None and not head.versionless:
            self._know(head)
        elif all(candidate.append.after == 0 for candidate in self.candidates):
            self._is_known = True

    def _try(self) -> Steps[None]:
        if not self._is_known or self._is_anything_unseen():
            yield from self._read()
            return
        try:
            yield from self._put()
        except StreamChanged:
            self._lose_track()
            yield from self._wait()

    def _undecided(self) -> list[Candidate]:
        return [candidate for candidate in self.candidates if candidate.result is None]

    def _looking(self) -> list[Candidate]:
        return [candidate for candidate in self._undecided() if candidate.must_look]

    def _is_anything_unseen(self) -> bool:
        head = self._seen_head()
        return self._is_outdated() or any(
            each.seen < head or each.is_partly_stored for each in self._looking()
        )

    def _is_outdated(self) -> bool:
        """Return whether a caller has seen more than the known head, or another generation."""
        head = self._seen_head()
        return any(is_before(head, each.append.after) for each in self._undecided())

    def _seen_head(self) -> StoredVersion:
        head = self._head
        return NO_STREAM if head is None else StoredVersion(head.version, head.generation)

    def _know(self, head: Head | None) -> None:
        self._head, self._is_known = head, True
        self._generation = None if head is None else head.generation

    def _lose_track(self) -> None:
        self._is_known = False

    def _read(self) -> Steps[None]:
        """Read the head and all events that an append has not seen, and match them."""
        looking = self._looking()
        partly = any(each.is_partly_stored for each in looking)
        floor = min((each.seen for each in looking), default=0)
        if self._is_known and self._head is not None and not partly and not self._is_outdated():
            remembered = remembered_after(self.stream, floor, self._head)
            # Remembered events alone decide nothing, because another process may have deleted the
            # stream since. A put at the head, or a read, proves that the stream still exists.
            gathered = GatheredEvents(remembered or ())
            if remembered is not None and all(each.goes_after(gathered) for each in looking):
                self._look_at(gathered)
                return
        events: Sequence[RawEvent] = ()
        if looking:
            newest, events = yield from read_after(self.stream, floor)
        else:
            newest = yield from newest_commit(self.stream)
        before = self._generation
        self._know(None if newest is None else newest.head)
        if before not in (None, self._generation):
            for each in self._undecided():
                each.start_over()
            if any(each.seen < floor for each in looking):
                self._lose_track()  # The read began too high for the new generation.
                return
        for each in self._undecided():
            each.begin(self._seen_head())
        # A query may show only a part of a transaction. If the next query shows no more, that was
        # all.
        self._look_at(GatheredEvents(events), complete=partly)

    def _look_at(self, events: GatheredEvents, *, complete: bool = False) -> None:
        """Match events that end at the known head."""
        for candidate in self._undecided():
            candidate.look_at(events, self._seen_head(), complete=complete)
            if isinstance(candidate.result, StoredVersion):
                self._note_stored_before(candidate.append.events, candidate.result)

    def _note_stored_before(self, events: Sequence[RawEvent], version: StoredVersion) -> None:
        append = _OneCommit.with_events(self.stream, events)
        append.last, append.stored_in = int(version), version.generation
        self.stored.append(append)

    def _put(self) -> Steps[None]:
        """Put the appends that fit together; after a lost race, match the faster writer's item."""
        chosen = chosen_together(self._undecided())[: self._most]
        events = [event for candidate in chosen for event in candidate.append.events]
        append = _OneCommit.with_events(self.stream, events)
        try:
            outcome = yield from append.put(self._head)
        except CommitTooLargeError as error:
            if len(chosen) == 1:
                chosen[0].result = error
            self._most = max(len(chosen) // 2, 1)
        except AppendOutcomeUnknownError:
            self._fail_unknown(append)
        else:
            if isinstance(outcome, Stored):
                self._accept(append, outcome.after, chosen)
            else:
                yield from self._lose(outcome)

    def _accept(self, append: Append, after: int, chosen: Sequence[Candidate]) -> None:
        self.stored.append(append)
        version, generation = after, append.stored_in
        for candidate in chosen:
            version += len(candidate.append.events)
            candidate.accept(version, generation, repeated=not append.commits)
        for commit in append.commits:
            remember_more(
                self.stream, commit, events_of(self.stream, self.stream.id, commit, 1, None)
            )
        if not self._undecided():
            return
        if not append.commits:
            self._lose_track()  # The events were stored before, so others may follow them by now.
            return
        self._know(append.commits[-1].head)
        stored = GatheredEvents(
            replace(event, version=place, generation=generation)
            for place, event in enumerate(append.events, after + 1)
        )
        self._look_at(stored, complete=True)

    def _lose(self, outcome: Overtaken) -> Steps[None]:
        """Match the item that refused the put, and continue after it.

        That saves a read. But a writer that is several commits late would never catch up, so
        `_wait` sometimes reads instead.
        """
        at = self._seen_head()
        commit = outcome.commit
        self._lose_track()
        if (
            commit is not None
            and outcome.head == commit.head
            and commit.version == at + 1
            and not commit.versionless
            and (self._head is None or commit.generation == self._generation)
        ):
            events = events_of(self.stream, self.stream.id, commit, 1, None)
            remember_more(self.stream, commit, events)
            # A running deletion may still remove the item. So only a read can confirm that an
            # append is stored.
            faster = GatheredEvents(events)
            if not any(each.has_any(faster) for each in self._undecided()):
                self._know(commit.head)
                self._look_at(faster)
                self._is_known = True
        yield from self._wait()

    def _wait(self) -> Steps[None]:
        """After the second loss, and every third one, wait a random time and read up to the head.

        The random wait separates writers that lost the same race. After other losses, trying again
        at once usually wins, because the faster writer has just finished.
        """
        self._lost += 1
        if self._lost % 3 == _LOST_TWICE and self._undecided():
            self._lose_track()
            try:
                yield Pause(self._lost, within=_JITTER)
            except ContentionError:
                # The deadline has passed. But a process that was suspended loses races to commits
                # that it has not seen. So it reads up to the head and tries once more.
                if self._lost > _LOST_TWICE:
                    raise

    def _fail(self, error: EventStoreError) -> None:
        for candidate in self._undecided():
            candidate.result = error

    def _fail_unknown(self, append: _OneCommit) -> None:
        """Report for each undecided append that its outcome is unknown."""
        for candidate in self._undecided():
            expected = candidate.after if candidate.must_look else None
            candidate.result = AppendOutcomeUnknownError(
                self.stream.id, expected, append.reason or ""
            )
