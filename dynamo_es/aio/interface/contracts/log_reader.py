"""`AsyncLogReader`: scripts/async-interface writes it, from `LogReader`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamo_es.aio.base import Over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamo_es.contracts.log import LogReader, Piece
    from dynamo_es.values import Position, RecordedRaw, TenantId


class AsyncLogReader(Over):
    """Reads events of the log, piece by piece; see `LogReader`."""

    _sync: LogReader

    @property
    def passed_over(self) -> int:
        """Number of unreadable commits that this reader has passed over so far.

        Each of them is logged as an error, with its stream and version.
        """
        return self._sync.passed_over

    @property
    def position(self) -> Position:
        """The position up to which the reader has returned every selected event."""
        return self._sync.position

    @property
    def positions(self) -> Mapping[TenantId, Position] | None:
        """The position in each tenant's log; None if the reader reads one log, see `position`."""
        return self._sync.positions

    async def read(
        self,
    ) -> list[RecordedRaw]:
        """Return the next selected events, in the order of their positions, and move on.

        The list may have any length. An empty list means that the log ends at `position`. Events of
        deleted streams are left out, and so are unreadable commits (see `passed_over`). After an
        error, call again: no event is lost.

        Raises:
            ReplicaLagError: the next event has not arrived in this replica region yet.
            ServiceError: AWS refused or did not answer.
        """
        return await self._bridge.run(self._sync.read)

    async def read_some(
        self,
        most_commits: int = 100,
    ) -> Piece:
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
        return await self._bridge.run(self._sync.read_some, most_commits)
