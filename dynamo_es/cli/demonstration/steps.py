"""The steps of ``dynamo-es demo``. A step's docstring is its heading and its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from boto3.dynamodb.types import TypeSerializer

from dynamo_es import DynamoBackend, ExplicitVersioning, RawEvent, Repository, StreamId
from dynamo_es.cli.demonstration.account import Account, MoneyDeposited
from dynamo_es.cli.demonstration.stage import EVENTS_PER_COMMIT, an_event, commits_of, compare_all
from dynamo_es.cli.history.importing import Importer, Settings, StreamOf
from dynamo_es.cli.terminal.output import event_document
from dynamo_es.cli.terminal.rendering import count
from dynamo_es.dynamodb.wire.sizes import item_size, write_units
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.testing import Fault, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynamo_es.cli.demonstration.stage import Seen, Stage
    from dynamo_es.cli.history.importing import Chunk

CONTESTED: Final = StreamOf.named("python-event-sourcery", "file", "pyproject.toml")
LONG: Final = StreamOf.named("equinox", "file", "README.md")
DELETED: Final = StreamOf.named("cqrs", "file", "README.md")
AFTER_SNAPSHOT: Final = 8
"""Events that are newer than the snapshot."""

ANN: Final = StreamId(name="account/ann", category="account")
OLD: Final = StreamId(name="account/old", category="account")
DEPOSITS: Final = (500, 700, 1_100)
EVENTS_PER_SNAPSHOT: Final = 4


def import_sample(stage: Stage, seen: Seen) -> None:
    """A real history goes in.

    The changes of files in four Git repositories: a repository is a tenant, a file is a stream.
    A commit appends up to three events to a stream.
    """
    settings = Settings(events_per_commit=EVENTS_PER_COMMIT, gather=True)
    done = Importer(stage.backend.storage, settings, meter=stage.meter).run(stage.lines)
    seen.fact("stored", "{events:,} events in {commits:,} commits", **done.document())
    seen.fact("streams", "{streams:,} of {tenants:,} tenants")
    seen.fact("requests", "{requests:,}: one carries commits of up to 25 streams")
    seen.fact("time", "{seconds:.1f} s")


def compare(stage: Stage, seen: Seen) -> None:
    """The history comes out again.

    Every stream is read back and compared with the input, event by event.
    """
    seen.fact("read", "{events:,} events", **compare_all(stage, stage.streams))
    seen.fact("requests", "{requests:,}")
    seen.fact("result", "{equal:,} of {streams:,} streams are equal to the input")


def provoke_conflict(stage: Stage, seen: Seen) -> None:
    """Two writers, one version.

    Ann and Bob load the same version of a stream, and both append. The later append is refused.
    """
    storage, last = stage.storage(CONTESTED), stage.load(CONTESTED)[-1]
    ann, bob = (an_event(CONTESTED.id, last.name, last.data, by=by) for by in ("Ann", "Bob"))
    loaded = last.version or 0
    seen.fact("both load", "{stream} at version {loaded}", stream=str(CONTESTED), loaded=loaded)
    version = storage.insert_events(CONTESTED.id, ExplicitVersioning(loaded), [ann])
    seen.fact("Ann", f"appends version {version}")
    try:
        storage.insert_events(CONTESTED.id, ExplicitVersioning(loaded), [bob])
    except ConcurrentStreamWriteError as error:
        refused = {"error": type(error).__name__, "message": str(error)}
        seen.fact("Bob", "{error}: {message}", "yellow", **refused)
    else:
        raise AssertionError("the later writer was not refused")
    current = len(stage.load(CONTESTED))
    ended = storage.insert_events(CONTESTED.id, ExplicitVersioning(current), [bob])
    seen.fact("Bob again", "loads, decides, appends version {ended}", ended=ended)


def take_snapshot(stage: Stage, seen: Seen) -> None:
    """A long stream, a snapshot.

    A snapshot saves the state at a version. A load reads the snapshot and the events after it:
    less to read, the same state.
    """
    storage, history = stage.storage(LONG), stage.load(LONG)
    _tell_state(stage, seen, "replay", "full replay", history)
    version = len(history) - AFTER_SNAPSHOT
    storage.save_snapshot(an_event(LONG.id, "FileState", fold(history[:version]), version))
    _tell_state(stage, seen, "load", "with snapshot", storage.fetch_events(LONG.id))


def _tell_state(stage: Stage, seen: Seen, name: str, line: str, events: list[RawEvent]) -> None:
    report, state = stage.meter.last, fold(events)  # the report of the load of these events
    cost = {"requests": report.requests, "bytes": report.bytes_read}
    told = {"events": len(events), **cost, "state": state}
    text = "{events} events, {sent}, {bytes:,} bytes: {changes} changes, {lines:,} lines"
    shown = {"sent": count(report.requests, "request"), **told, **state}
    seen.fact(line, text.format_map(shown), **{name: told})


def fold(events: Sequence[RawEvent]) -> dict[str, int]:
    """Return the state that a file's events lead to; a snapshot is a state to go on from."""
    changes = lines = 0
    for event in events:
        if event.name == "FileState":
            changes, lines = event.data["changes"], event.data["lines"]
        else:
            changes += 1
            lines += event.data["lines_added"] - event.data["lines_deleted"]
    return {"changes": changes, "lines": lines}


