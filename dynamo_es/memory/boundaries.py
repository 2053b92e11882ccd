"""The part of `MemoryStorage` that boundaries need."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dynamo_es.contracts import StreamAppend
from dynamo_es.contracts.boundaries.candidates import (
    Candidate,
    chosen_together,
    results_of,
)
from dynamo_es.contracts.boundaries.gathered import GatheredEvents
from dynamo_es.contracts.boundaries.states import check_boundary, check_keys, check_state
from dynamo_es.contracts.boundaries.strategy import (
    NO_STREAM,
    Matching,
    check_after,
    check_conditionals,
    check_query,
    refuse_unreached,
)
from dynamo_es.contracts.stream_keys import check_names
from dynamo_es.exceptions import CommitTooLargeError, ExpectedVersionUsedOnVersionlessStream
from dynamo_es.memory.appends import MemoryAppends
from dynamo_es.memory.data import copy_event
from dynamo_es.memory.limits import check_append_size, check_state_size
from dynamo_es.values import ANY_VERSION, StoredVersion, matches_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts.boundaries.strategy import BoundaryResult, ConditionalAppend
    from dynamo_es.memory.appends import Notice
    from dynamo_es.memory.data import StoredStream
    from dynamo_es.values import Query, RawEvent, StreamId


class BoundaryAppends(MemoryAppends):
    """Conditional appends and reads in memory, for `MemoryStorage`."""

    def insert_unless(
        self, stream_id: StreamId, appends: Sequence[ConditionalAppend]
    ) -> list[BoundaryResult]:
        """Append under conditions; see `BoundaryStrategy.insert_unless`."""
        check_conditionals(stream_id, appends)
        identity = self._identify(stream_id)
        candidates = [
            Candidate(stream_id, replace(each, events=[copy_event(event) for event in each.events]))
            for each in appends
        ]
        marks = [each.chosen(self.hooks.outbox_filter) for each in candidates]
        notices: list[Notice] = []
        with self._data.lock:
            stream = self._data.streams.get(identity)
            _look_at_all(stream_id, stream, candidates)
            for each in candidates:
                each.result = each.result or self._too_large(each)
            together = chosen_together(candidates)
            if together:
                pairs = zip(candidates, marks, strict=True)
                outbox = [mark for each, own in pairs if each in together for mark in own]
                commit = [event for each in together for event in each.append.events]
                stream, first = self._store(
                    StreamAppend(stream_id, ANY_VERSION, commit), outbox, repeated=False
                )
                notices.append(self._notice_of(stream, first, len(commit)))
                _accept(candidates, together, stream, first)
            for each in candidates:
                if isinstance(each.result, StoredVersion) and each.result.repeated and stream:
                    count = len(each.append.events)
                    notices.append(self._notice_of(stream, each.result - count, count))
        self._notify(notices)
        return results_of(candidates)

    def _too_large(self, candidate: Candidate) -> CommitTooLargeError | None:
        """Return the error of an append that does not fit into one write; None if it fits."""
        append = StreamAppend(candidate.stream_id, ANY_VERSION, candidate.append.events)
        try:
            check_names(candidate.stream_id, append.events)
            check_append_size(self._tenant_id, append)
        except CommitTooLargeError as error:
            return error
        return None

    def fetch_matching(
        self, stream_id: StreamId, query: Query, after: int | None = None
    ) -> Matching:
        """Return the events that match; see `BoundaryStrategy.fetch_matching`."""
        check_query(query)
        check_after(after)
        identity = self._identify(stream_id)
        with self._data.lock:
            stream = self._data.streams.get(identity)
            if stream is not None and not stream.versioned:
                raise ExpectedVersionUsedOnVersionlessStream(stream_id)
            head = _head_of(stream)
            refuse_unreached(stream_id, query, after, head)
            unseen = [] if stream is None else stream.events[int(after or 0) :]
            found = [copy_event(event) for event in unseen if matches_event(query, event)]
        return Matching(tuple(found), head)

    def fetch_states(self, stream_id: StreamId, keys: Sequence[str]) -> list[RawEvent | None]:
        """Return saved states; see `StateStrategy.fetch_states`."""
        check_boundary(stream_id)
        check_keys(keys)
        identity = self._identify(stream_id)
        with self._data.lock:
            stream = self._data.streams.get(identity)
            saved = [None if stream is None else stream.states.get(key) for key in keys]
        return [None if state is None else copy_event(state) for state in saved]

    def save_state(self, key: str, state: RawEvent) -> None:
        """Save a state; see `StateStrategy.save_state`."""
        version = check_state(key, state)
        identity = self._identify(state.stream_id)
        copy = copy_event(state)
        check_state_size(self._tenant_id, key, copy)
        with self._data.lock:
            stream = self._data.streams.get(identity)
            if stream is None or stream.generation != state.generation:
                return
            saved = stream.states.get(key)
            if saved is None or version > (saved.version or 0):
                stream.states[key] = copy


def _look_at_all(
    stream_id: StreamId, stream: StoredStream | None, candidates: Sequence[Candidate]
) -> None:
    """Check each append against the stream before any of them is stored."""
    head = _head_of(stream)
    for candidate in candidates:
        if stream is not None and not stream.versioned:
            candidate.result = ExpectedVersionUsedOnVersionlessStream(stream_id)
            continue
        candidate.begin(head)
        if candidate.result is None and candidate.must_look and stream is not None:
            unseen = GatheredEvents(stream.events[candidate.seen :])
            candidate.look_at(unseen, head, complete=True)


def _accept(
    candidates: Sequence[Candidate],
    together: Sequence[Candidate],
    stream: StoredStream,
    first: int,
) -> None:
    """Set the results of the appends that were stored, and of those that match or repeat them."""
    last = first
    for candidate in together:
        last += len(candidate.append.events)
        candidate.accept(last, stream.generation, repeated=False)
    stored = GatheredEvents(stream.events[first:last])
    for candidate in candidates:
        if candidate.result is None:
            candidate.look_at(stored, _head_of(stream), complete=True)


def _head_of(stream: StoredStream | None) -> StoredVersion:
    return NO_STREAM if stream is None else StoredVersion(stream.version, stream.generation)
