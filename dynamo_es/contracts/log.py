"""`LogStrategy`: reads the log of events, and lists its tenants, categories and streams."""

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
"""Where to begin, exclusive: after one position; or after a position for each tenant's log."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects the events of the log that meet every condition.

    Attributes:
        category: category of the event's stream; None: every stream.
        event_names: the event has one of these names; None: any name.
        tenant_id: tenant of the event; None: any tenant.
        stream_id: stream of the event, in the selected tenant; None: any stream. With a stream,
            ``category`` is ignored.
        outbox: whether to select only events that the outbox filter chose when they were appended.
    """

    category: str | None = None
    event_names: frozenset[str] | None = None
    tenant_id: TenantId | None = None
    outbox: bool = False
    stream_id: StreamId | None = None


EVERYTHING: Final = Selection()


def one_position(after: Start) -> Position:
    """Return the position to begin after, for one log.

    Raises:
        InvalidPositionError: ``after`` has a position for each tenant, but one log holds the events
            of all tenants.
    """
    if isinstance(after, Mapping):
        raise InvalidPositionError(after)
    return after


class CommitInLog(NamedTuple):
    """A commit in the log that has selected events.

    Attributes:
        position: position of its first event.
        event_count: number of its events.
        write_units: write units that DynamoDB charges to append this commit alone; in a transaction
            it costs twice as much. 0 if the backend charges nothing.
    """

    position: Position
    event_count: int
    write_units: int


class Piece(NamedTuple):
    """One part of the events of the log.

    Attributes:
        records: the selected events, in the order of their positions.
        commits: the commits that have these events, in the same order.
        ended: whether the log ends after this part. In a replica region, the next page may just not
            have arrived.
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
        """The position in each tenant's log; None if the reader reads one log, see `position`."""
        return None

    @property
    def passed_over(self) -> int:
        """Number of unreadable commits that this reader has passed over so far.

        Each of them is logged as an error, with its stream and version.
        """
        return 0

    @abstractmethod
    def read(self) -> list[RecordedRaw]:
        """Return the next selected events, in the order of their positions, and move on.

        The list may have any length. An empty list means that the log ends at `position`. Events of
        deleted streams are left out, and so are unreadable commits (see `passed_over`). After an
        error, call again: no event is lost.

        Raises:
            ReplicaLagError: the next event has not arrived in this replica region yet.
            ServiceError: AWS refused or did not answer.
        """

    def read_some(self, most_commits: int = 100) -> Piece:
        """Return selected events that a few requests find, and move on.

        Use it to browse the log. With a selection that matches few events, `read` may search to the
        end of the log. This method stops early even if it found nothing; `position` says how far it
        came.

        Args:
            most_commits: return the events of at most this number of commits, 1 to 100.

        Raises:
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: up to 2 requests, and 2 more if reads came too early and are repeated.
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
            the log of one tenant.
    """

    per_tenant: bool = False

    @property
    @abstractmethod
    def last_position(self) -> Position | None:
        """The last position that an event has; None if the log is empty."""

    @abstractmethod
    def reader(self, after: Start, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of the events after a position.

        Args:
            after: position to begin after, exclusive; 0 for the whole log. For the logs of all
                tenants, you may give a position for each tenant; logs without one are read from the
                beginning.
            selection: selects the events to read.

        Raises:
            InvalidPositionError: a position is negative, or after the end of the log.
            TenantRequiredError: you gave one position above 0 for the logs of all tenants.
            ServiceError: AWS refused or did not answer.
        """

    def position_at(self, moment: datetime) -> Position:
        """Return the last position that was assigned before a moment; 0 if there was none.

        ``subscriber.after(log.position_at(two_hours_ago))`` gets every event that reached the log
        in the last two hours, and no other event.

        The time of a position is when a sequencer wrote its page of the log, by the clock of that
        sequencer. All positions of a page have the same time, which is a little later than that of
        the append. If the clocks of several sequencers differ, the result is wrong by as much. In a
        log that was rebuilt, the times are those of the rebuild.

        Args:
            moment: a datetime with a time zone. After the end of the log, the result is the last
                position.

        Raises:
            InputError: the moment is not a datetime, or has no time zone.
            TenantRequiredError: each tenant has its own log; use `scoped_for_tenant`.
            ServiceError: AWS refused or did not answer.

        Cost on DynamoDB: 3 requests at the same time, and then a binary search among the pages of
        the minutes around the moment: usually fewer than 10 requests, 40 at most.
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
        """Check cheaply whether stored events have no position yet.

        Consumers call this at the end of the log: if no sequencer runs, no event gets a position,
        and no consumer gets an event. The first check that finds such events logs a warning.

        The check finds such events if the log is empty, if this process appended the newest one, or
        if they belong to one of the log's newest streams. It may miss others, such as a new stream
        of another process; `dynamo-es log verify` finds all. In an empty log of one tenant, it only
        looks for the event that this process appended. While a sequencer runs, the result may be
        True for about a second after an append. If the check fails, it returns False; it never
        raises.
        """
        return False

    @abstractmethod
    def tenants(self) -> Iterator[TenantId]:
        """Yield each tenant that has, or had, a stream in the log, in any order.

        A tenant whose streams are all deleted may be among them. Cost on DynamoDB: a scan of the
        log table, 1 request per MB, each sent when the iterator needs it. Keep the list if you need
        it often.

        Raises:
            ServiceError: AWS refused or did not answer.
        """

    @abstractmethod
    def categories(self, tenant_id: TenantId) -> Iterator[str | None]:
        """Yield each category of a tenant that has, or had, a stream in the log, in any order.

        None stands for the streams without a category. It costs as much as `tenants`.

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
