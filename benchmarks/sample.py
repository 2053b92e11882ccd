"""Provides real events to measure with: the file histories in the package.

It uses only the standard library, so that drivers of other stores can run it without dynamo_es.
"""

from __future__ import annotations

import gzip
import json
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

_FILE: Final = (
    Path(__file__).parents[1]
    / "dynamo_es"
    / "cli"
    / "demonstration"
    / "sample"
    / "history.jsonl.gz"
)


class SampleEvent(NamedTuple):
    """One event of the history.

    Attributes:
        uuid: id of the event, new each time that the event is taken.
        stream: tenant and file of the event.
        name: type of the event.
        created_at: time in ISO 8601, as in the file.
        data: payload.
        context: ids by name; empty in the history itself.
    """

    uuid: UUID
    stream: str
    name: str
    created_at: str
    data: dict[str, Any]
    context: dict[str, str]


class Sample:
    """Yields events of a history, and begins again after the last one.

    Args:
        file: a history in the format of `dynamo-es import`, compressed by gzip; None for the sample
            of the package.
    """

    def __init__(self, file: Path | None = None) -> None:
        with gzip.open(file or _FILE, "rt", encoding="utf-8") as lines:
            self._lines: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self._next = count()

    def __len__(self) -> int:
        """Return the number of events in the history."""
        return len(self._lines)

    def take(self, number: int) -> list[SampleEvent]:
        """Return the next ``number`` events, whatever streams they are from."""
        return [self._event(next(self._next) % len(self._lines)) for _ in range(number)]

    def rewind(self) -> None:
        """Go back to the first event, so that what is compared gets the same events."""
        self._next = count()

    def commits(self, size: int, events: int) -> dict[str, list[list[SampleEvent]]]:
        """Return the first ``events`` events by stream, in commits of up to ``size``."""
        streams: dict[str, list[SampleEvent]] = {}
        for index in range(min(events, len(self))):
            event = self._event(index)
            streams.setdefault(event.stream, []).append(event)
        return {
            name: [stream[at : at + size] for at in range(0, len(stream), size)]
            for name, stream in streams.items()
        }

    def _event(self, index: int) -> SampleEvent:
        line = self._lines[index]
        stream = f"{line['tenant']}/{line['stream']}"
        return SampleEvent(uuid4(), stream, line["type"], line["at"], line["data"], {})


def snapshot_of(events: list[SampleEvent]) -> dict[str, Any]:
    """Return a state as in a snapshot: totals, and the last commits of the repository."""
    return {
        "lines_added": sum(event.data.get("lines_added") or 0 for event in events),
        "lines_deleted": sum(event.data.get("lines_deleted") or 0 for event in events),
        "latest_commits": [event.data.get("commit") for event in events[-10:]],
    }


def with_context(events: list[SampleEvent]) -> list[SampleEvent]:
    """Return events with two different ids in the context, as event stores usually have them."""
    return [
        event._replace(context={"correlation_id": str(uuid4()), "causation_id": str(uuid4())})
        for event in events
    ]
