"""The contract of the log: reading events, and listing tenants, categories and streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from dynamo_es.contracts.checks.arguments import check_tenant
from dynamo_es.exceptions import InvalidPositionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from dynamo_es.values import Position, RecordedRaw, StreamId, TenantId


Start: TypeAlias = "Position | Mapping[TenantId, Position]"
"""Where to begin: after a position of the log; or, with a log of each tenant, after one in each."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects the events of the log that match every condition.

    Attributes:
        category: category of the event's stream; None: every stream.
        event_names: names, one of which the event has; None: any name.
        tenant_id: tenant of the event; None: any.
        stream_id: stream of the event, in the selected tenant; None: any. It takes the place of
            ``category``.
        outbox: whether to select only events that were chosen for the outbox when appended.
    """

    category: str | None = None
    event_names: frozenset[str] | None = None
    tenant_id: TenantId | None = None
    outbox: bool = False
    stream_id: StreamId | None = None


EVERYTHING: Final = Selection()


def one_position(after: Start) -> Position:
    """Return the position to begin after in one log.

    Raises:
        InvalidPositionError: a position for each tenant, and one log holds the events of all.
    """
    if isinstance(after, Mapping):
        raise InvalidPositionError(after)
    return after


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
        ended: whether the log ends there; in a replica region, maybe only at a page that is late.
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
    def positions(self) -> Mapping[TenantId, Position] | None:
        """With a log of each tenant, a reader of all has a position in each; None: `position`."""
        return None

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
            ReplicaLagError: the next event has not arrived in this region, which holds replicas.
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
    """Reads the log of all streams and tenants. Safe to share between threads.

    With ``log_scope="tenant"`` each tenant has a log of its own, with positions of its own.

    Attributes:
        per_tenant: whether this object stands for the logs of all tenants, each with positions of
            its own. Then `last_position` raises `TenantRequiredError`; `scoped_for_tenant` returns
            the log of one.
    """

    per_tenant: bool = False

    @property
    @abstractmethod
    def last_position(self) -> Position | None:
        """The last position assigned; None if the log is empty."""

    @abstractmethod
    def reader(self, after: Start, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of the events after a position.

        Args:
            after: position to begin after, exclusive; 0 for the whole log. With a log of each
                tenant, a position for each of them: the logs of others are read from the beginning.
            selection: the events to read.

        Raises:
            InvalidPositionError: negative, or after the end of the log.
            TenantRequiredError: one position above 0 for the logs of all tenants.
            ServiceError: AWS refused or did not answer.
        """

    def position_at(self, moment: datetime) -> Position:
        """Return the last position that was assigned before a moment; 0: none was.

        ``subscriber.after(log.position_at(two_hours_ago))`` gets every event that reached the log
        in the last two hours, and no other one.

        The time is that of the sequencer: its clock says when it put a page of the log, and all
        positions of the page have that time. It is a little later than the time of the append.
        If the clocks of several sequencers differ, the answer is as wrong as they are. In a log
        that was rebuilt, the times are those of the rebuild.

        Args:
            moment: with a time zone; at the end of the log or later, the answer is the last
                position.

        Raises:
            InputError: not a datetime, or one without a time zone.
            TenantRequiredError: each tenant has a log; `scoped_for_tenant` returns that of one.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 3 requests at once, and then 1 for each halving of the pages that were
        put in the minutes around the moment: mostly fewer than 10. 40 at most.
        """
        raise NotImplementedError

    def scoped_for_tenant(self, tenant_id: TenantId) -> LogStrategy:
        """Return the log that holds a tenant's events: this one, unless each tenant has its own.

        Raises:
            InvalidStreamIdError: the tenant id is not text.
        """
        check_tenant(tenant_id)
        return self

    def unsequenced(self) -> bool:
        """Check cheaply whether events are stored that have no position yet.

        Consumers ask this at the end of the log: if no sequencer runs, no event gets a position,
        and no consumer gets an event. The first check that finds such events logs a warning.

        The check finds such events if the log is empty, if this process appended the newest one,
        or if they belong to one of the log's newest streams. It may miss others, such as a new
        stream of another process: `dynamo-es log verify` finds all. In a tenant's own log that is
        empty, it looks for the event that this process appended only. While a sequencer runs, the
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
