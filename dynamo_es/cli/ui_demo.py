"""The history that ``dynamo-es ui --demo`` shows: files of four projects, a bank, courses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from dynamo_es import (
    NO_VERSIONING,
    Context,
    ExplicitVersioning,
    RawEvent,
    Repository,
    StreamId,
    WrappedEvent,
)
from dynamo_es.cli.demonstration.account import (
    Account,
    AccountOpened,
    MoneyDeposited,
)
from dynamo_es.cli.demonstration.stage import open_sample, read_streams
from dynamo_es.cli.ui_demo_boundary import fill_boundary
from dynamo_es.dynamodb.maintenance.repair import repair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es.dynamodb.backend import DynamoBackend
    from dynamo_es.facade.backend import Backend

BANK: Final = "bank"
"""The tenant of the accounts."""
EVENTS_PER_COMMIT: Final = 3

_NAMESPACE: Final = UUID("6f0d3f7e-52f5-4dc4-8f5b-9f6c1f6f4b0e")
_MORNING: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_PAYROLL: Final = StreamId(name="payroll/2026-03", category="payroll")
_ALERTS: Final = StreamId(name="alerts", category="alerts")
_CLOSED: Final = StreamId(name="account/carol", category="account")


def fill(backend: DynamoBackend) -> None:
    """Write the demonstration's history to an empty backend, and give it positions."""
    fill_bank(backend)
    fill_files(backend)
    repair(backend.config, lambda: backend.client, backend.observer)
    fill_boundary(backend)
    repair(backend.config, lambda: backend.client, backend.observer)


def fill_files(backend: Backend, stopped: Callable[[], bool] = lambda: False) -> None:
    """Write the files of four projects, a stream each.

    Args:
        backend: an empty one.
        stopped: called before each append; True ends the writing.
    """
    with open_sample() as source:
        streams = read_streams(source)
    for stream, lines in streams.items():
        stream_id, storage = stream.id, backend.in_tenant(stream.tenant_id).storage
        events = [
            RawEvent(
                uuid5(_NAMESPACE, f"{stream}/{number}"),
                stream_id,
                line.created_at,
                line.name,
                line.data,
                {},
            )
            for number, line in enumerate(lines, 1)
        ]
        for first in range(0, len(events), EVENTS_PER_COMMIT):
            if stopped():
                return
            some = events[first : first + EVENTS_PER_COMMIT]
            storage.insert_events(stream_id, ExplicitVersioning(first), some)


def fill_bank(backend: Backend) -> None:
    """Write the accounts of a bank: encrypted fields, an old schema, a conversation, a deletion."""
    bank = backend.in_tenant(BANK)
    ann = StreamId(name="account/ann", category="account")
    bob = StreamId(name="account/bob", category="account")
    _open(bank, ann, "Ann", 500, 700, 1_100)
    _open(bank, bob, "Bob", 2_500)
    _convert_old(bank, StreamId(name="account/old", category="account"))
    _pay(bank, ann, bob)
    # A stream that was deleted and created again: its first generation left fences.
    _open(bank, _CLOSED, "Carol", 10, 20, 30)
    bank.storage.delete_stream(_CLOSED)
    _open(bank, _CLOSED, "Carol", 40)
    for number, version in enumerate((5, 6, 7)):
        deposit = WrappedEvent(
            MoneyDeposited(cents=250), uuid=_id(ann, 200 + number), created_at=_at(60 + number)
        )
        bank.event_store.append(deposit, stream_id=ann, expected_version=version)
    with Repository(bank.event_store, Account, every=3).aggregate(ann) as account:
        account.deposit(250)  # takes a snapshot


def _open(bank: Backend, stream: StreamId, owner: str, *deposits: int) -> None:
    opened = AccountOpened(owner=owner, email=f"{owner.lower()}@example.com")
    begin = bank.event_store.append(
        WrappedEvent(opened, uuid=_id(stream, 1, deposits), created_at=_at(0)), stream_id=stream
    )
    bank.event_store.append(
        *(
            WrappedEvent(
                MoneyDeposited(cents=cents),
                uuid=_id(stream, number, deposits),
                created_at=_at(number),
                context=Context(user=owner.lower()),
            )
            for number, cents in enumerate(deposits, 2)
        ),
        stream_id=stream,
        expected_version=begin or 0,
    )


def _convert_old(bank: Backend, stream: StreamId) -> None:
    """Write an event of an old schema, which its class upcasts."""
    event = RawEvent(
        _id(stream, 1), stream, _at(-600), MoneyDeposited.__event_name__, {"units": 7}, {}
    )
    bank.storage.insert_events(stream, ExplicitVersioning(0), [event])


def _pay(bank: Backend, ann: StreamId, bob: StreamId) -> None:
    """Write a conversation: a payroll, what it causes in both accounts, and a warning."""
    correlation = "payroll-2026-03"
    paid = MoneyDeposited.__event_name__
    steps: Sequence[tuple[StreamId, str, dict[str, Any], int | None]] = (
        (_PAYROLL, "payroll.started", {"accounts": 2, "cents": 510_000}, None),
        (ann, paid, {"cents": 260_000}, 0),
        (bob, paid, {"cents": 250_000}, 0),
        (_ALERTS, "alert.raised", {"text": "More than 2,500.00 in one deposit"}, 1),
        (_PAYROLL, "payroll.finished", {"paid": 2, "refused": 0}, 2),
    )
    ids = [_id(stream, 100 + number) for number, (stream, *_) in enumerate(steps)]
    for number, (stream, name, data, cause) in enumerate(steps):
        context: dict[str, Any] = {"correlation_id": correlation}
        if name == paid:
            context["$schema"] = MoneyDeposited.__schema_version__
        if cause is not None:
            context["causation_id"] = str(ids[cause])
        event = RawEvent(ids[number], stream, _at(30 + number), name, data, context)
        head = bank.storage.head(stream)
        versioning = ExplicitVersioning(0 if head is None else head.length)
        if stream is _ALERTS:
            bank.storage.insert_events(stream, NO_VERSIONING, [event])
        else:
            bank.storage.insert_events(stream, versioning, [event])


def _id(stream: StreamId, number: int, made_of: object = "") -> UUID:
    return uuid5(_NAMESPACE, f"{stream.name}/{number}/{made_of}")


def _at(minutes: int) -> datetime:
    return _MORNING + timedelta(minutes=minutes)
