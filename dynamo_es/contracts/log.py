"""The contract of the log: reading events, and listing tenants, categories and streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.values import Position, RecordedRaw, StreamId, TenantId


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects the events of the log that match every condition.

    Attributes:
        category: category of the event's stream; None: every stream.
        event_names: names, one of which the event has; None: any name.
        tenant_id: tenant of the event; None: any.
        outbox: whether to select only events that were chosen for the outbox when appended.
    """

    category: str | None = None
    event_names: frozenset[str] | None = None
    tenant_id: TenantId | None = None
    outbox: bool = False


EVERYTHING: Final = Selection()


class CommitInLog(NamedTuple):
    """A commit that a reader has passed.

    Attributes:
        position: position of its first event.
        event_count: number of its events.
        write_units: write units of its item, as DynamoDB charges them for an append of this
            commit alone; a transaction costs twice as much. 0 where nothing is charged.
    """

    position: Position
    event_count: int
    write_units: int


class Piece(NamedTuple):
    """Some events of the log.

    Attributes:
        records: the selected events, in the order of their positions.
        commits: the commits that the events are from, in the same order.
        ended: whether the log ends there.
    """

    records: list[RecordedRaw]
    commits: list[CommitInLog]
    ended: bool


class LogReader(ABC):
    """Reads the log piece by piece, for one consumer in one thread."""

    @property
    @abstractmethod
    def position(self) -> Position:
        """The position up to which the reader has returned every selected event."""

    @property
    def passed_over(self) -> int:
        """Number of unreadable commits that this reader has passed over so far.

        Each is logged as an error, with its stream and version.
        """
        return 0

    @abstractmethod
    def read(self) -> list[RecordedRaw]:
        """Return the next selected events, in the order of their positions, and move on.

        A piece has any size. An empty piece means the end of the log, and `position` is that
        end. Events of deleted streams are left out, and so are unreadable commits (see
        `passed_over`). After an error no event is lost: call again.

        Raises:
            ServiceError: AWS refused or did not answer.
        """

    def read_some(self, most_commits: int = 100) -> Piece:
        """Return the next selected events that a limited number of requests finds, and move on.

        Use it to browse the log. With a selection that matches few events, `read` may search up to
        the end of the log. This method stops after one look, even if it found nothing; `position`
        says how far it came.

        Args:
            most_commits: most commits whose events are returned, 1 to 100.

        Raises:
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: up to 2 requests, and 2 more to repeat reads that came too early.
        """
        raise NotImplementedError


class StreamInLog(NamedTuple):
    """A stream in the log.

    Attributes:
        stream_id: id of the stream, with its name if it has one.
        version: version of the stream's last event that has a position; in a stream without
            versions, the number of events that have one.
    """

    stream_id: StreamId
    version: int


class LogStrategy(ABC):
    """Reads the log of all streams and tenants. Safe to share between threads."""

    @property
    @abstractmethod
    def last_position(self) -> Position | None:
        """The last position assigned; None if the log is empty."""

    @abstractmethod
    def reader(self, after: Position, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of the events after a position.

        Args:
            after: position to begin after, exclusive; 0 for the whole log.
            selection: the events to read.

        Raises:
            InvalidPositionError: negative, or after the end of the log.
            ServiceError: AWS refused or did not answer.
        """

    def unsequenced(self) -> bool:
        """Check cheaply whether events are stored that have no position yet.

        Consumers ask this at the end of the log: if no sequencer runs, no event gets a position,
        and no consumer gets an event. The first check that finds such events logs a warning.

        The check finds such events if the log is empty, if this process appended the newest one,
        or if they belong to one of the log's newest streams. It may miss others, such as a new
        stream of another process: `dynamo-es log verify` finds all. While a sequencer runs, the
        answer may be True for the second or so that it takes.

        Raises nothing: if the check fails, it returns False.
        """
        return False

    @abstractmethod
    def tenants(self) -> Iterator[TenantId]:
        """Yield each tenant that has, or had, a stream in the log, in any order.

        A tenant whose streams are all deleted may be among them. Cost on DynamoDB: a scan of the
        log's table, one request for each MB, each sent when the iterator gets there. Keep the
        list if you need it often.

        Raises:
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def categories(self, tenant_id: TenantId) -> Iterator[str | None]:
        """Yield each category of a tenant that has, or had, a stream in the log, in any order.

        None stands for the streams without a category. The cost is that of `tenants`.

        Args:
            tenant_id: tenant of the streams.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def streams(self, category: str | None, tenant_id: TenantId) -> Iterator[StreamInLog]:
        """Yield the streams of a category that are in the log and not deleted.

        Args:
            category: category of the streams; None: streams without one.
            tenant_id: tenant of the streams.

        Raises:
            ServiceError: AWS refused or did not answer.
        """
