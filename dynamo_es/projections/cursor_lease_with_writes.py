"""`CursorLeaseWithWrites`: moves a cursor in one transaction with the writes of the events."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from dynamo_es.exceptions import InvalidEnlistedWriteError, ProjectionWriteRefusedError
from dynamo_es.projections.cursor_lease import CursorLease
from dynamo_es.projections.writing import Writing

if TYPE_CHECKING:
    from dynamo_es.contracts.consumers.writes import WriteBatch


class CursorLeaseWithWrites(CursorLease):
    """The lease of a cursor whose read model returns writes.

    A transaction moves the cursor together with the writes. The release moves it past events
    without writes. A renewal does not move the cursor, and neither does a release after a
    transaction without a reply, so that the cursor is never set back.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stored = 0
        self._unknown = False
        self._pending = 0
        self._writing = Writing(self)

    def take(self, last: int) -> bool:
        """Take the lease; see `CursorLease.take`."""
        taken = super().take(last)
        self._stored = self._pending = self.done
        return taken

    def keep(self, version: int, returned: object) -> None:
        """Add the writes of an event; if they do not fit, first carry out the earlier ones.

        Raises:
            CursorBusyError: another process has taken over the stream.
            InvalidEnlistedWriteError: the writes are wrong; those of earlier events were made.
        """
        try:
            fits = self._writing.add(version, returned)
        except InvalidEnlistedWriteError:
            self.finish()
            raise
        if not fits:
            self.finish()
            self._writing.add(version, returned)
        self._pending = version

    def finish(self) -> None:
        """Carry out the writes of the events so far, and move the cursor.

        Raises:
            CursorBusyError: another process has taken over the stream.
            ProjectionWriteRefusedError: the condition of a write was not met; the writes of earlier
                events were made.
        """
        if self._pending > self.done:
            self._writing.save(self._pending, lambda _: nullcontext())

    def new_writes(self) -> WriteBatch:
        """Return an empty batch of writes."""
        return self._cursors.new_writes()

    def save(self, position: int) -> int:
        """Record that events without writes are applied; the release moves the cursor."""
        self._reach(position)
        return position

    def apply(self, position: int, writes: WriteBatch) -> int:
        """Move the cursor to a version and carry out writes: both or neither."""
        self._unknown = True  # until there is a reply
        now_ms = self._now_ms()
        until_ms = now_ms + self._lease_ms
        try:
            made = self._cursors.apply(
                self._followed, self._stored, position, self._worker, until_ms, writes
            )
        except ProjectionWriteRefusedError:
            self._unknown = False
            raise
        self._unknown = False
        if not made:
            self._lose()
        self._stored, self._renewed_ms = position, now_ms
        self._reach(position)
        return position

    @property
    def _target(self) -> int | None:
        """Return the version after events without writes; None if the cursor must not move."""
        return None if self._unknown or self.done == self._stored else self.done
