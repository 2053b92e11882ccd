"""The live tail: one server-sent event for each new event in the log."""

from __future__ import annotations

import json
from dataclasses import asdict
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.exceptions import EventStoreError
from dynamo_es.ui import costs
from dynamo_es.ui.log_filters import chosen_log, filters_of, row_of
from dynamo_es.ui.queries import MAX_NUMBER, number_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from starlette.requests import Request
    from starlette.types import Send

    from dynamo_es.contracts import LogReader

MOST_CLIENTS: Final = 8
"""The most live tails that a server runs at the same time."""

_COMMITS: Final = 50
_SHORTEST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 1.0
_BEAT: Final = 10.0
"""After this many seconds without an event the cost is sent, to keep the connection open."""
_SLOWEST: Final = 30.0
"""A client that takes longer than this many seconds to receive a message is disconnected."""
_MOST_ERRORS: Final = 5
"""A tail ends after this many errors in a row."""
_RETRY_MS: Final = 3000
_OWN_SITES: Final = ("same-origin", "none")


class Tails:
    """The live tails of a server: how many are open, and whether they must end.

    Args:
        most: the most tails at the same time.
    """

    def __init__(self, most: int = MOST_CLIENTS) -> None:
        self._most = most
        self._lock = Lock()
        self._open = 0
        self._stopping = Event()

    @property
    def open(self) -> int:
        """The number of open tails."""
        return self._open

    @property
    def stopping(self) -> bool:
        """Whether the server is stopping."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """End all tails soon and refuse new ones. Safe in a signal handler."""
        self._stopping.set()

    def enter(self) -> bool:
        """Register a tail; return False if there are already too many."""
        with self._lock:
            if self._open >= self._most or self.stopping:
                return False
            self._open += 1
            return True

    def leave(self) -> None:
        """Unregister a tail."""
        with self._lock:
            self._open -= 1


async def follow(request: Request) -> _TailResponse:
    """Send each new event of the log that the filters select, until the client disconnects.

    A message's id is its position. A client that reconnects names the last one and continues there.

    Raises:
        HTTPException: 503, there are too many tails, or the server is stopping; 403, a page of
            another site asks, which could use up all tails.
    """
    if request.method != "GET":
        raise HTTPException(405)
    if request.headers.get("sec-fetch-site", "same-origin") not in _OWN_SITES:
        raise HTTPException(403, "A page of another site may not follow the log.")
    filters = filters_of(request)
    log = chosen_log(request, filters)
    after = _after(request)
    tails = tails_of(request)
    if not tails.enter():
        raise HTTPException(
            503,
            f"This server follows the log for at most {MOST_CLIENTS} pages at a time. Close one of "
            "them, then load this page again.",
            {"Retry-After": "10"},
        )
    try:
        if after is None:
            after = await run_sync(lambda: log.last_position or 0)
        reader = await run_sync(log.reader, after, filters.selection)
    except BaseException:
        tails.leave()
        raise
    return _TailResponse(_messages(reader, tails), tails)


def tails_of(request: Request) -> Tails:
    """Return the live tails of the server that serves a request."""
    state: Any = request.app.state
    tails: Tails = state.tails
    return tails


class _TailResponse(StreamingResponse):
    """Streams messages, and disconnects a client that does not receive them."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str], tails: Tails) -> None:
        super().__init__(content, headers={"X-Accel-Buffering": "no"})
        self._tails = tails

    async def __call__(self, *arguments: Any) -> None:
        try:
            await super().__call__(*arguments)
        finally:
            self._tails.leave()

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Any) -> None:
            with anyio.fail_after(_SLOWEST):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            return


async def _messages(reader: LogReader, tails: Tails) -> AsyncIterator[str]:
    yield f"retry: {_RETRY_MS}\n\n"
    pause, quiet, errors = _SHORTEST_PAUSE, 0.0, 0
    while not tails.stopping:
        try:
            piece = await run_sync(reader.read_some, _COMMITS)
        except EventStoreError as error:
            errors += 1
            yield message("trouble", describe_error(error))
            if errors >= _MOST_ERRORS:
                return
            await _wait(tails, errors * _LONGEST_PAUSE)
            continue
        errors = 0
        for record in piece.records:
            yield message("", asdict(row_of(record)), record.position)
        if piece.records:
            pause, quiet = _SHORTEST_PAUSE, 0.0
        elif quiet >= _BEAT:
            yield message("cost", _cost(), reader.position)
            quiet = 0.0
        if piece.ended:
            await _wait(tails, pause)
            quiet += pause
            pause = min(2 * pause, _LONGEST_PAUSE)


async def _wait(tails: Tails, seconds: float) -> None:
    """Wait, but stop waiting when the server stops."""
    while seconds > 0 and not tails.stopping:
        await anyio.sleep(min(seconds, _SHORTEST_PAUSE))
        seconds -= _SHORTEST_PAUSE


def message(event: str, data: object, position: int | None = None) -> str:
    """Return the text of a server-sent event. Its data is JSON, which has no line breaks.

    Args:
        event: type of the event; empty: the default type.
        data: the data, to be written as JSON.
        position: id of the event; None: it has none.
    """
    lines: Iterable[str] = (
        f"event: {event}" if event else "",
        "" if position is None else f"id: {position}",
        f"data: {json.dumps(data)}",
    )
    return "".join(f"{line}\n" for line in lines if line) + "\n"


def _cost() -> dict[str, Any]:
    cost = costs.current()
    return {"requests": cost.requests, "read_units": cost.read_units}


def _after(request: Request) -> int | None:
    """Return the position to begin after: from the client's last message, or from the query."""
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdecimal() and int(last[:19]) <= MAX_NUMBER:
        return int(last[:19])
    return number_of(request, "after")
