"""`BoundaryIndex`: keeps the index of a boundary's tags up to date."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.checks import check_count
from dynamo_es.exceptions import CredentialsError, ServiceError, TableNotFoundError

if TYPE_CHECKING:
    from dynamo_es.contracts import StorageStrategy
    from dynamo_es.values import StreamId

_log = logging.getLogger("dynamo_es")

_WAIT: Final = 1.0
"""Seconds between looks for new events."""


@dataclass(frozen=True, slots=True)
class BoundaryIndex:
    """Writes which events have which tag, so that the first read of a process is cheap.

    ``backend.boundary("courses").index.run_once()``

    Any number of processes may run it at once. What it has not indexed yet, a read takes from the
    stream: a late index costs bytes, and no event is missed. After the boundary is deleted, the
    next run deletes the items of its index.

    Attributes:
        storage: holds the boundary.
        stream_id: the stream of the boundary.
    """

    storage: StorageStrategy
    stream_id: StreamId

    def run_once(self, batch_size: int = 1_000) -> int:
        """Index all events so far; return how many events this run indexed.

        Args:
            batch_size: events whose pages are written together. Fewer, larger batches cost less.

        Raises:
            InputError: ``batch_size`` is not an integer of 1 or more.
            StoredItemError: an item that this release cannot read.
            ServiceError: AWS refused a request or did not answer. Run it again.
        """
        check_count("batch_size", batch_size)
        total = 0
        while indexed := self.storage.index_tags(self.stream_id, batch_size):
            total += indexed
        return total

    def run_forever(self, stop: threading.Event | None = None, batch_size: int = 1_000) -> int:
        """Index events until stopped; return how many. It looks for new ones each second.

        It logs errors of AWS as warnings and goes on, except for those below.

        Args:
            stop: set it in another thread or a signal handler; None: run until an error.
            batch_size: as for `run_once`.

        Raises:
            CredentialsError: AWS credentials are missing or wrong.
            TableNotFoundError: a table is missing.
            InputError: ``batch_size`` is not an integer of 1 or more.
        """
        stop = threading.Event() if stop is None else stop
        total = 0
        while not stop.is_set():
            try:
                total += self.run_once(batch_size)
            except (CredentialsError, TableNotFoundError):
                raise
            except ServiceError as error:
                _log.warning("Indexing the tags of a boundary failed, trying again: %s", error)
            stop.wait(_WAIT)
        return total
