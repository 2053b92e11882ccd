"""Versions of a projection: you build a new one while the live one serves, and then promote it.

A version that is not live goes no further than the live one. So it never handles an event first,
and every event that it handles is *replayed*: its handler leaves out side effects. A promoted
version goes on from its checkpoint. Events that the previous version has handled are replayed for
it too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dynamo_es.contracts import EVERYTHING, LogReader, LogStrategy
from dynamo_es.exceptions import ProjectionDemotedError, VersionLagsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.contracts import CheckpointStrategy, Piece, Selection, StreamInLog
    from dynamo_es.contracts.consumers.live_versions import LiveVersion
    from dynamo_es.contracts.log import Start
    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.values import Position, RecordedRaw, TenantId


class VersionLog(LogStrategy):
    """The part of the log that one version of a projection may read: up to the live version.

    Args:
        log: the log, or the logs of all tenants.
        checkpoints: checkpoints of projections without versions, in that log.
        live: returns the projection's live version; None: no version is live.
        name: name of the projection.
        version: the version that reads.
        demoted_too: whether a version that is older than the live one may read, to catch up.
    """

    def __init__(
        self,
        log: LogStrategy,
        checkpoints: CheckpointStrategy,
        live: Callable[[], LiveVersion | None],
        name: str,
        version: int,
        *,
        demoted_too: bool = False,
    ) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self._live = live
        self._name = name
        self._version = version
        self._demoted_too = demoted_too
        self._replayed_to: Position | None = None
        self.per_tenant = log.per_tenant

    def limit(self) -> Position | None:
        """Return the position to read up to; None: the end of the log. Cost: 2 requests.

        Raises:
            ProjectionDemotedError: a newer version is live.
        """
        live = self._live()
        if live is not None and live.version == self._version:
            self._replayed_to = self._position_of(live.before) or 0
            return None
        if live is not None and live.version > self._version and not self._demoted_too:
            raise ProjectionDemotedError(self._name, self._version, live.version)
        self._replayed_to = None
        found = self._position_of(None if live is None else live.version)
        return 0 if found is None and live is not None else found

    def replays(self, position: Position) -> bool:
        """Return whether another version handles the event at a position, or has handled it."""
        return self._replayed_to is None or position <= self._replayed_to

    @property
    def last_position(self) -> Position | None:
        """The last position that the version may handle now."""
        end, limit = self._log.last_position, self.limit()
        if end is None or limit is None:
            return end
        # A version may be further than the live one, after an earlier version was promoted again.
        own = self._position_of(self._version) or 0
        return max(min(end, limit), own) or None

    def lag(self) -> tuple[Position, Position]:
        """Return the version's own position and the live version's, in one log."""
        live = self._live()
        theirs = self._position_of(None if live is None else live.version)
        return self._position_of(self._version) or 0, theirs or 0

    def reader(self, after: Start, selection: Selection = EVERYTHING) -> LogReader:
        """Return a reader of the events that the version may handle."""
        return _Reader(self, self._log.reader(after, selection))

    def catching_up(self) -> VersionLog:
        """Return the same log, but even a demoted version may read it."""
        return VersionLog(
            self._log, self._checkpoints, self._live, self._name, self._version, demoted_too=True
        )

    def scoped_for_tenant(self, tenant_id: TenantId) -> VersionLog:
        """Return the log of a tenant; the live version is that of all tenants."""
        return VersionLog(
            self._log.scoped_for_tenant(tenant_id),
            self._checkpoints.scoped_for_tenant(tenant_id),
            self._live,
            self._name,
            self._version,
            demoted_too=self._demoted_too,
        )

    def unsequenced(self) -> bool:
        """Whether events have no position yet; see `LogStrategy.unsequenced`."""
        return self._log.unsequenced()

    def tenants(self) -> Iterator[TenantId]:
        """Yield the tenants in the log; see `LogStrategy.tenants`."""
        return self._log.tenants()

    def categories(self, tenant_id: TenantId) -> Iterator[str | None]:
        """Yield a tenant's categories; see `LogStrategy.categories`."""
        return self._log.categories(tenant_id)

    def streams(self, category: str | None, tenant_id: TenantId) -> Iterator[StreamInLog]:
        """Yield a tenant's streams of a category; see `LogStrategy.streams`."""
        return self._log.streams(category, tenant_id)

    def _position_of(self, version: int | None) -> Position | None:
        return self._checkpoints.of_version(version).position(self._name)


class _Reader(LogReader):
    """Reads up to the limit, and keeps events after it for later reads."""

    def __init__(self, log: VersionLog, reader: LogReader) -> None:
        self._log = log
        self._reader = reader
        self._kept: list[RecordedRaw] = []
        self._position = reader.position

    @property
    def position(self) -> Position:
        return self._position

    @property
    def passed_over(self) -> int:
        return self._reader.passed_over

    def read(self) -> list[RecordedRaw]:
        limit = self._log.limit()
        if not self._kept and (limit is None or self._reader.position < limit):
            self._kept = self._reader.read()
        given = [one for one in self._kept if limit is None or one.position <= limit]
        self._kept = self._kept[len(given) :]
        reached = self._kept[0].position - 1 if self._kept else self._reader.position
        self._position = max(self._position, reached if limit is None else min(reached, limit))
        return given

    def read_some(self, most_commits: int = 100) -> Piece:
        piece = self._reader.read_some(most_commits)
        self._position = max(self._position, self._reader.position)
        return piece


def reading(
    log: LogStrategy, deserialize: Callable[[RecordedRaw], Recorded]
) -> Callable[[RecordedRaw], Recorded]:
    """Return a function that turns a raw event into a typed one, with `Recorded.replayed` set."""
    if not isinstance(log, VersionLog):
        return deserialize

    def read(raw: RecordedRaw) -> Recorded:
        return replace(deserialize(raw), replayed=log.replays(raw.position))

    return read


def refuse_lag(log: VersionLog, name: str, version: int) -> None:
    """Raise `VersionLagsError` if a version lags the live one in any log."""
    logs = [log.scoped_for_tenant(one) for one in log.tenants()] if log.per_tenant else [log]
    for each in logs:
        own, live = each.lag()
        if own < live:
            raise VersionLagsError(name, version, own, live)
