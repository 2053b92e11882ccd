"""``dynamo-es demo``."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from dynamo_es.cli.importing import Line, StreamOf
from dynamo_es.cli.options import AsJson
from dynamo_es.cli.story import account, telling
from dynamo_es.cli.story.bill import ASSUMPTION, make_bill
from dynamo_es.cli.story.lost_reply import lose_a_reply
from dynamo_es.cli.story.stage import Stage, open_sample, read_streams, set_stage
from dynamo_es.cli.story.steps import (
    EVENTS_PER_COMMIT,
    compare_all,
    import_sample,
    provoke_conflict,
    separate_tenants,
    use_snapshot,
)
from dynamo_es.cli.summary import summary_document
from dynamo_es.cli.terminal import print_json, results


def demo(
    *,
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Run on the DynamoDB that answers there, in tables that are made for it and "
            "deleted in the end. Default: an emulator in this process.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import a sample of a real history and show what the store does with it.

    Every figure is measured or computed then and there. Takes some ten seconds.
    """
    with open_sample() as source:
        streams = read_streams(source)
    console = Console(quiet=True) if as_json else results()
    with set_stage(endpoint_url) as stage:
        console.print(f"[bold]dynamo_es[/bold] on {stage.engine}", soft_wrap=True)
        document = _play(stage, streams, telling.Teller(console))
    if as_json:
        print_json({"engine": stage.engine, **document})
        return
    console.print()
    console.print(
        "Next: [bold]dynamo-es --help[/bold], [bold]create-tables[/bold] and [bold]import[/bold]."
    )


def _play(
    stage: Stage, streams: dict[StreamOf, list[Line]], teller: telling.Teller
) -> dict[str, Any]:
    """Play the steps and return what was seen, as JSON."""
    teller.begin(
        "A real history goes in",
        f"What happened to files of four Git repositories, {EVENTS_PER_COMMIT} events of a "
        "stream at a time.",
    )
    summary = import_sample(stage)
    teller.show(telling.imported(summary))

    teller.begin("And comes out again", "Every stream, read back and compared event by event.")
    comparison = compare_all(stage, streams)
    teller.show(telling.compared(comparison))

    teller.begin("Two writers, one version", "Both loaded the same version; one is too late.")
    conflict = provoke_conflict(stage)
    teller.show(telling.conflicted(conflict))

    teller.begin("A long stream, a snapshot", "The same state, from a part of the history.")
    snapshot = use_snapshot(stage)
    teller.show(telling.snapshotted(snapshot))

    teller.begin(
        "An account in typed events",
        "A deposit is decided on, and another one is faster. The refusal shows what was: decided "
        "again on that, without loading again.",
    )
    transaction = account.transact(stage)
    teller.show(telling.transacted(transaction))

    teller.begin("An event of an old schema", "Lifted to that of its class as it is loaded.")
    lifted = account.lift(stage)
    teller.show(telling.lifted(lifted))

    teller.begin("A right to be forgotten", "The owner's key is shredded; the events stay.")
    forgotten = account.forget(stage)
    teller.show(telling.forgotten(forgotten))

    teller.begin("Same stream id, other tenant", "Tenants never see each other's streams.")
    tenants = separate_tenants(stage, streams)
    teller.show(telling.separated(tenants))

    teller.begin(
        "A lost reply",
        "DynamoDB carries the write out, its reply gets lost, the SDK sends it again. The store "
        "finds that what is in the way is its own commit.",
    )
    lost_reply = lose_a_reply(stage)
    teller.show(telling.survived(lost_reply))

    teller.begin("The bill", ASSUMPTION)
    bill = make_bill(summary, streams.values())
    teller.show(telling.billed(bill))
    return {
        "import": summary_document(summary),
        "comparison": asdict(comparison),
        "conflict": asdict(conflict),
        "snapshot": asdict(snapshot),
        "transaction": asdict(transaction),
        "lifted": asdict(lifted),
        "forgotten": asdict(forgotten),
        "tenants": asdict(tenants),
        "lost_reply": asdict(lost_reply),
        "bill": asdict(bill),
    }
