"""The log: page by page, from a position or a time, with filters; and its newest events live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from dynamo_es.ui.log_filters import chosen_log, filters_of, row_of, time_of
from dynamo_es.ui.log_views import find_time, read_backward, read_forward
from dynamo_es.ui.queries import address, number_of
from dynamo_es.ui.rendering import render
from dynamo_es.ui.tail import follow

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.contracts import LogStrategy
    from dynamo_es.ui.log_filters import Filters
    from dynamo_es.ui.log_views import Stretch

_ROWS: Final = 50
"""Events on a page."""


def show_log(request: Request) -> Response:
    """Show a page of the log."""
    filters = filters_of(request)
    log = chosen_log(request, filters)
    last = log.last_position or 0
    stretch, note = _chosen(request, log, filters, last)
    earlier = address("/log", before=stretch.after + 1, **filters.query)
    later = address("/log", after=stretch.until, **filters.query)
    return render(
        request,
        "log.html",
        filters=filters,
        rows=[row_of(record) for record in stretch.records],
        first=stretch.after + 1,
        last_looked=stretch.until,
        last=last,
        note=note,
        earlier=earlier if stretch.after > 0 else None,
        later=later if stretch.until < last else None,
        newest=address("/log", **filters.query),
        oldest=address("/log", after=0, **filters.query),
        live=address("/log/live", **filters.query),
        plots=address("/plots", **filters.query),
    )


def _chosen(request: Request, log: LogStrategy, filters: Filters, last: int) -> tuple[Stretch, str]:
    """Return the stretch that the query asks for, and a note for the reader."""
    selection = filters.selection
    moment = time_of(request)
    if moment is not None:
        found = find_time(log, moment)
        shown = moment.strftime("%Y-%m-%d %H:%M:%S")
        if found is None:
            newest = read_backward(log, last + 1, selection, _ROWS)
            return newest, f"No event is from {shown} UTC or later. These are the newest events."
        note = f"The first event from {shown} UTC or later is at position {found:,}."
        return read_forward(log, found - 1, selection, _ROWS), note
    position = number_of(request, "position", least=1)
    if position is not None:
        if position > last:
            newest = read_backward(log, last + 1, selection, _ROWS)
            return newest, f"The log ends at position {last:,}. These are the newest events."
        return read_forward(log, position - 1, selection, _ROWS), ""
    after = number_of(request, "after")
    if after is not None:
        return read_forward(log, after, selection, _ROWS), ""
    before = number_of(request, "before", last + 1, least=1) or last + 1
    return read_backward(log, min(before, last + 1), selection, _ROWS), ""


def show_live(request: Request) -> Response:
    """Show the newest events and, with JavaScript, each new one as it arrives."""
    filters = filters_of(request)
    log = chosen_log(request, filters)
    last = log.last_position or 0
    stretch = read_backward(log, last + 1, filters.selection, _ROWS // 2)
    return render(
        request,
        "log_live.html",
        section="/log",
        filters=filters,
        rows=[row_of(record) for record in reversed(stretch.records)],
        last=last,
        pages=address("/log", **filters.query),
        source=address("/log/tail", after=last, **filters.query),
    )


routes = [
    Route("/log", show_log),
    Route("/log/live", show_live),
    Route("/log/tail", follow),
]
