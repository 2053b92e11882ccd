"""`CursorLease`: the lease of a cursor while a projector applies the events after the cursor."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4

from dynamo_es.contracts.consumers.failures import NewFailure, reason_of
from dynamo_es.exceptions import CursorBusyError, ServiceError, describe_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.contracts import CursorStrategy, Followed

_log = logging.getLogger("dynamo_es")


class CursorLease:
    """The lease of a cursor, from `take` to `release`. Use it once, in one thread.

    Args:
        cursors: keeps the cursor.
        followed: the read model and the stream.
        lease_ms: milliseconds that other processes stay out after a write of this process.
        now_ms: returns milliseconds since the epoch.
        kept: called with a version when the events up to it, inclusive, are applied.

    Attributes:
        done: version of the last applied event.
    """

    def __init__(
        self,
        cursors: CursorStrategy,
        followed: Followed,
        lease_ms: int,
        now_ms: Callable[[], int],
        kept: Callable[[int], object] = lambda _: None,
    ) -> None:
        self._cursors = cursors
        self._followed = followed
        self._lease_ms = lease_ms
        self._now_ms = now_ms
        self._kept = kept
        self._worker = uuid4().hex
        self._renewed_ms = 0
        self._lost = False
        self._failure: NewFailure | None = None
        self.done = 0

    def take(self, last: int) -> bool:
        """Take the lease, to apply events up to a version; False if they are applied already.

        Raises:
            CursorBusyError: another process has the lease.
        """
        now_ms = self._renewed_ms = self._now_ms()
        at = self._cursors.take(self._followed, last, self._worker, now_ms, now_ms + self._lease_ms)
        self.done = at or 0
        return at is not None

    def renew_in_time(self) -> None:
        """Renew the lease if half its time is over.

        Raises:
            CursorBusyError: another process has taken over the stream.
        """
        now_ms = self._now_ms()
        if now_ms - self._renewed_ms <= self._lease_ms / 2:
            return
        now_ms = self._renewed_ms = self._now_ms()
        until_ms = now_ms + self._lease_ms
        if not self._cursors.renew(self._followed, self._target, self._worker, until_ms):
            self._lose()

    def keep(self, version: int, returned: object) -> None:  # noqa: ARG002 - writes are returned
        """Record that an event is applied.

        Args:
            version: place of the event in its stream, 1-based.
            returned: the object that the read model returned for the event.
        """
        self._reach(version)

    def finish(self) -> None:
        """Complete the events so far. Call it after the last event, and before a failure."""

    def failed(self, error: Exception) -> None:
        """Record that the event after the last applied one failed; ignore temporary errors."""
        if not isinstance(error, (CursorBusyError, ServiceError)):
            self._failure = NewFailure(self.done + 1, reason_of(error), self._now_ms())

    def release(self) -> None:
        """Move the cursor, store the failure if there is one, and give the lease back."""
        if self._lost or self._cursors.release(
            self._followed, self._target, self._worker, self._failure
        ):
            return
        _log.warning(
            "Read model %r, stream %s: the lease ended before an event was applied, and "
            "another process may apply it again. Raise lease above %.0f s.",
            self._followed.name,
            describe_stream(self._followed.stream_id),
            self._lease_ms / 1000,
        )

    @property
    def _target(self) -> int | None:
        """Return the version to move the cursor to with the next renewal or release; None: none."""
        return self.done

    def _reach(self, version: int) -> None:
        self.done = version
        self._kept(version)

    def _lose(self) -> NoReturn:
        self._lost = True
        raise CursorBusyError(self._followed.name, self._followed.stream_id)
