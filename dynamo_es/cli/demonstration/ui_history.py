"""What ``dynamo-es ui --demo`` shows: a bank, courses, files of four projects, and consumers."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    Context,
    ExplicitVersioning,
    RawEvent,
    Repository,
    StreamId,
    WrappedEvent,
)
from dynamo_es.cli.demonstration.account import Account, AccountOpened, MoneyDeposited
from dynamo_es.cli.demonstration.stage import commits_of, read_streams, sample_lines
from dynamo_es.contracts.boundaries.strategy import ConditionalAppend, boundary_stream
from dynamo_es.values.queries import TAGS_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.facade.backend import Backend

BANK: Final = "bank"
"""The tenant of the accounts."""
UNIVERSITY: Final = "university"
"""The tenant of the boundary."""
COURSES: Final = boundary_stream("courses")

_NAMESPACE: Final = UUID("6f0d3f7e-52f5-4dc4-8f5b-9f6c1f6f4b0e")
_MORNING: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

_ANN: Final = StreamId(name="account/ann", category="account")
_BOB: Final = StreamId(name="account/bob", category="account")
_CLOSED: Final = StreamId(name="account/carol", category="account")
_OLD: Final = StreamId(name="account/old", category="account")
_PAYROLL: Final = StreamId(name="payroll/2026-03", category="payroll")
_ALERTS: Final = StreamId(name="alerts", category="alerts")

_PAID: Final = MoneyDeposited.__event_name__
_LARGE_CENTS: Final = 200_000

_CONVERSATION: Final[tuple[tuple[StreamId, str, dict[str, Any], int | None], ...]] = (
    (_PAYROLL, "payroll.started", {"accounts": 2, "cents": 510_000}, None),
    (_ANN, _PAID, {"cents": 260_000}, 0),
    (_BOB, _PAID, {"cents": 250_000}, 0),
    (_ALERTS, "alert.raised", {"text": "More than 2,500.00 in one deposit"}, 1),
    (_PAYROLL, "payroll.finished", {"paid": 2, "refused": 0}, 2),
)
"""Stream, name and data of each event, and the index of the event that caused it."""

_ENROLMENTS: Final[tuple[tuple[str, dict[str, str | int]], ...]] = (
    ("CourseDefined", {"course": "maths", "capacity": 3}),
    ("CourseDefined", {"course": "art", "capacity": 20}),
    ("StudentEnrolled", {"student": "ann", "course": "maths"}),
    ("StudentEnrolled", {"student": "bob", "course": "maths"}),
    ("StudentEnrolled", {"student": "ann", "course": "art"}),
    ("CapacityChanged", {"course": "maths", "capacity": 2}),
    ("StudentEnrolled", {"student": "carol", "course": "art"}),
    ("StudentLeft", {"student": "bob", "course": "maths"}),
    ("StudentEnrolled", {"student": "dan", "course": "maths"}),
)


def fill_bank(backend: Backend) -> None:
    """Write the accounts of a bank: encrypted fields, an old schema, a conversation, a deletion."""
    bank = backend.in_tenant(BANK)
    _open(bank, _ANN, "Ann", 500, 700, 1_100)
    _open(bank, _BOB, "Bob", 2_500)
    old = RawEvent(_id(_OLD, 1), _OLD, _at(-600), _PAID, {"units": 7}, {})
    bank.storage.insert_events(_OLD, ExplicitVersioning(0), [old])
    _converse(bank)
    # A stream that was deleted and created again: its first generation left fences.
    _open(bank, _CLOSED, "Carol", 10, 20, 30)
    bank.storage.delete_stream(_CLOSED)
    _open(bank, _CLOSED, "Carol", 40)
    for number in range(3):
        deposit = _deposit(_ANN, 200 + number, 250, 60 + number)
        bank.event_store.append(deposit, stream_id=_ANN, expected_version=ANY_VERSION)
    with Repository(bank.event_store, Account, every=3).aggregate(_ANN) as account:
        account.deposit(250)  # takes a snapshot


def _open(bank: Backend, stream: StreamId, owner: str, *cents: int) -> None:
    opened = AccountOpened(owner=owner, email=f"{owner.lower()}@example.com")
    first = WrappedEvent(opened, uuid=_id(stream, 1, cents), created_at=_at(0))
    bank.event_store.append(first, stream_id=stream)
    deposits = (
        _deposit(stream, number, one, number, cents, user=owner.lower())
        for number, one in enumerate(cents, 2)
    )
    bank.event_store.append(*deposits, stream_id=stream, expected_version=ANY_VERSION)


def _deposit(
    stream: StreamId, number: int, cents: int, minute: int, made_of: object = "", **context: str
) -> WrappedEvent[MoneyDeposited]:
    return WrappedEvent(
        MoneyDeposited(cents=cents),
        uuid=_id(stream, number, made_of),
        created_at=_at(minute),
        context=Context(**context),
    )


def _converse(bank: Backend) -> None:
    """Write a conversation: a payroll, what it causes in both accounts, and a warning."""
    ids = [_id(stream, 100 + number) for number, (stream, *_) in enumerate(_CONVERSATION)]
    for number, (stream, name, data, cause) in enumerate(_CONVERSATION):
        context: dict[str, Any] = {"correlation_id": "payroll-2026-03"}
        if name == _PAID:
            context["$schema"] = MoneyDeposited.__schema_version__
        if cause is not None:
            context["causation_id"] = str(ids[cause])
        event = RawEvent(ids[number], stream, _at(30 + number), name, data, context)
        versioning = NO_VERSIONING if stream is _ALERTS else ANY_VERSION
        bank.storage.insert_events(stream, versioning, [event])


def fill_boundary(backend: Backend) -> None:
    """Write courses and enrolments to a boundary, one a commit."""
    storage = backend.in_tenant(UNIVERSITY).storage
    for number, (name, data) in enumerate(_ENROLMENTS):
        tags = [f"{kind}:{data[kind]}" for kind in ("course", "student") if kind in data]
        at = _at(number - 60)
        event = RawEvent(_id(COURSES, number), COURSES, at, name, dict(data), {TAGS_KEY: tags})
        storage.insert_unless(COURSES, [ConditionalAppend([event])])


def fill_files(backend: Backend, stopped: Callable[[], bool] = lambda: False) -> None:
    """Write the sample history: the files of four projects, a stream each.

    Args:
        backend: an empty one.
        stopped: called before each append; True ends the writing.
    """
    for commit in commits_of(read_streams(sample_lines())):
        if stopped():
            return
        storage, before = backend.in_tenant(commit.stream.tenant_id).storage, commit.first - 1
        storage.insert_events(commit.stream.id, ExplicitVersioning(before), commit.events)


class _ExampleError(Exception):
    """What the consumers fail with."""


def choose_for_outbox(event: RawEvent) -> bool:
    """Whether the outbox publishes an event."""
    return event.name in {"payroll.finished", "alert.raised"}


def fill_consumers(backend: Backend) -> None:
    """Run consumers over the bank's events that have positions; pages get failures to show."""
    bank = backend.in_tenant(BANK)
    backend.projection("newsletter", lambda _: None, keep_unknown=True).run_once()
    balances = backend.projection(
        "balances",
        lambda recorded: _refuse_large(recorded.wrapped_event),
        category="account",
        keep_unknown=True,
    )
    for _ in range(3):
        with suppress(_ExampleError):
            balances.run_once()
    _project(bank, _ANN, lambda _, __: None)
    _project(bank, _BOB, lambda wrapped, _: _refuse_large(wrapped))
    backend.outbox.run_once(_refuse_alerts, attempts=1, keep_unknown=True)
    bank.outbox.named("mails").run_once(_refuse_alerts, attempts=5, keep_unknown=True)


def _project(bank: Backend, stream: StreamId, handler: Callable[[Any, StreamId], None]) -> None:
    projector = bank.projector("statements", handler, keep_unknown=True)
    for wrapped in bank.event_store.load_stream(stream, start=1, keep_unknown=True):
        with suppress(_ExampleError):
            projector.project(wrapped, stream)


def _refuse_large(wrapped: WrappedEvent[Any]) -> None:
    if getattr(wrapped.event, "cents", 0) > _LARGE_CENTS:
        raise _ExampleError("This consumer refuses deposits above 2,000.00.")


def _refuse_alerts(recorded: Any) -> None:
    if recorded.stream_id.category == "alerts":
        raise _ExampleError("This publisher refuses alerts.")


def _id(stream: StreamId, number: int, made_of: object = "") -> UUID:
    return uuid5(_NAMESPACE, f"{stream.name}/{number}/{made_of}")


def _at(minutes: int) -> datetime:
    return _MORNING + timedelta(minutes=minutes)
