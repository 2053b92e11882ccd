"""Plots of the newest commits: appends, events and write units over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from dynamo_es.ui.log_filters import chosen_log, filters_of
from dynamo_es.ui.log_views import read_newest_commits
from dynamo_es.ui.plotting import plot
from dynamo_es.ui.queries import address, number_of
from dynamo_es.ui.rendering import render, utc

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.ui.log_views import Stretch

CHOICES: Final = (100, 300, 1000, 3000)
"""Numbers of commits that the page offers."""


def show(request: Request) -> Response:
    """Show the plots of the newest commits."""
    filters = filters_of(request)
    log = chosen_log(request, filters)
    wanted = number_of(request, "commits", CHOICES[1], least=1) or CHOICES[1]
    most = min(wanted, CHOICES[-1])
    last = log.last_position or 0
    stretch = read_newest_commits(log, last, filters.selection, most)
    times = _times_of(stretch)
    events: dict[int, int] = dict.fromkeys(times, 0)
    for index in _commit_of_each(stretch):
        events[index] += 1
    commits = stretch.commits
    plots = [
        plot("Appends over time", "appends", [(at, 1) for at in times.values()]),
        plot("Events over time", "events", [(at, events[i]) for i, at in times.items()]),
        plot(
            "Write units over time",
            "write units",
            [(at, commits[i].write_units) for i, at in times.items() if commits[i].write_units],
        ),
    ]
    return render(
        request,
        "plots.html",
        section="/log",
        filters=filters,
        plots=[one for one in plots if one is not None],
        most=most,
        choices=CHOICES,
        commits=len(times),
        events=len(stretch.records),
        units=sum(commit.write_units for commit in commits),
        first=stretch.after + 1,
        last=last,
        pages=address("/log", **filters.query),
        live=address("/log/live", **filters.query),
    )


def _commit_of_each(stretch: Stretch) -> list[int]:
    """Return the index of each event's commit. A commit whose first event was not read has none."""
    found: list[int] = []
    index = 0
    commits = stretch.commits
    for record in stretch.records:
        while index + 1 < len(commits) and commits[index + 1].position <= record.position:
            index += 1
        found.append(index)
    return found


def _times_of(stretch: Stretch) -> dict[int, datetime]:
    """Return the time of each commit by index: the time of its first event that was read."""
    times: dict[int, datetime] = {}
    for index, record in zip(_commit_of_each(stretch), stretch.records, strict=True):
        times.setdefault(index, utc(record.entry.created_at))
    return times


routes = [Route("/plots", show)]
