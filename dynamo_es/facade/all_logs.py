"""The logs of all tenants as one, if each tenant has its own log.

A position is a place in one tenant's log. So consumers of all tenants have a position in each log,
and methods that need a single position raise `TenantRequiredError`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from dynamo_es.contracts import (
    EVERYTHING,
    CheckpointStrategy,
    LogReader,
    LogStrategy,
    Piece,
    Selection,
)
from dynamo_es.contracts.checks.arguments import check_kind, check_position, check_tenant
from dynamo_es.contracts.consumers.checkpoints import in_order
from dynamo_es.exceptions import InvalidSubscriptionError, TenantRequiredError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from dynamo_es.contracts import Checkpoint, StreamInLog
    from dynamo_es.contracts.consumers.claims import CheckpointState, Saved
    from dynamo_es.contracts.consumers.failures import NewFailure
    from dynamo_es.contracts.consumers.live_versions import LiveVersion
    from dynamo_es.contracts.consumers.writes import WriteBatch
    from dynamo_es.contracts.log import Start
    from dynamo_es.values import Position, RecordedRaw, TenantId


class AllLogs(LogStrategy):
    """Reads the logs of all tenants, each with its own positions.

    Args:
        one: returns the log of a tenant.
        tenants: returns the tenants that have a log, from the registry.
        listing: lists categories and streams.
        unsequenced: looks for events without a position; see `LogStrategy.unsequenced`.
    """

    per_tenant = True

    def __init__(
        self,
        one: Callable[[TenantId], LogStrategy],
        tenants: Callable[[], list[TenantId]],
        listing: LogStrategy,
        unsequenced: Callable[[], bool] = lambda: False,
    ) -> None:
        self._one = one
        self._tenants = tenants
        self._listing = listing
        self._unsequenced = unsequenced

    @property
    def last_position(self) -> Position | None:
        """Raises `TenantRequiredError`, because each log has its own last position.

        Raises:
            TenantRequiredError: always.
        """
        raise TenantRequiredError("The last position of the log")

    def position_at(self, moment: datetime) -> Position:  # noqa: ARG002 - of no log in particular
        """Raises `TenantRequiredError`, because each log has its own positions.

        Raises:
            TenantRequiredError: always.
        """
        raise TenantRequiredError("The position of the log at a moment")

    def reader(self, after: Start, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of the events of all logs, or of the selected tenant's.

        Args:
            after: 0 for the beginning of each log, or a position for each tenant, exclusive; the
                logs of other tenants are read from the beginning. If the selection has a tenant, a
                position in that tenant's log.
            selection: selects the events to read.

        Raises:
            TenantRequiredError: the position is above 0, but the selection has no tenant.
            InvalidPositionError: a position is negative, or after the end of its log.
        """
        check_kind("selection", selection, Selection, InvalidSubscriptionError)
        if selection.tenant_id is not None:
            check_tenant(selection.tenant_id)
            if isinstance(after, Mapping):
                after = after.get(selection.tenant_id, 0)
            return self._one(selection.tenant_id).reader(after, selection)
        return ReaderOfAll(self._one, self._tenants, checked_start(after), selection)

    def scoped_for_tenant(self, tenant_id: TenantId) -> LogStrategy:
        """Return the log of a tenant."""
        check_tenant(tenant_id)
        return self._one(tenant_id)

    def unsequenced(self) -> bool:
        """Check whether events have no position yet; see `LogStrategy.unsequenced`."""
        return self._unsequenced()

    def tenants(self) -> Iterator[TenantId]:
        """Yield the tenants that have a log. Cost: 1 request for about 20,000 tenants."""
        return iter(self._tenants())

    def categories(self, tenant_id: TenantId) -> Iterator[str | None]:
        """Yield a tenant's categories in the log; see `LogStrategy.categories`."""
        return self._listing.categories(tenant_id)

    def streams(self, category: str | None, tenant_id: TenantId) -> Iterator[StreamInLog]:
        """Yield a tenant's streams of a category; see `LogStrategy.streams`."""
        return self._one(tenant_id).streams(category, tenant_id)


def checked_start(after: Start) -> dict[TenantId, Position]:
    """Return the position to begin after for each tenant that has one.

    Raises:
        TenantRequiredError: there is one position above 0 for all logs.
        InvalidPositionError: a position is not an integer of 0 or more.
    """
    if not isinstance(after, Mapping):
        check_position(after)
        if after:
            raise TenantRequiredError(f"Position {after}")
        return {}
    for tenant_id, position in after.items():
        check_tenant(tenant_id)
        check_position(position)
    return dict(after)


