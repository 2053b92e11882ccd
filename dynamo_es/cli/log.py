"""``dynamo-es log``: verify it, repair it, list what is set aside."""

from dataclasses import asdict

import typer

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.progress import ticking
from dynamo_es.cli.rendering import facts
from dynamo_es.cli.terminal import print_json, printable, results, tell
from dynamo_es.dynamodb.maintenance.repair import Repaired, read_set_aside
from dynamo_es.dynamodb.maintenance.repair import repair as run_repair
from dynamo_es.dynamodb.maintenance.verify import Verified
from dynamo_es.dynamodb.maintenance.verify import verify as run_verification
from dynamo_es.dynamodb.wire.client import LazyClient


def verify(place: Place, *, as_json: AsJson = False) -> None:
    """Check that every commit has exactly one place in the log, and every stream its order.

    Reads both tables, all of them, and writes nothing. Exit status 1 if something is wrong, or if
    a commit cannot be read. Commits that are only waiting for their positions are counted, and no
    fault.
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
    for line in report.unreadable:
        tell(line, style="yellow")
    if left := report.set_aside - len(report.unreadable):
        tell(f"… and {left:,} more that cannot be read.", style="yellow")
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
                ("log", f"{report.positions:,} positions in {report.pages:,} pages"),
                ("points to", f"{report.pointers:,} commits of {report.streams:,} streams"),
                ("deleted since", f"{report.deleted:,} commits"),
                ("stored", f"{report.commits:,} commits in {report.scanned:,} items"),
                ("not in the log yet", f"{report.not_sequenced:,} commits"),
                ("foreign items", f"{report.foreign:,}"),
                ("cannot be read", f"{report.set_aside:,} items"),
                ("faults", f"{report.fault_count:,}"),
            )
        )
    if not report.sound:
        raise typer.Exit(1)


def repair(place: Place, *, as_json: AsJson = False) -> None:
    """Give every commit that has no position in the log one.

    Scans the events table, all of it. What is in the log stays as it is: run it again after an
    interruption, or beside sequencers, as often as you like. A commit that cannot be read is set
    aside (log set-aside lists these), and its stream waits. A newest page at which every sequencer
    stops is mended.
    """
    config = place.config()
    with ticking("Scanning the events table") as tick:

        def show(done: Repaired) -> None:
            tick(
                f"{_share(done.scanned, done.expected)} of the events table, "
                f"{done.positions:,} positions given"
            )

        done = run_repair(config, LazyClient(config, None), on_progress=show)
    if done.set_aside:
        tell(
            f"{done.set_aside:,} items cannot be read and are set aside; {done.waiting:,} later "
            "commits of their streams wait. To list them: dynamo-es log set-aside",
            style="yellow",
        )
    if as_json:
        print_json(asdict(done))
        return
    results().print(
        facts(
            ("scanned", f"{done.scanned:,} items, {done.commits:,} commits"),
            ("foreign items", f"{done.foreign:,}"),
            ("set aside", f"{done.set_aside:,} items, {done.waiting:,} commits wait"),
            ("given", f"{done.positions:,} positions in {done.pages:,} pages"),
        )
    )
    if done.mended:
        results().print(f"The newest page was mended: {done.mended:,} commits less.")


def set_aside(place: Place, *, as_json: AsJson = False) -> None:
    """List the commits that no sequencer of this release can read.

    They have no position in the log, and later commits of their streams wait. Upgrade if a newer
    release wrote them; else restore or delete the items. Then: dynamo-es log repair.
    """
    config = place.config()
    for entry in read_set_aside(config, LazyClient(config, None)):
        if as_json:
            print_json({**asdict(entry), "since": entry.since.isoformat()})
            continue
        line = f"{entry.stream_key} {entry.version} since {entry.since.isoformat(sep=' ')}: "
        results().print(
            printable(line + entry.reason), markup=False, highlight=False, soft_wrap=True
        )


def _share(done: int, expected: int) -> str:
    return f"{done:,} of about {max(done, expected):,} items"
