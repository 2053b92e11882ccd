"""Reads the events in the records of a stream's commits, as steps of a projector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamo_es.aws_lambda.stream_batches import Unreadable
from dynamo_es.dynamodb.log.records import records_of
from dynamo_es.projections.missing import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.aws_lambda.records import CommitRecord
    from dynamo_es.contracts import Selection
    from dynamo_es.event_store.wrapped import WrappedEvent
    from dynamo_es.facade.backend import Backend
    from dynamo_es.values import RecordedRaw


class StreamReading:
    """Reads events from records.

    Args:
        backend: knows the classes of events.
        keep_unknown: whether an event without a class becomes an `UnknownEvent`.
    """

    def __init__(self, backend: Backend, *, keep_unknown: bool) -> None:
        self._backend = backend
        self._keep_unknown = keep_unknown

    def read(
        self, run: Sequence[CommitRecord], selection: Selection
    ) -> tuple[RecordedRaw | None, list[Step], Exception | None]:
        """Read the events of commits, up to the first one that cannot be read.

        Returns:
            One stored event, which names the stream, or None if no event could be read; the events
            to apply; and the error of the first event that could not be read, or None.
        """
        stream: RecordedRaw | None = None
        steps: list[Step] = []
        for record in run:
            try:
                raws = records_of(record.hint, record.item, 0)
                read = [Step(raw.entry.uuid, self._chosen(raw, selection)) for raw in raws]
            except Exception as error:  # noqa: BLE001 - the events before it are applied first
                return stream, steps, error
            stream = stream or raws[0]
            steps += read
        return stream, steps, None

    def _chosen(
        self, raw: RecordedRaw, selection: Selection
    ) -> WrappedEvent[Any] | Unreadable | None:
        """Return an event as an object of its class, or its error; None if it is not selected."""
        names = selection.event_names
        if names is not None and raw.entry.name not in names:
            return None
        try:
            return self._backend.deserialize(raw, keep_unknown=self._keep_unknown).wrapped_event
        except Exception as error:  # noqa: BLE001 - raised in its turn, after the events before it
            return Unreadable(error)
