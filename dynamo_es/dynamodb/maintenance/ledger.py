"""What the pages of the log say of each life of a stream: how far it is, and what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynamo_es.dynamodb.log.items import Marker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.dynamodb.log.items import Page, Pointer
    from dynamo_es.dynamodb.log.sequencer import Hint
    from dynamo_es.values import Position


@dataclass(slots=True)
class Life:
    """One life of a stream, as the log has it.

    Attributes:
        last: the last version in the log.
        gaps: versions that are not: the first and the last of each row. A deletion leaves them,
            when it was faster than the sequencer.
        stream_key: partition key of the stream.
        generation: its number.
        digest: of what the log says of its commits, whatever their order.
        stored: of what the events table says of them.
    """

    last: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    stream_key: str = ""
    generation: int = 0
    digest: int = 0
    stored: int = 0


class Account:
    """Takes pages in, in their order, and says what contradicts them.

    Args:
        note: called with each fault, a sentence.

    Attributes:
        lives: of the streams, by their markers.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self.lives: dict[Marker, Life] = {}
        self._note = note
        self._ended: dict[str, int] = {}
        self._following: Position | None = 1
        self._before_last_page: dict[Marker, int] = {}

    def add(self, page: Page) -> None:
        """Take a page in."""
        if self._following is not None and page.first != self._following:
            self._note(
                f"A page begins at position {page.first}, and the one before it ends at "
                f"{self._following - 1}: positions are to be dense."
            )
        self._following = page.following
        self._before_last_page = {}
        position = page.first
        for pointer in page.pointers:
            self._add(pointer, position)
            position += pointer.event_count

    def skip_page(self) -> None:
        """Pass a page over that cannot be read."""
        self._following = None

    def _add(self, pointer: Pointer, position: Position) -> None:
        marker = Marker.of(pointer)
        life = self.lives.get(marker)
        if life is None:
            life = Life(stream_key=pointer.stream_key, generation=pointer.generation)
            self.lives[marker] = life
            self._ended[pointer.stream_key] = 0
        life.digest += hash(pointer)
        self._before_last_page.setdefault(marker, life.last)
        if pointer.first_version <= life.last:
            self._note(
                f"Position {position} is given to {_name(pointer)}, but the log is at version "
                f"{life.last} of that stream before it: twice, or in the wrong order."
            )
        elif pointer.first_version > life.last + 1:
            life.gaps.append((life.last + 1, pointer.first_version - 1))
        life.last = max(life.last, pointer.last_version)

    def is_new(self, commit: Hint) -> bool:
        """Whether a commit comes after what the log has of its stream."""
        life = self.lives.get(Marker.of(commit))
        return life is None or commit.first_version > life.last

    def has(self, commit: Hint) -> bool:
        """Whether a stored commit, not a new one, is in the log; if it is not, that is a fault."""
        life = self.lives[Marker.of(commit)]
        life.stored += hash(commit)
        for first, last in life.gaps:
            if first <= commit.first_version <= last:
                self._note(
                    f"Not in the log: {_name(commit)} though the log is at version {life.last} "
                    "of that stream: it will never get a position."
                )
                return False
        if commit.last_version > life.last:
            self._note(
                f"The log ends at version {life.last} in the middle of {_name(commit)} which "
                f"goes up to {commit.last_version}."
            )
            return False
        return True

    def note_end(self, stream_key: str, generation: int) -> None:
        """Take note that a stream's generations up to one have ended."""
        if generation > self._ended.get(stream_key, generation):
            self._ended[stream_key] = generation

    def has_ended(self, life: Life) -> bool:
        """Whether a deletion, or a later generation, was seen."""
        return self._ended[life.stream_key] >= life.generation

    def doubtful(self) -> dict[Marker, Life]:
        """Return what the two tables say otherwise of, and no deletion explains."""
        return {
            marker: life
            for marker, life in self.lives.items()
            if life.digest != life.stored and not self.has_ended(life)
        }

    def check_ahead(self, upto: Mapping[Marker, int]) -> None:
        """Check that no marker, read before the pages, says more than they do."""
        for marker, version in upto.items():
            life = self.lives.get(marker)
            reached = 0 if life is None else life.last
            if version > reached:
                self._note(
                    f"The marker {marker.log_key} / {marker.place} says version {version}, and "
                    f"the pages end at {reached}: what is between will never get a position."
                )

    def behind(self, upto: Mapping[Marker, int]) -> list[Marker]:
        """Return the markers that said less than the pages read later."""
        return [marker for marker, life in self.lives.items() if upto.get(marker, 0) < life.last]

    def check_behind(self, behind: list[Marker], upto: Mapping[Marker, int]) -> None:
        """Check that markers which were behind have followed: all but those of the last page.

        Args:
            behind: the markers.
            upto: what they say, read after the pages.
        """
        for marker in behind:
            due = self._before_last_page.get(marker, self.lives[marker].last)
            version = upto.get(marker, 0)
            if version < due:
                self._note(
                    f"The marker {marker.log_key} / {marker.place} says version {version}, and "
                    f"pages before the last one are at {due}: commits can get a second position."
                )


def _name(pointer: Pointer) -> str:
    return (
        f"the commit at version {pointer.first_version} of {pointer.stream_key}, "
        f"generation {pointer.generation},"
    )
