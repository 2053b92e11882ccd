"""The contract of the log: how consumers read it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.values import Position, RecordedRaw, StreamId, TenantId


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of the log a consumer wants; those that all of its conditions hold for.

    Attributes:
        category: of streams with that category; None: of all streams.
        event_names: with one of these names; None: all.
        tenant_id: of that tenant; None: of all tenants.
        outbox: only those that were chosen for the outbox when they were appended.
    """

    category: str | None = None
    event_names: frozenset[str] | None = None
    tenant_id: TenantId | None = None
    outbox: bool = False


EVERYTHING: Final = Selection()


class LogReader(ABC):
    """One consumer's way through the log, piece by piece. Not to be shared between threads."""

    @property
    @abstractmethod
    def position(self) -> Position:
        """Everything up to here was looked at, and what is selected of it was returned."""

    @property
    def passed_over(self) -> int:
        """How many commits this reader has passed over so far, because they cannot be read.

        Each is logged as an error, by its stream and version.
        """
        return 0

    @abstractmethod
    def read(self) -> list[RecordedRaw]:
        """Return the next selected events, in the order of their positions, and move on.

        A piece is of any size, as its engine reads best. It is empty where the log ends by now:
        `position` is then the end of the log. What was deleted since is left out, and so is what
        cannot be read (see `passed_over`). After an error nothing is lost: call again.

        Raises:
            ServiceError: AWS refused or did not answer.
        """


class StreamInLog(NamedTuple):
    """A stream as far as the log has it.

    Attributes:
        stream_id: which; with its name, if it has one.
        version: of its last event that has a position; in a stream without versions, how many
            events have one.
    """

    stream_id: StreamId
    version: int


class LogStrategy(ABC):
    """The log of all streams and tenants, to be read. Safe to share between threads."""

    @property
    @abstractmethod
    def last_position(self) -> Position | None:
        """The last position assigned; None when none was."""

    @abstractmethod
    def reader(self, after: Position, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of what comes after a position.

        Args:
            after: exclusive; 0 for the whole log.
            selection: what of it.

        Raises:
            InvalidPositionError: negative, or one that the log has not reached.
            ServiceError: AWS refused or did not answer.
        """

    def unsequenced(self) -> bool:
        """Whether events are stored after the end of the log, as far as a cheap look shows.

        Consumers ask this where the log ends, because no event ever comes out of it while no
        sequencer runs. The first look of a log object that finds such events logs a warning.

        What is promised: such events are found if the log is empty, if this process appended the
        last of them, or if they follow the events of the log's newest streams. Others, such as
        those of a new stream that another process appended, may stay unseen: `dynamo-es log
        verify` finds all of them. While a sequencer runs, the answer may be True for the second
        or so that it takes.

        Raises nothing: a look that fails has found nothing.
        """
        return False

    @abstractmethod
    def streams(self, category: str | None, tenant_id: TenantId) -> Iterator[StreamInLog]:
        """Yield the streams of a category that are in the log, and alive.

        Args:
            category: theirs; None: of the streams without one.
            tenant_id: theirs.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
