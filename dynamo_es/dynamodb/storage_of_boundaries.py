"""The part of `DynamoStorage` for boundaries. The first call imports their algorithms.

- `streams.boundaries` reads and matches events, and keeps saved states.
- `streams.appending.append_unless` appends under conditions.
- `streams.remembered` holds the events and saved states that this process knows.
- `tag_index` finds events by tag without reading the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.contracts.boundaries.states import (
    Part,
    StateStrategy,
    check_boundary,
    check_keys,
    check_parts,
    check_state,
    lowest_of,
    query_of,
    wanted_of,
)
from dynamo_es.contracts.boundaries.strategy import (
    BOUNDARY_CATEGORY,
    check_after,
    check_conditionals,
    check_query,
)
from dynamo_es.contracts.checks.arguments import check_count
from dynamo_es.exceptions import BoundaryConflictError, TableNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts.boundaries.strategy import BoundaryResult, ConditionalAppend, Matching
    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.streams.appending.append import Append
    from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
    from dynamo_es.dynamodb.streams.stream import Stream
    from dynamo_es.dynamodb.wire.steps import Steps, T
    from dynamo_es.values import Query, RawEvent, StreamId


class BoundaryAppends(StateStrategy):
    """Conditional appends and reads on DynamoDB. A subclass runs the steps of the algorithms."""

    _config: DynamoConfig
    _heads: RememberedHeads

    def insert_unless(
        self, stream_id: StreamId, appends: Sequence[ConditionalAppend]
    ) -> list[BoundaryResult]:
        """Append under conditions; see `BoundaryStrategy.insert_unless`."""
        from dynamo_es.contracts.boundaries.candidates import Candidate
        from dynamo_es.dynamodb.streams.appending.append_unless import ConditionalAppends

        check_conditionals(stream_id, appends)
        self._config.refuse_in_replica("append")
        stream = self._stream(stream_id)
        work = ConditionalAppends(stream, [Candidate(stream_id, append) for append in appends])
        results = self._run("append", stream_id, work.run())
        if any(isinstance(result, TableNotFoundError) for result in results):
            self._heads.clear()  # The next table with this name is another one.
        self._announce(work.stored)
        return results

    def fetch_matching(
        self, stream_id: StreamId, query: Query, after: int | None = None
    ) -> Matching:
        """Return the events that match; see `BoundaryStrategy.fetch_matching`."""
        from dynamo_es.dynamodb.streams.boundaries.matching import fetch_matching

        check_query(query)
        check_after(after)
        found = self._fetch_by_index(stream_id, [Part(query, after)])
        if found is not None:
            return found
        return self._run("load", stream_id, fetch_matching(self._stream(stream_id), query, after))

    def fetch_parts(self, stream_id: StreamId, parts: Sequence[Part]) -> Matching:
        """Return the events of several parts; see `StateStrategy.fetch_parts`."""
        from dynamo_es.dynamodb.streams.boundaries.matching import fetch_matching

        check_parts(parts)
        try:
            found = self._fetch_by_index(stream_id, parts)
            if found is not None:
                return found
            stream, after = self._stream(stream_id), lowest_of(parts)
            # A saved state is at the end of a commit, and mostly a commit follows it.
            lowest = int(after) + 1 if after else None
            steps = fetch_matching(stream, query_of(parts), after, lowest)
            return wanted_of(stream_id, parts, self._run("load", stream_id, steps))
        except BoundaryConflictError:
            # The remembered states are of an earlier generation.
            self._heads.states.forget(self._stream(stream_id).key)
            raise

    def _fetch_by_index(self, stream_id: StreamId, parts: Sequence[Part]) -> Matching | None:
        """Return the events of several parts from the tag index; None: read the stream instead."""
        from dynamo_es.dynamodb.streams.boundaries.matching import is_remembered

        stream = self._stream(stream_id)
        if not self._config.tag_index or is_remembered(stream, min(part.floor for part in parts)):
            return None
        from dynamo_es.dynamodb.tag_index.items import IndexKeys
        from dynamo_es.dynamodb.tag_index.reading import fetch_by_index, is_indexed

        if not any(is_indexed(part.query) for part in parts):
            return None
        keys = IndexKeys.of(self._config.log_table, stream.key)
        return self._run("load", stream_id, fetch_by_index(stream, keys, parts))

    def fetch_states(self, stream_id: StreamId, keys: Sequence[str]) -> list[RawEvent | None]:
        """Return saved states; see `StateStrategy.fetch_states`."""
        from dynamo_es.dynamodb.streams.boundaries.states import fetch_states

        check_boundary(stream_id)
        check_keys(keys)
        steps = fetch_states(self._stream(stream_id), keys)
        return self._run("load_states", stream_id, steps)

    def save_state(self, key: str, state: RawEvent) -> None:
        """Save a state; see `StateStrategy.save_state`."""
        from dynamo_es.dynamodb.streams.boundaries.states import save_state

        check_state(key, state)
        self._config.refuse_in_replica("save_state")
        steps = save_state(self._stream(state.stream_id), key, state)
        self._run("save_state", state.stream_id, steps)

    def index_tags(self, stream_id: StreamId, most: int = 1_000) -> int:
        """Bring the tag index forward; see `BoundaryStrategy.index_tags`."""
        from dynamo_es.dynamodb.tag_index.items import IndexKeys
        from dynamo_es.dynamodb.tag_index.writing import index_tags

        check_count("most", most)
        self._config.refuse_in_replica("index_tags")
        stream = self._stream(stream_id)
        keys = IndexKeys.of(self._config.log_table, stream.key)
        return self._run("index_tags", stream_id, index_tags(stream, keys, most))

    def _remove_index(self, stream: Stream) -> None:
        """Delete the tag index of a boundary that was deleted."""
        if stream.id.category != BOUNDARY_CATEGORY and not self._config.tag_index:
            return  # Other streams have no index, unless a program has asked for one.
        from dynamo_es.dynamodb.tag_index.items import IndexKeys
        from dynamo_es.dynamodb.tag_index.writing import remove_index

        keys = IndexKeys.of(self._config.log_table, stream.key)
        self._run("delete", stream.id, remove_index(stream, keys))

    def _stream(self, stream_id: StreamId) -> Stream:
        raise NotImplementedError

    def _run(self, operation: str, stream_id: StreamId, steps: Steps[T]) -> T:
        raise NotImplementedError

    def _announce(self, stored: Sequence[Append]) -> None:
        raise NotImplementedError
