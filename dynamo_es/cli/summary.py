"""The summary of an import, for people and for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dynamo_es.cli.rendering import facts

if TYPE_CHECKING:
    from rich.table import Table

    from dynamo_es.cli.importing import Summary


def summary_document(summary: Summary) -> dict[str, Any]:
    """Return a summary as JSON."""
    return {
        **asdict(summary),
        "write_units_per_event": summary.write_units_per_event,
        "requests_per_event": summary.requests_per_event,
        "events_per_second": summary.events_per_second,
    }


def summary_table(summary: Summary) -> Table:
    """Return a summary as a table; what would be zero and is not expected is left out."""
    source = "reported" if summary.write_units_reported else "by the size rules"
    rows = [
        ("events", f"{summary.events:,} in {summary.commits:,} commits"),
        ("streams", f"{summary.streams:,} of {summary.tenants:,} tenants"),
        ("already stored", f"{summary.already_stored:,}"),
        ("malformed", f"{summary.malformed:,}"),
    ]
    if summary.skipped:
        rows.append(
            ("skipped", f"{summary.skipped:,}, {summary.refused_streams:,} streams refused")
        )
    rows += [
        ("requests", f"{summary.requests:,}, {summary.requests_per_event:.2f} an event"),
        (
            "write units",
            f"{summary.write_units:,.0f} ({source}), {summary.write_units_per_event:.2f} an event",
        ),
        ("time", f"{summary.seconds:,.1f} s, {summary.events_per_second:,.0f} events a second"),
    ]
    return facts(*rows)
