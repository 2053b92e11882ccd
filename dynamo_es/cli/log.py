"""``dynamo-es log``: verify it, repair it."""

from dataclasses import asdict

import typer

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.rendering import facts
from dynamo_es.cli.terminal import print_json, results, tell
from dynamo_es.cli.ticker import ticking
from dynamo_es.dynamodb.client import LazyClient
from dynamo_es.dynamodb.log.scan import Repaired
from dynamo_es.dynamodb.log.scan import repair as run_repair
from dynamo_es.dynamodb.log.verification import Verified
from dynamo_es.dynamodb.log.verification import verify as run_verification


def verify(place: Place, *, as_json: AsJson = False) -> None:
    """Check that every commit has exactly one place in the log, and every stream its order.

    Reads both tables, all of them, and writes nothing. Exit status 1 if something is wrong.
    Commits that are only waiting for their positions are counted, and no fault.
    """
    config = place.config()
    with ticking("Reading the log") as tick:

        def show(report: Verified) -> None:
            text = f"{report.pages:,} pages, {report.positions:,} positions"
            if report.scanned:
                text += f"; {_share(report.scanned, report.expected)} of the events table"
            tick(text)

        report = run_verification(config, LazyClient(config, None), on_progress=show)
    for fault in report.faults:
        tell(fault, style="red")
    if left := report.fault_count - len(report.faults):
        tell(f"… and {left:,} more like these.", style="red")
    if report.not_sequenced:
        tell(
            f"{report.not_sequenced:,} commits are not in the log yet. If they are not in a "
            "minute from now, is a sequencer running? To give them positions: "
            "dynamo-es log repair",
            style="yellow",
        )
    if as_json:
        print_json({**asdict(report), "deleted": report.deleted, "sound": report.sound})
    else:
        results().print(
            facts(
                [
                    ("log", f"{report.positions:,} positions in {report.pages:,} pages"),
                    ("points to", f"{report.pointers:,} commits of {report.streams:,} streams"),
                    ("deleted since", f"{report.deleted:,} commits"),
                    ("stored", f"{report.commits:,} commits in {report.scanned:,} items"),
                    ("not in the log yet", f"{report.not_sequenced:,} commits"),
                    ("foreign items", f"{report.foreign:,}"),
                    ("faults", f"{report.fault_count:,}"),
                ]
            )
        )
    if not report.sound:
        raise typer.Exit(1)


def repair(place: Place, *, as_json: AsJson = False) -> None:
    """Give every commit that has no position in the log one.

    Scans the events table, all of it. What is in the log stays as it is: run it again after an
    interruption, or beside sequencers, as often as you like.
    """
    config = place.config()
    with ticking("Scanning the events table") as tick:

        def show(done: Repaired) -> None:
            tick(
                f"{_share(done.scanned, done.expected)} of the events table, "
                f"{done.positions:,} positions given"
            )

        done = run_repair(config, LazyClient(config, None), on_progress=show)
    if as_json:
        print_json(asdict(done))
        return
    results().print(
        facts(
            [
                ("scanned", f"{done.scanned:,} items, {done.commits:,} commits"),
                ("foreign items", f"{done.foreign:,}"),
                ("given", f"{done.positions:,} positions in {done.pages:,} pages"),
            ]
        )
    )


def _share(done: int, expected: int) -> str:
    return f"{done:,} of about {max(done, expected):,} items"
