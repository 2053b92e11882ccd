"""Runs the workload on eventsourcing-dynamodb, in an environment without dynamo_es.

    PYTHONPATH=CHECKOUT PYTHON -m benchmarks.eventsourcing_driver ENDPOINT TABLE EVENTS

It prints one JSON document: the costs, as lists of the fields of `Cost`, and the other results.
"""

from __future__ import annotations

import json
import sys
from dataclasses import astuple
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from eventsourcing.persistence import StoredEvent  # type: ignore[import-not-found,unused-ignore]
from eventsourcing.utils import Environment  # type: ignore[import-not-found,unused-ignore]
from eventsourcing_dynamodb import Factory  # type: ignore[import-not-found,unused-ignore]

from benchmarks.metering import ClientMeter
from benchmarks.sample import Sample
from benchmarks.workload import HISTORY_COMMIT_SIZES, Refused, run_history, run_operations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.sample import SampleEvent

_NAMESPACE = UUID("3a24a3ee-d33d-4266-93ab-7d8e256a6d44")


class Eventsourcing:
    """Calls the recorder of eventsourcing-dynamodb with stored events like those of its mapper."""

    # Its snapshots overwrite events: see `snapshot_replaces_event`.
    has_snapshots = False

    def __init__(self, endpoint_url: str, table: str) -> None:
        environment = {"DYNAMO_TABLE": table, "DYNAMO_ENDPOINT_URL": endpoint_url}
        self._factory = Factory(Environment("bench", environment))
        self.recorder = self._factory.application_recorder()
        self.meter = ClientMeter(self.recorder.dynamo_resource.meta.client)

    def append(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Insert the events after a version."""
        self.recorder.insert_events(
            [_stored(stream, number, event) for number, event in enumerate(events, expected + 1)]
        )

    def append_cold(self, stream: str, expected: int, events: Sequence[SampleEvent]) -> None:
        """Select the events, as the library's repository does, and insert after the last one."""
        stored = self.recorder.select_events(_id(stream))
        if stored[-1].originator_version != expected:
            raise Refused
        self.append(stream, expected, events)

    def load(self, stream: str) -> int:
        """Select all events."""
        return len(self.recorder.select_events(_id(stream)))

    def save_snapshot(self, stream: str, version: int, state: dict[str, Any]) -> None:
        """Not run."""
        raise NotImplementedError

    def load_from_snapshot(self, stream: str) -> int:
        """Not run."""
        raise NotImplementedError

    def snapshot_replaces_event(self) -> bool:
        """Save a snapshot as the library does; return whether it overwrote an event."""
        sample = Sample()
        self.append("snapshots", 0, sample.take(3))
        before = self.recorder.select_events(_id("snapshots"))
        snapshots = self._factory.aggregate_recorder(purpose="snapshots")
        snapshots.insert_events([_stored("snapshots", 3, sample.take(1)[0])])
        return bool(self.recorder.select_events(_id("snapshots"))[2] != before[2])


def _id(stream: str) -> UUID:
    return uuid5(_NAMESPACE, stream)


def _stored(stream: str, number: int, event: SampleEvent) -> StoredEvent:
    state = json.dumps(
        {"timestamp": event.created_at, **event.data}, separators=(",", ":")
    ).encode()
    return StoredEvent(_id(stream), number, f"history.domain:File.{event.name}", state)


def main() -> None:
    """Run the workload and print the results."""
    endpoint_url, table, events = sys.argv[1:]
    store = Eventsourcing(endpoint_url, table)
    operations = run_operations(store)
    histories = {size: run_history(store, size, int(events)) for size in HISTORY_COMMIT_SIZES}
    found = {
        "versions": {
            name: version(name) for name in ("eventsourcing", "eventsourcing-dynamodb", "boto3")
        },
        "operations": {name: astuple(cost) for name, cost in operations.items()},
        "histories": {size: [astuple(cost) for cost in costs] for size, costs in histories.items()},
        "snapshot_replaces_event": store.snapshot_replaces_event(),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
