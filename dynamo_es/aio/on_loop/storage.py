"""The storage on DynamoDB for calls of tasks. Threads work on large events."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

from dynamo_es.aio.on_loop.gateway import why_call_ends
from dynamo_es.aio.on_loop.large_events import note_size
from dynamo_es.dynamodb.storage import DynamoStorage
from dynamo_es.exceptions import AppendOutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.contracts import EnlistedWrite, StreamAppend
    from dynamo_es.contracts.appends import StreamCheck
    from dynamo_es.contracts.boundaries.strategy import BoundaryResult, ConditionalAppend
    from dynamo_es.dynamodb.streams.appending.append import Append
    from dynamo_es.values import StoredVersion, StreamId


class AsyncDynamoStorage(DynamoStorage):
    """A `DynamoStorage` for calls of tasks."""

    def insert_many(self, appends: Sequence[StreamAppend]) -> list[StoredVersion | None]:
        """Append to many streams, each on its own; see `StorageStrategy.insert_many`."""
        # The appends are not checked yet; wrong ones are refused later.
        note_size(e for one in _seen(appends) for e in _seen(getattr(one, "events", ())))
        return super().insert_many(appends)

    def append(
        self,
        appends: Sequence[StreamAppend],
        writes: Sequence[EnlistedWrite],
        unchanged: Sequence[StreamCheck] = (),
    ) -> list[StoredVersion | None]:
        """Append to one stream or several unchecked; see `DynamoStorage.append`."""
        note_size(event for append in appends for event in append.events)
        return super().append(appends, writes, unchanged)

    def insert_unless(
        self, stream_id: StreamId, appends: Sequence[ConditionalAppend]
    ) -> list[BoundaryResult]:
        """Append under conditions; see `BoundaryStrategy.insert_unless`."""
        note_size(e for one in _seen(appends) for e in _seen(getattr(one, "events", ())))
        return super().insert_unless(stream_id, appends)

    def _announce(self, stored: Sequence[Append]) -> None:
        try:
            super()._announce(stored)
        except CancelledError as error:
            if error.__cause__ is None and stored:
                error.__cause__ = AppendOutcomeUnknownError(
                    stored[0].stream.id,
                    stored[0].expected,
                    f"the events are stored, and {why_call_ends()[1]} before the append returned.",
                )
            raise


def _seen(values: Any) -> Any:
    return values if isinstance(values, list | tuple) else ()