class ReaderOfAll(LogReader):
    """Reads all logs in turn, each in the order of its positions.

    It reads a few events of each log before it goes on to the next, and looks for new tenants in
    the registry before each turn.

    Args:
        one: returns the log of a tenant.
        tenants: returns the tenants that have a log.
        start: positions to begin after, by tenant; other logs are read from their beginning.
        selection: selects the events to return.

    Raises:
        InvalidPositionError: a position is after the end of its log.
    """

    def __init__(
        self,
        one: Callable[[TenantId], LogStrategy],
        tenants: Callable[[], list[TenantId]],
        start: Mapping[TenantId, Position],
        selection: Selection,
    ) -> None:
        self._one = one
        self._tenants = tenants
        self._start = start
        self._selection = selection
        self._readers: dict[TenantId, LogReader] = {}
        for tenant_id in start:
            self._open(tenant_id)
        self._left: deque[TenantId] = deque()

    @property
    def position(self) -> Position:
        """Raises `TenantRequiredError`, because each log has its own position; see `positions`.

        Raises:
            TenantRequiredError: always.
        """
        raise TenantRequiredError("The position of a reader")

    @property
    def positions(self) -> dict[TenantId, Position]:
        """For each tenant, the position up to which all selected events were returned."""
        return {tenant_id: one.position for tenant_id, one in self._readers.items()}

    @property
    def passed_over(self) -> int:
        """Number of unreadable commits that were passed over in all logs."""
        return sum(one.passed_over for one in self._readers.values())

    def read(self) -> list[RecordedRaw]:
        """Return the next events of one log. An empty list means the end of all logs.

        If the log of a tenant cannot be read, the next call goes on with the next log.
        """
        around = False
        while True:
            if not self._left:
                if around:
                    return []
                around = True
                self._look()
                continue
            if records := self._open(self._left.popleft()).read():
                return records

    def read_some(self, most_commits: int = 100) -> Piece:
        """Return events of one log; see `LogReader.read_some`."""
        if not self._left:
            self._look()
        if not self._left:
            return Piece([], [], ended=True)
        piece = self._open(self._left[0]).read_some(most_commits)
        if piece.ended:
            self._left.popleft()
        return piece._replace(ended=not self._left)

    def _look(self) -> None:
        """Begin a new turn through all logs, including new ones."""
        self._left.extend(dict.fromkeys([*self._readers, *self._tenants()]))

    def _open(self, tenant_id: TenantId) -> LogReader:
        found = self._readers.get(tenant_id)
        if found is None:
            after = self._start.get(tenant_id, 0)
            found = self._one(tenant_id).reader(after, self._selection)
            self._readers[tenant_id] = found
        return found


class AllCheckpoints(CheckpointStrategy):
    """The checkpoints of consumers of all logs. Such a consumer has one in each log.

    Methods for a single checkpoint raise `TenantRequiredError`.

    Args:
        one: checkpoints that can be scoped for any tenant.
        tenants: returns the tenants that have a log.
    """

    def __init__(self, one: CheckpointStrategy, tenants: Callable[[], list[TenantId]]) -> None:
        self._any = one
        self._tenants = tenants

    def position(self, name: str) -> Position | None:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def move(self, name: str, position: Position) -> Position:  # noqa: ARG002 - refused
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def fail(self, name: str, position: Position, failure: NewFailure) -> None:  # noqa: ARG002
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def reset(self, name: str, position: Position) -> None:  # noqa: ARG002 - refused
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def look(self, name: str) -> CheckpointState:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def take(self, name: str, *_: object) -> CheckpointState | None:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def renew(self, name: str, *_: object) -> Saved:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def save(self, name: str, *_: object) -> Saved:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def new_writes(self) -> WriteBatch:
        """Return an empty batch; see `CheckpointStrategy.new_writes`."""
        return self._any.new_writes()

    def apply(self, name: str, *_: object) -> Saved:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def release(self, name: str, *_: object) -> None:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def ask(self, name: str, *_: object) -> bool:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def pause(self, name: str) -> None:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def resume(self, name: str) -> None:
        """Raises `TenantRequiredError`, because a consumer has a checkpoint in each log."""
        _refuse(f"The checkpoint of {name}")

    def of_version(self, version: int | None) -> AllCheckpoints:
        """Return the checkpoints of a version; see `CheckpointStrategy.of_version`."""
        return type(self)(self._any.of_version(version), self._tenants)

    def live(self, name: str) -> LiveVersion | None:
        """Return the live version, which is the same in all logs; see `CheckpointStrategy.live`."""
        return self._any.live(name)

    def promote(self, name: str, version: int, expected: int | None) -> bool:
        """Make a version the live one in all logs; see `CheckpointStrategy.promote`."""
        return self._any.promote(name, version, expected)

    def all(self) -> list[Checkpoint]:
        """Return the checkpoints of all consumers in all logs; see `CheckpointStrategy.all`.

        Cost: 1 request for the registry, and those of `all` for each tenant.
        """
        found: list[Checkpoint] = []
        for tenant_id in self._tenants():
            found += self._any.scoped_for_tenant(tenant_id).all()
        return sorted(found, key=in_order)

    def scoped_for_tenant(self, tenant_id: TenantId) -> CheckpointStrategy:  # type: ignore[override]
        """Return the checkpoints in one tenant's log."""
        return self._any.scoped_for_tenant(tenant_id)


def _refuse(operation: str) -> NoReturn:
    raise TenantRequiredError(operation)
