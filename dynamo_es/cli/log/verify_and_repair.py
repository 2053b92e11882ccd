"""``dynamo-es log``: verify the log, repair it, list the commits that are set aside."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from dynamo_es.cli.options import AsJson, Place, Yes
from dynamo_es.cli.terminal.output import print_json, printable, results, tell
from dynamo_es.cli.terminal.progress import ticking
from dynamo_es.cli.terminal.rendering import count, facts
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.maintenance.repair import Repaired, read_set_aside
from dynamo_es.dynamodb.maintenance.repair import repair as run_repair
from dynamo_es.dynamodb.maintenance.torn import Truncation, plan_truncation, truncate
from dynamo_es.dynamodb.maintenance.verify import Verified
from dynamo_es.dynamodb.maintenance.verify import verify as run_verification
from dynamo_es.dynamodb.wire.client import LazyClient


def verify(place: Place, *, as_json: AsJson = False) -> None:
    """Check that every commit is in the log exactly once, and every stream in order.

    The command reads both tables completely, and writes nothing. The exit status is 1 if something
    is wrong or a commit cannot be read. Commits that still wait for their positions are counted,
    but are not faults.
    """
    config = place.config()
    with ticking("Reading the log") as tick:

        def show(report: Verified) -> None:
            text = f"{count(report.pages, 'page')}, {count(report.positions, 'position')}"
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
    _tell_what_to_do(report)
    if as_json:
        print_json({**asdict(report), "deleted": report.deleted, "sound": report.sound})
    else:
        results().print(
            facts(
                ("log", f"{count(report.positions, 'position')} in {count(report.pages, 'page')}"),
                (
                    "points to",
                    f"{count(report.pointers, 'commit')} of {count(report.streams, 'stream')}",
                ),
                ("deleted since", count(report.deleted, "commit")),
                ("stored", f"{count(report.commits, 'commit')} in {count(report.scanned, 'item')}"),
                ("not in the log yet", count(report.not_sequenced, "commit")),
                ("foreign items", f"{report.foreign:,}"),
                ("cannot be read", count(report.set_aside, "item")),
                ("faults", f"{report.fault_count:,}"),
            )
        )
    if not report.sound:
        raise typer.Exit(1)


def _tell_what_to_do(report: Verified) -> None:
    if report.torn:
        tell(
            f"The log is torn: it has {count(report.torn, 'commit')} that the events table lost. "
            "Stop all programs that append. To see what would be cut off: dynamo-es log repair "
            "--truncate-torn",
            style="red",
        )
    if report.not_sequenced:
        tell(
            f"{count(report.not_sequenced, 'commit')} not in the log yet. If this lasts longer "
            "than a minute, check that a sequencer runs. To give them positions now: "
            "dynamo-es log repair",
            style="yellow",
        )


def repair(
    place: Place,
    *,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Repair only this tenant's log, if each tenant has one."),
    ] = None,
    truncate_torn: Annotated[
        bool,
        typer.Option(
            "--truncate-torn",
            help="After a restore to different times: show where the log is torn, and which "
            "markers and consumers are past that point. With --yes: cut the log there, put them "
            "back, and repair.",
        ),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give a position to every commit that is not in the log yet.

    The command scans the whole events table, and does not change the existing log. You can run it
    as often as you like, also after an interruption or while sequencers run. A commit that cannot
    be read is set aside (list: log set-aside), and its stream waits. If the newest page stops every
    sequencer, it is repaired. In a new log table, the command rebuilds the log, or the log of each
    tenant, from the streams.
    """
    config = place.config()
    if truncate_torn and not _truncated(config, yes=yes, as_json=as_json):
        return
    with ticking("Scanning the events table") as tick:

        def show(done: Repaired) -> None:
            tick(
                f"{_share(done.scanned, done.expected)} of the events table, "
                f"{count(done.positions, 'position')} given"
            )

        done = run_repair(config, LazyClient(config, None), tenant_id=tenant, on_progress=show)
    if done.set_aside:
        tell(
            f"Unreadable: {count(done.set_aside, 'item')}, now set aside. Waiting: "
            f"{count(done.waiting, 'later commit')}. To list them: dynamo-es log set-aside",
            style="yellow",
        )
    if as_json:
        print_json(asdict(done))
        return
    results().print(
        facts(
            ("scanned", f"{count(done.scanned, 'item')}, {count(done.commits, 'commit')}"),
            ("foreign items", f"{done.foreign:,}"),
            (
                "set aside",
                f"{count(done.set_aside, 'item')}, {count(done.waiting, 'commit')} waiting",
            ),
            ("given", f"{count(done.positions, 'position')} in {count(done.pages, 'page')}"),
        )
    )
    if done.removed:
        results().print(f"The newest page was repaired: {count(done.removed, 'commit')} removed.")


def _truncated(config: DynamoConfig, *, yes: bool, as_json: bool) -> bool:
    """Print the plan, and cut the log if ``yes``; return whether to go on with the repair."""
    client = LazyClient(config, None)
    plan = plan_truncation(config, client)
    if not yes:
        if as_json:
            print_json(_document(plan))
        else:
            _print_plan(plan)
            tell("Nothing was changed." + " To do it: --yes" * plan.is_needed)
        return False
    if not as_json:
        _print_plan(plan)
    truncate(config, client, plan)
    return True


def _print_plan(plan: Truncation) -> None:
    markers = sum(one.kind == "marker" for one in plan.put_back)
    lines = [
        f"{cut.log}: ends at position {cut.end:,} instead of {cut.last:,}; "
        f"{count(cut.commits, 'commit')} cut off"
        for cut in plan.cuts
    ]
    lines += [
        f"{one.kind} {one.log_key} {one.place}: {one.before:,} -> "
        f"{'removed' if one.after is None else f'{one.after:,}'}"
        for one in plan.put_back
        if one.kind != "marker"
    ]
    if plan.is_needed:
        lines.append(f"lost: {count(plan.torn, 'commit')}; markers put back: {markers:,}")
    for line in lines or ["The log is not torn."]:
        results().print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _document(plan: Truncation) -> dict[str, Any]:
    return {
        "torn": plan.torn,
        "cuts": [asdict(cut) for cut in plan.cuts],
        "put_back": [
            {name: value for name, value in one._asdict().items() if name != "request"}
            for one in plan.put_back
        ],
    }


def set_aside(place: Place, *, as_json: AsJson = False) -> None:
    """List the commits that this release cannot read.

    They have no position in the log, and later commits of their streams wait. Upgrade if a newer
    release wrote them; otherwise restore or delete the items. Then run dynamo-es log repair.
    """
    config = place.config()
    found = False
    for entry in read_set_aside(config, LazyClient(config, None)):
        found = True
        if as_json:
            print_json({**asdict(entry), "since": entry.since.isoformat()})
            continue
        line = f"{entry.stream_key} {entry.version} since {entry.since.isoformat(sep=' ')}: "
        results().print(
            printable(line + entry.reason), markup=False, highlight=False, soft_wrap=True
        )
    if not found and not as_json:
        tell("No commits are set aside.")


def _share(done: int, expected: int) -> str:
    return f"{done:,} of about {count(max(done, expected), 'item')}"
