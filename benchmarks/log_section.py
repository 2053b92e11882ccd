"""Writes the page's section on the cost of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.log_costs import BATCHES
from benchmarks.logged_history import EVENTS_PER_COMMIT
from benchmarks.report import NOTHING, Goal, Section, Table

if TYPE_CHECKING:
    from benchmarks.log_costs import Found


def section(found: Found, *, given: bool = False) -> Section:
    """Return the section on the cost of the log.

    Args:
        found: the measurements.
        given: whether the history is not the sample of the package.
    """
    history = "a history given to the command" if given else "the package's sample"
    how = (
        f"{found.events:,} events of {history}, in {found.commits:,} commits of up to "
        f"{EVENTS_PER_COMMIT}, are appended in the order of time, with a category for each "
        'file extension. An append is one request (`sequencing="stream"`). Afterwards a '
        "sequencer gets the commits, in batches of several sizes. The units are those of "
        "the replies, separately for pages and markers. The limits of units are those of "
        "[ADR 7](decisions/0007-a-billion-events.md). The limit of requests is 2 for each "
        "page, 1 for each 25 streams in it, and 1 at the beginning.\n\n"
        f"Then a subscription reads the log with the fullest pages, {max(BATCHES)} commits each "
        f"({found.sequenced[max(BATCHES)].pages:,} in all), and another one reads the category "
        f"whose share is nearest to 1 % of the commits ({found.filtered.chosen:,}). The limit of "
        "requests is one for each page and one for each hundred selected commits. The rate "
        "depends on the machine, which also runs the engine."
    )
    return Section("The log", how, [_sequencing(found), _reading(found)], goals=_goals(found))


def _sequencing(found: Found) -> Table:
    return Table(
        [
            "commits at once",
            "requests",
            "limit",
            "requests per event",
            "write units per event, pages",
            "write units per event, markers",
            "read units per event",
        ],
        [
            [
                str(batch),
                f"{one.cost.requests:,}",
                f"{one.budget:,}",
                f"{one.cost.requests / found.events:.2f}",
                f"{one.page_units / found.events:.2f}",
                f"{(one.cost.write_units - one.page_units) / found.events:.2f}",
                f"{one.cost.read_units / found.events:.2f}",
            ]
            for batch, one in found.sequenced.items()
        ],
    )


def _reading(found: Found) -> Table:
    return Table(
        [
            "read",
            "events",
            "requests",
            "limit",
            "read units",
            "commits read",
            "of all",
            "events a second",
        ],
        [
            [
                name,
                f"{one.events:,}",
                f"{one.cost.requests:,}",
                f"{one.budget:,}",
                f"{one.cost.read_units:,g}",
                f"{one.fetched:,}",
                f"{one.fetched / found.commits:.1%}",
                rate,
            ]
            for name, one, rate in (
                ("all of it", found.replay, f"{found.replay.events / found.replay.seconds:,.0f}"),
                (f"category `{found.category}`", found.filtered, NOTHING),
            )
        ],
    )


def _goals(found: Found) -> list[Goal]:
    sequenced = found.sequenced.values()
    figures = {
        "requests of an append, the log left to a sequencer": (
            found.appended.requests / found.commits,
            1.0,
        ),
        "requests of a sequencer beyond 2 a page and 1 for 25 streams": (
            max(one.cost.requests - one.budget for one in sequenced),
            0.0,
        ),
        **{
            f"write units per event of the log, {batch} at once": (
                found.sequenced[batch].cost.write_units / found.events,
                limit,
            )
            for batch, limit in BATCHES.items()
        },
        "requests of a replay, relative to pages and hundreds of commits": (
            found.replay.cost.requests / found.replay.budget,
            1.05,
        ),
        "requests for a category, relative to pages and hundreds of commits": (
            found.filtered.cost.requests / found.filtered.budget,
            1.05,
        ),
        "commits read for a category, relative to those that it has": (
            found.filtered.fetched / found.filtered.chosen,
            1.05,
        ),
    }
    return [Goal(name, figure, limit, exact=True) for name, (figure, limit) in figures.items()]