def transact(stage: Stage, seen: Seen) -> None:
    """An account in typed events.

    While one process decides on a deposit, another process stores one. The refusal brings the event
    that is missing, so the first process decides again without another load.
    """
    backend = stage.backend
    other = DynamoBackend(backend.config, backend.client)  # as in another process, and not measured
    repository = Repository(backend.event_store, Account, every=EVENTS_PER_SNAPSHOT)
    with repository.aggregate(ANN) as account:
        account.open("Ann", "ann@example.com")
        account.deposit(DEPOSITS[0])
    balances: list[int] = []

    def decide(account: Account) -> None:
        balances.append(account.cents)
        if len(balances) == 1:
            with Repository(other.event_store, Account).aggregate(ANN) as faster:
                faster.deposit(DEPOSITS[1])
        account.deposit(DEPOSITS[2])

    stage.meter.reset()
    repository.transact(ANN, decide)
    sent = stage.meter.requests
    text = "a balance of {decisions[0]} cents, then of {decisions[1]:,}"
    seen.fact("decided on", text, decisions=balances)
    seen.fact("requests", "{requests}: load, refused append, append, snapshot", requests=sent)
    version, snapshot = repository.load(ANN).stored_version, backend.event_store.load_stream(ANN)[0]
    told = {"version": version, "snapshot": snapshot.version}
    seen.fact("version", "{version}, with a snapshot at {snapshot}", **told)


def upcast(stage: Stage, seen: Seen) -> None:
    """An event of an old schema.

    The stored event counts whole units, but its class counts cents now. Loading converts the event.
    """
    old = an_event(OLD, MoneyDeposited.__event_name__, {"units": 7})
    stage.backend.storage.insert_events(OLD, ExplicitVersioning(0), [old])
    (loaded,) = stage.backend.event_store.load_stream(OLD)
    seen.fact("stored", "{stored}", stored=old.data)
    seen.fact("loaded", "{loaded}", loaded=loaded.event.model_dump())


def forget(stage: Stage, seen: Seen) -> None:
    """The right to be forgotten.

    Ann's e-mail address is encrypted with a key of her own. Without the key nobody can read the
    address; the events stay.
    """
    store = stage.backend.event_store
    (raw,) = stage.backend.storage.fetch_events(ANN, 1, 2)
    seen.fact("stored", "{stored}", stored=f"{raw.data['email'][:24]}…")
    seen.fact("loaded", "{before}", before=store.load_stream(ANN, 1, 2)[0].event.email)
    stage.backend.encryption.shred("Ann")
    seen.fact("key shredded", "{after}", after=store.load_stream(ANN, 1, 2)[0].event.email)


def separate_tenants(stage: Stage, seen: Seen) -> None:
    """Same stream id, other tenant.

    Each tenant has its own stream with this id. Deleting one leaves the others.
    """
    same = [stream for stream in stage.streams if stream.id == DELETED.id]
    before = {stream.tenant_id: len(stage.load(stream)) for stream in same}
    stage.storage(DELETED).delete_stream(DELETED.id)
    after = {stream.tenant_id: len(stage.load(stream)) for stream in same}
    deleted = DELETED.tenant_id
    seen.figures |= {"before": before, "deleted": deleted, "after": after}
    for tenant, events in before.items():
        text = f"{events:,} events; {after[tenant]:,} after {deleted} deletes its stream"
        seen.fact(tenant, text)


def lose_a_reply(stage: Stage, seen: Seen) -> None:
    """A lost reply.

    DynamoDB carries out the write, but the reply gets lost, so the SDK sends the write again. The
    store recognizes its own commit.
    """
    stream_id, storage = StreamId(category="order"), stage.backend.storage
    event = an_event(stream_id, "OrderPlaced", {"total": 1200})
    network = Network(stage.backend.client)
    network.plan(lambda sent: Fault.LOST_REPLY if sent == 0 else None)
    with network.between():
        storage.insert_events(stream_id, ExplicitVersioning(0), [event])
    report = stage.meter.last
    seen.fact("replies lost", "{lost}", lost=network.injected[Fault.LOST_REPLY])
    text = "{attempts} times, in {requests} requests: the write twice, then a read"
    seen.fact("sent", text, requests=report.requests, attempts=report.attempts)
    seen.fact("append", "succeeds", error=report.error)
    seen.fact("events stored", "{stored}", stored=len(storage.fetch_events(stream_id, start=1)))


def make_bill(stage: Stage, seen: Seen) -> None:
    """The bill.

    Here a commit is one item. The textbook design has an item per event, and writes several of them
    in a transaction, for which DynamoDB charges double. The commits are those of step 1.
    """
    done, commits = stage.seen["import"], list(commits_of(stage.streams))
    units = {"dynamo_es": round(done["write_units"]), "textbook": sum(map(textbook_units, commits))}
    seen.figures |= {"events": done["events"], "commits": len(commits)}
    for design, total in units.items():
        each = total / done["events"]
        told = {design: {"write_units": total, "write_units_per_event": each}}
        seen.fact(design, f"{each:.2f} write units per event, {total:,} in all", **told)


def textbook_units(chunk: Chunk) -> int:
    """Return the write units of a commit that stores an item per event."""
    serialize = TypeSerializer().serialize
    stream, several = str(chunk.stream), len(chunk.events) > 1
    items = [serialize({"stream": stream, **event_document(event)})["M"] for event in chunk.events]
    return sum(write_units(item_size(item), transactional=several) for item in items)


STEPS: Final[Mapping[str, Callable[[Stage, Seen], None]]] = {
    "import": import_sample,
    "comparison": compare,
    "conflict": provoke_conflict,
    "snapshot": take_snapshot,
    "transaction": transact,
    "lifted": upcast,
    "forgotten": forget,
    "tenants": separate_tenants,
    "lost_reply": lose_a_reply,
    "bill": make_bill,
}
"""By their names in the JSON."""
