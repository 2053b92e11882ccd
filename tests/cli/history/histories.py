"""Makes histories for tests: lines, files, and the events that a store should then hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Self

from dynamo_es import RawEvent, StorageStrategy, StreamId
from dynamo_es.cli.history.importing import Importer, Settings
from dynamo_es.cli.history.importing.lines import Defaults, StreamOf, parse_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dynamo_es import Position, TenantId, Versioning
    from dynamo_es.cli.history.importing import LineError, Summary
    from dynamo_es.contracts import AppendCost, EnlistedWrite, StreamAppend, StreamCheck, StreamHead
    from dynamo_es.values import StoredVersion

SAMPLE = files("dynamo_es.cli.demonstration").joinpath("sample/history.jsonl.gz")
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def a_line(stream: Any = "a", number: int = 0, **changes: Any) -> bytes:
    """Return a line of a history; a change to None takes the field away."""
    fields = {
        "tenant": "acme",
        "category": "file",
        "stream": stream,
        "type": "Changed",
        "at": (BEGIN + timedelta(seconds=number)).isoformat(),
        "data": {"number": number},
        **changes,
    }
    kept = {field: value for field, value in fields.items() if value is not None}
    return json.dumps(kept).encode() + b"\n"


def history(streams: str) -> list[bytes]:
    """Return a history with an event for each letter, of the stream of that name."""
    return [a_line(stream, number) for number, stream in enumerate(streams)]


def expected(lines: Iterable[bytes]) -> dict[StreamOf, list[tuple[Any, ...]]]:
    """Return what the streams of well-formed lines have to hold."""
    streams: dict[StreamOf, list[tuple[Any, ...]]] = {}
    for number, text in enumerate(lines, 1):
        line = parse_line(text, number, Defaults())
        events = streams.setdefault(line.stream, [])
        events.append((len(events) + 1, line.name, line.created_at, line.data, {}))
    return streams


def stored(
    storage: StorageStrategy, streams: Iterable[StreamOf]
) -> dict[StreamOf, list[tuple[Any, ...]]]:
    """Return what a store holds of these streams."""
    return {
        stream: [
            (event.version, event.name, event.created_at, event.data, event.context)
            for event in load(storage, stream)
        ]
        for stream in streams
    }


def load(storage: StorageStrategy, stream: StreamOf) -> list[RawEvent]:
    return storage.scoped_for_tenant(stream.tenant_id).fetch_events(stream.id, start=1)


def import_lines(
    storage: StorageStrategy, lines: Sequence[bytes], **settings: Any
) -> tuple[Summary, list[LineError]]:
    """Import lines and return the summary and the problems, by their lines."""
    problems: list[LineError] = []
    importer = Importer(
        storage, Settings(**settings), on_problem=problems.append, sleep=lambda _: None
    )
    summary = importer.run(lines)
    return summary, sorted(problems, key=lambda problem: problem.line)


class Crash(BaseException):
    """The process ends here."""


class Watched(StorageStrategy):
    """Another storage, with something that happens before or after each append.

    Args:
        storage: where the calls go.
        before: called with the number of the append, 1-based; what it raises is raised.
        after: the same, when the events are stored.
    """

    def __init__(
        self,
        storage: StorageStrategy,
        before: Callable[[int], None] = lambda _: None,
        after: Callable[[int], None] = lambda _: None,
        calls: list[tuple[StreamId, int]] | None = None,
    ) -> None:
        self._storage = storage
        self._before = before
        self._after = after
        self.calls = [] if calls is None else calls

    def insert_events(
        self,
        stream_id: StreamId,
        versioning: Versioning,
        events: Sequence[RawEvent],
        *,
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> StoredVersion | None:
        assert not transact_with
        self.calls.append((stream_id, len(events)))
        number = len(self.calls)
        self._before(number)
        version = self._storage.insert_events(stream_id, versioning, events)
        self._after(number)
        return version

    def insert_all(
        self,
        appends: Sequence[StreamAppend],
        *,
        unchanged: Sequence[StreamCheck] = (),
        transact_with: Sequence[EnlistedWrite] = (),
    ) -> list[StoredVersion]:
        raise NotImplementedError

    def scoped_for_tenant(self, tenant_id: TenantId) -> Self:
        scoped = self._storage.scoped_for_tenant(tenant_id)
        return type(self)(scoped, self._before, self._after, self.calls)

    def fetch_events(
        self,
        stream_id: StreamId,
        start: int | None = None,
        stop: int | None = None,
        *,
        consistent: bool = True,
    ) -> list[RawEvent]:
        return self._storage.fetch_events(stream_id, start, stop, consistent=consistent)

    def iter_events(self, stream_id: StreamId, *args: Any, **options: Any) -> Iterator[RawEvent]:
        return self._storage.iter_events(stream_id, *args, **options)

    def head(self, stream_id: StreamId) -> StreamHead | None:
        return self._storage.head(stream_id)

    def append_cost(
        self, stream_id: StreamId, versioning: Versioning, events: Sequence[RawEvent]
    ) -> AppendCost:
        return self._storage.append_cost(stream_id, versioning, events)

    def save_snapshot(self, snapshot: RawEvent) -> None:
        raise NotImplementedError

    def delete_stream(self, stream_id: StreamId) -> None:
        self._storage.delete_stream(stream_id)

    @property
    def current_position(self) -> Position | None:
        return self._storage.current_position


def failing(
    storage: StorageStrategy, moment: str, numbers: Iterable[int], error: BaseException
) -> Watched:
    """Return a storage that fails "before" or "after" these appends are carried out."""
    fail = raises_at(numbers, error)
    return Watched(storage, before=fail) if moment == "before" else Watched(storage, after=fail)


def raises_at(numbers: Iterable[int], error: BaseException) -> Callable[[int], None]:
    """Return what raises at these appends, for `Watched`."""
    chosen = set(numbers)

    def raise_error(number: int) -> None:
        if number in chosen:
            raise error

    return raise_error
