"""Real events, to measure with: the file histories that come with the package.

Standard library only: a driver of another store runs it in an environment without dynamo_es.
"""

from __future__ import annotations

import gzip
import json
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

_FILE: Final = Path(__file__).parents[1] / "dynamo_es" / "cli" / "sample" / "history.jsonl.gz"


class SampleEvent(NamedTuple):
    """One event of the history.

    Attributes:
        uuid: a new one for each time it is taken.
        stream: tenant and file it belongs to.
        name: type of the event.
        created_at: as the file has it, ISO 8601.
        data: payload.
        context: ids by name; of the history itself, none.
    """

    uuid: UUID
    stream: str
    name: str
    created_at: str
    data: dict[str, Any]
    context: dict[str, str]


class Sample:
    """The history, to take events from; begins again when it is used up.

    Args:
        file: another history, in the form in which `dynamo-es import` takes it, packed by gzip;
            None: the one that comes with the package.
    """

    def __init__(self, file: Path | None = None) -> None:
        with gzip.open(file or _FILE, "rt", encoding="utf-8") as lines:
            self._lines: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self._next = count()

    def __len__(self) -> int:
        """Events of the history."""
        return len(self._lines)

    def take(self, number: int) -> list[SampleEvent]:
        """Return the next events, of whatever stream, as if they were of one."""
        return [self._event(next(self._next) % len(self._lines)) for _ in range(number)]

    def rewind(self) -> None:
        """Begin again: what is compared is given the same events."""
        self._next = count()

    def commits(self, size: int, events: int) -> dict[str, list[list[SampleEvent]]]:
        """Return the first so many events by stream, each stream in commits of up to ``size``."""
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
    """Return a state such as a snapshot would hold: totals, and the commits seen last."""
    return {
        "lines_added": sum(event.data.get("lines_added") or 0 for event in events),
        "lines_deleted": sum(event.data.get("lines_deleted") or 0 for event in events),
        "latest_commits": [event.data.get("commit") for event in events[-10:]],
    }


def with_context(events: list[SampleEvent]) -> list[SampleEvent]:
    """Return events with the ids of context that event stores usually keep, all different."""
    return [
        event._replace(context={"correlation_id": str(uuid4()), "causation_id": str(uuid4())})
        for event in events
    ]
