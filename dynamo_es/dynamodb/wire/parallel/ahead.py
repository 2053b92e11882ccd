"""Reads the next page on another thread or task while the caller works on the current one."""

from __future__ import annotations

from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from dynamo_es.waiting import how_to_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


def reading_ahead(read: Callable[[], list[T]], is_complete: Callable[[], bool]) -> Iterator[T]:
    """Yield the parts of pages one by one, with one page read ahead.

    The first page is read when you ask for its first part, and the next one as soon as you ask for
    the second part. So a caller that takes only one part causes no read ahead. If the iterator is
    closed or dropped, at most one read is still running, and ends on its own.

    Args:
        read: reads and returns the next page.
        is_complete: returns whether there are no more pages; called while no read is running.

    Raises:
        Exception: the error of ``read``, after all parts of the pages before it.
    """
    page = read()
    while page:
        ahead: _Ahead[list[T]] | None = None
        for part in page:
            yield part
            if ahead is None and not is_complete():
                ahead = _Ahead(read)
        if ahead is None:
            return
        page = ahead.result()


class _Ahead(Generic[T]):
    """A call on its own thread or task, in the context of the caller."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._found: list[T] = []
        self._error: BaseException | None = None
        waits = how_to_wait()
        if waits is not None:
            self._end = waits.begin(self._run)
            return
        thread = Thread(
            target=copy_context().run, args=(self._run,), name="dynamo-es-page", daemon=True
        )
        thread.start()
        self._end = thread.join

    def _run(self) -> None:
        try:
            self._found.append(self._call())
        except BaseException as error:  # noqa: BLE001 - `result` raises it
            self._error = error

    def result(self) -> T:
        """Wait for the call; return its result, or raise its error."""
        self._end()
        if self._error is not None:
            raise self._error
        # A forked child has none of the parent's threads, so it makes the call itself.
        return self._found[0] if self._found else self._call()
