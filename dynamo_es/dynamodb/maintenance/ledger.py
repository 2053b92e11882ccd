"""`Ledger`: for each generation of a stream, the versions that the pages of the log hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.dynamodb.log.logs import Logs
    from dynamo_es.dynamodb.log.markers import Marker
    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.values import Position


@dataclass(slots=True)
class LedgerEntry:
    """The part of a stream's generation that is in the log.

    Attributes:
        last: last version in the log.
        gaps: first and last version of each run of versions that the log leaves out, because a
            deletion was faster than the sequencer.
        stream_key: partition key of the stream.
        generation: number of the generation.
        digest: sum of the hashes of the log's pointers to the commits, independent of their order.
        stored: the same sum for the commits in the events table.
    """

    last: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    stream_key: str = ""
    generation: int = 0
    digest: int = 0
    stored: int = 0


class Ledger:
    """Adds up the pages of the log, in order, and reports each contradiction.

    Args:
        note: called with each fault, a sentence.

    Attributes:
        entries: the entry of each generation, by its marker.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self.entries: dict[Marker, LedgerEntry] = {}
        self._note = note
        self._ended: dict[str, int] = {}
        self._following: Position | None = 1
        self._before_last_page: dict[Marker, int] = {}

    def add(self, page: Page) -> None:
        """Add a page."""
        if self._following is not None and page.first != self._following:
            self._note(
                f"A page begins at position {page.first}, but the one before it ends at "
                f"{self._following - 1}. Positions must have no gaps."
            )
        self._following = page.following
        self._before_last_page = {}
        position = page.first
        for pointer in page.pointers:
            self._add(pointer, position)
            position += pointer.event_count

    def skip_page(self) -> None:
        """Skip a page that cannot be read."""
        self._following = None

    def _add(self, pointer: Pointer, position: Position) -> None:
        marker = pointer.marker
        entry = self.entries.get(marker)
        if entry is None:
            entry = LedgerEntry(stream_key=pointer.stream_key, generation=pointer.generation)
            self.entries[marker] = entry
            self._ended[pointer.stream_key] = 0
        entry.digest += hash(pointer)
        self._before_last_page.setdefault(marker, entry.last)
        if pointer.first_version <= entry.last:
            self._note(
                f"Position {position} is given to {name_commit(pointer)} although the log was "
                f"already at version {entry.last} of that stream: the commit has a second "
                "position, or one out of order."
            )
        elif pointer.first_version > entry.last + 1:
            entry.gaps.append((entry.last + 1, pointer.first_version - 1))
        entry.last = max(entry.last, pointer.last_version)

    def is_new(self, commit: Pointer) -> bool:
        """Return whether a commit comes after the last version of its stream in the log."""
        entry = self.entries.get(commit.marker)
        return entry is None or commit.first_version > entry.last

    def has(self, commit: Pointer) -> bool:
        """Return whether a stored, not new commit is in the log. If not, report a fault."""
        entry = self.entries[commit.marker]
        entry.stored += hash(commit)
        for first, last in entry.gaps:
            if first <= commit.first_version <= last:
                self._note(
                    f"Not in the log: {name_commit(commit)} although the log is at version "
                    f"{entry.last} of that stream. It will never get a position."
                )
                return False
        if commit.last_version > entry.last:
            self._note(
                f"The log ends at version {entry.last} in the middle of {name_commit(commit)} "
                f"which goes up to {commit.last_version}."
            )
            return False
        return True

    def note_end(self, stream_key: str, generation: int) -> None:
        """Record that the generations of a stream, up to and including this one, have ended."""
        if generation > self._ended.get(stream_key, generation):
            self._ended[stream_key] = generation

    def has_ended(self, entry: LedgerEntry) -> bool:
        """Return whether a deletion or a later generation has ended a generation."""
        return self._ended[entry.stream_key] >= entry.generation

    def doubtful(self) -> dict[Marker, LedgerEntry]:
        """Return the generations on which the tables differ without a deletion as the reason."""
        return {
            marker: entry
            for marker, entry in self.entries.items()
            if entry.digest != entry.stored and not self.has_ended(entry)
        }

    def check_leading(self, versions: Mapping[Marker, int]) -> None:
        """Check that no marker has a later version than the pages, which were read after it."""
        for marker, version in versions.items():
            entry = self.entries.get(marker)
            reached = 0 if entry is None else entry.last
            if version > reached:
                self._note(
                    f"The marker {marker.log_key} / {marker.place} says version {version}, but "
                    f"the pages end at {reached}: the versions between will never get a position."
                )

    def lagging(self, versions: Mapping[Marker, int]) -> list[Marker]:
        """Return the markers with an earlier version than the pages, which were read after them."""
        return [
            marker for marker, entry in self.entries.items() if versions.get(marker, 0) < entry.last
        ]

    def check_lagging(self, lagging: list[Marker], versions: Mapping[Marker, int]) -> None:
        """Check that lagging markers have caught up, except with the last page.

        Args:
            lagging: the markers.
            versions: their versions, read again after the pages.
        """
        for marker in lagging:
            due = self._before_last_page.get(marker, self.entries[marker].last)
            version = versions.get(marker, 0)
            if version < due:
                self._note(
                    f"The marker {marker.log_key} / {marker.place} says version {version}, but the "
                    f"pages before the last one are at {due}: commits can get a second position."
                )


class Ledgers:
    """A ledger for each log.

    Args:
        logs: the logs.
        note: called with each fault, a sentence.
    """

    def __init__(self, logs: Logs, note: Callable[[str], None]) -> None:
        self.logs = logs
        self._note = note
        self._all: dict[Tables, Ledger] = {}

    def of(self, tables: Tables) -> Ledger:
        """Return the ledger of a log."""
        return self._all.setdefault(tables, Ledger(self._note))

    def of_stream(self, stream_key: str) -> Ledger:
        """Return the ledger of the log that holds a stream's events."""
        return self.of(self.logs.of_stream(stream_key))

    @property
    def streams(self) -> int:
        """The number of generations of streams in the logs."""
        return sum(len(ledger.entries) for ledger in self._all.values())

    def markers_of(self, tables: Tables, versions: Mapping[Marker, int]) -> dict[Marker, int]:
        """Return the markers of a log."""
        begin = tables.prefix
        return {
            marker: version
            for marker, version in versions.items()
            if marker.log_key.startswith(begin)
        }

    def check_registry(self, logs: list[Tables], versions: Mapping[Marker, int]) -> None:
        """Check that every log that has markers is in the registry."""
        if not self.logs.per_tenant:
            return
        known = {tables.prefix for tables in logs}
        marked = {f"{marker.log_key.partition('#')[0]}#" for marker in versions}
        for prefix in sorted(marked - known):
            self._note(
                f"The log {prefix}log has markers but is not in the registry, so consumers of all "
                "tenants do not find it."
            )

    def doubtful(self) -> dict[Marker, LedgerEntry]:
        """Return the generations on which the two tables differ, and no deletion explains it."""
        found: dict[Marker, LedgerEntry] = {}
        for ledger in self._all.values():
            found |= ledger.doubtful()
        return found


def name_commit(pointer: Pointer) -> str:
    """Return the text by which a fault names a commit. It ends with a comma."""
    return (
        f"the commit at version {pointer.first_version} of {pointer.stream_key}, "
        f"generation {pointer.generation},"
    )
