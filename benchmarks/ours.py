"""Runs the workload on dynamo_es, measured by its own observer."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from benchmarks.metering import Cost
from benchmarks.workload import Refused
from dynamo_es import DynamoBackend, ExplicitVersioning, RawEvent, StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.sample import SampleEvent
    from dynamo_es import DynamoConfig, OperationReport


def stream_id(name: str) -> StreamId:
    """Return the id of a stream, derived as by the import of a history."""
    return StreamId(name=name, category="file")


def raw_events(stream: StreamId, events: Iterable[SampleEvent]) -> list[RawEvent]:
    """Return events of the sample as raw events of a stream."""
    return [
        RawEvent(
            event.uuid,
            stream,
            datetime.fromisoformat(event.created_at),
            event.name,
            event.data,
            event.context,
        )
        for event in events
    ]


class ObserverMeter:
    """Adds up the reports of operations."""

    def __init__(self) -> None:
        self.reports: list[OperationReport] = []

    def take(self) -> Cost:
        """Return the cost since the last call."""
        cost = Cost(
            sum(report.requests for report in self.reports),
            sum(report.write_units or 0.0 for report in self.reports),
            sum(report.read_units or 0.0 for report in self.reports),
        )
        self.reports.clear()
        return cost


class Ours:
    """A process that uses dynamo_es.

    Args:
        config: configuration, with ``report_capacity``.
        client: client, configured as dynamo_es does it.
    """

    has_snapshots = True

    def __init__(self, config: DynamoConfig, client: DynamoDBClient) -> None:
        self.meter = ObserverMeter()
        self._config = config
        self._client = client
        self.storage = self._new_process()

    def append(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Append in the process that wrote the stream."""
        stream_ = stream_id(stream)
        try:
            self.storage.insert_events(
                stream_, ExplicitVersioning(expected), raw_events(stream_, events)
            )
        except ConcurrentStreamWriteError as error:
            raise Refused from error

    def append_cold(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Append in another process, which has never read the stream."""
        stream_ = stream_id(stream)
        self._new_process().insert_events(
            stream_, ExplicitVersioning(expected), raw_events(stream_, events)
        )

    def load(self, stream: str) -> int:
        """Fetch all events."""
        return len(self.storage.fetch_events(stream_id(stream)))

    def load_cold(self, stream: str) -> int:
        """Fetch all events in another process, which has never read the stream."""
        return len(self._new_process().fetch_events(stream_id(stream)))

    def load_range(self, stream: str, start: int, stop: int) -> int:
        """Fetch the events of a range of versions."""
        return len(self.storage.fetch_events(stream_id(stream), start, stop))

    def save_snapshot(self, stream: str, version: int, state: dict[str, Any]) -> None:
        """Save a snapshot."""
        now = datetime.now().astimezone()
        self.storage.save_snapshot(
            RawEvent(uuid4(), stream_id(stream), now, "Snapshot", state, {}, version)
        )

    def load_from_snapshot(self, stream: str) -> int:
        """Fetch the snapshot and the events after it."""
        return self.load(stream)

    def _new_process(self) -> Any:
        return DynamoBackend(self._config, self._client, self.meter.reports.append).storage
