"""`BoundaryIndex`: keeps the tag index of a boundary up to date."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Final, Self

from dynamo_es.contracts.checks.arguments import check_count, check_kind, check_stream
from dynamo_es.contracts.checks.functions import check_stop
from dynamo_es.contracts.consumers.workers import in_thread
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.contracts.storage import StorageStrategy
from dynamo_es.exceptions import (
    ContentionError,
    ThrottledError,
    UnavailableError,
    describe_stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.values import StreamId

_log = logging.getLogger("dynamo_es")

_WAIT: Final = 1.0
"""Seconds between looks for new events. An index that is a second late costs almost nothing."""

_PASSING: Final = (ContentionError, ThrottledError, UnavailableError)


@dataclass(frozen=True, slots=True)
class BoundaryIndex:
    """Writes the tag index of a boundary, so that the first read of a process is cheap.

    ``backend.boundary("courses").index.run_forever()``

    A process with ``DynamoConfig(tag_index=True)`` reads with the index. Any number of workers may
    write the index at once. A read takes events that the index does not have yet from the stream,
    so a late index makes reads larger, but no event is missed. In memory there is no index, and a
    run does nothing.

    Attributes:
        storage: storage of the boundary.
        stream_id: the stream of the boundary.

    Raises:
        InputError: ``storage`` is not a storage.
        InvalidStreamIdError: ``stream_id`` is not a stream id.
    """

    storage: StorageStrategy
    stream_id: StreamId

    def __post_init__(self) -> None:
        check_kind("storage", self.storage, StorageStrategy)
        check_stream(self.stream_id)

    def run_once(self, batch_size: int = 1_000, *, stop: Event | None = None) -> int:
        """Index the events that the boundary has now; return how many this run indexed.

        Args:
            batch_size: number of events that are indexed together, 1 or more. Fewer, larger batches
                cost less.
            stop: set it to return after the current batch.

        Raises:
            InputError: ``batch_size`` is not an integer of 1 or more.
            InvalidSubscriptionError: ``stop`` cannot stop a run.
            StoredItemError: this release cannot read an item.
            ServiceError: AWS refused a request or did not answer. Run it again.

        Cost on DynamoDB: 2 requests if there is nothing to index; else 3 to 4 for each batch, and 2
        for each different tag in it, to read and to write the tag's newest page.
        """
        check_count("batch_size", batch_size)
        stop = Event() if stop is None else stop
        check_stop(stop)
        return sum(self._batches(stop, batch_size))

    def run_forever(self, stop: Event | None = None, batch_size: int = 1_000) -> int:
        """Index events until stopped; return how many. It looks for new events each second.

        It logs temporary errors (throttling, contention, lost connections) as warnings, and tries
        again.

        Args:
            stop: set it in another thread or a signal handler to return after the current batch;
                None: run until an error.
            batch_size: as for `run_once`.

        Raises:
            EventStoreError: the errors of `run_once`, except for temporary ones.
        """
        check_count("batch_size", batch_size)
        stop = Event() if stop is None else stop
        check_stop(stop)
        total = 0
        while not stop.is_set():
            try:
                for indexed in self._batches(stop, batch_size):
                    total += indexed
            except _PASSING as error:
                _log.warning("%s failed and tries again: %s", self._title, describe_error(error))
            stop.wait(_WAIT)
        return total

    @contextmanager
    def in_background(self, batch_size: int = 1_000) -> Iterator[Self]:
        """Run in a thread during a ``with`` block: ``with courses.index.in_background():``.

        Args:
            batch_size: as for `run_once`.

        Raises:
            InputError: ``batch_size`` is not an integer of 1 or more.
            Exception: the thread ended with an error; it is raised at the end of the block.
        """
        check_count("batch_size", batch_size)
        with in_thread(lambda stop: self.run_forever(stop, batch_size), self._title):
            yield self

    def _batches(self, stop: Event, batch_size: int) -> Iterator[int]:
        """Yield the number of events of each batch."""
        while not stop.is_set():
            indexed = self.storage.index_tags(self.stream_id, batch_size)
            if not indexed:
                return
            yield indexed

    @property
    def _title(self) -> str:
        return f"Tag index of boundary {describe_stream(self.stream_id)}"
