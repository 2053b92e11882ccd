"""An account in typed events: decided on again, lifted to a new schema, forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import uuid4

from dynamo_es import (
    Aggregate,
    DataSubject,
    Encrypted,
    Event,
    ExplicitVersioning,
    RawEvent,
    Repository,
    Snapshot,
    StreamId,
    upcaster,
)

if TYPE_CHECKING:
    from dynamo_es.cli.story.stage import Stage

NAME: Final = "account/ann"
DEPOSITS: Final = (500, 700, 1_100)
EVENTS_PER_SNAPSHOT: Final = 4


class AccountOpened(Event):
    """Whoever has the key of the owner can read the address."""

    __event_name__ = "demo.account.opened"

    owner: Annotated[str, DataSubject]
    email: Annotated[str, Encrypted(mask_value="(forgotten)")]


class MoneyDeposited(Event):
    """In whole units at first; in cents since its second schema."""

    __event_name__ = "demo.money.deposited"
    __schema_version__ = 2

    cents: int

    @upcaster(from_version=1)
    @staticmethod
    def in_cents(data: dict[str, Any]) -> dict[str, Any]:
        """Return what an event of the first schema is in cents."""
        return {"cents": data["units"] * 100}


class AccountBalance(Snapshot):
    """What the events have led to."""

    __event_name__ = "demo.account.balance"

    cents: int
    email: Annotated[str, Encrypted(mask_value="(forgotten)")]
    owner: Annotated[str, DataSubject]


class Account(Aggregate):
    """An account with a balance."""

    category = "account"

    def __init__(self) -> None:
        self.cents = 0
        self.owner = self.email = ""

    def open(self, owner: str, email: str) -> None:
        """Open it."""
        self._emit(AccountOpened(owner=owner, email=email))

    def deposit(self, cents: int) -> None:
        """Deposit money."""
        self._emit(MoneyDeposited(cents=cents))

    def __apply__(self, event: Event) -> None:
        """Take what happened."""
        match event:
            case AccountOpened(owner=owner, email=email):
                self.owner, self.email = owner, email
            case MoneyDeposited(cents=cents):
                self.cents += cents

    def __snapshot__(self) -> AccountBalance:
        """Return the state."""
        return AccountBalance(cents=self.cents, email=self.email, owner=self.owner)

    def __restore__(self, state: Snapshot) -> None:
        """Take the state of a snapshot."""
        if isinstance(state, AccountBalance):
            self.cents, self.email, self.owner = state.cents, state.email, state.owner


@dataclass(frozen=True, slots=True)
class Transaction:
    """A deposit that another one overtook.

    Attributes:
        decisions: balance in cents that each decision saw.
        requests: what load, decision, conflict and second decision sent in all, without the
            other one's.
        version: of the account at the end.
        snapshot: version of its snapshot by then.
    """

    decisions: list[int]
    requests: int
    version: int
    snapshot: int


@dataclass(frozen=True, slots=True)
class Lifted:
    """An event of the first schema.

    Attributes:
        stored: its data, as stored.
        loaded: its data, as loaded.
    """

    stored: dict[str, Any]
    loaded: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A field that only the owner's key makes readable.

    Attributes:
        stored: beginning of what is stored.
        before: what is loaded while there is a key.
        after: what is loaded when it is gone.
    """

    stored: str
    before: str
    after: str


def transact(stage: Stage) -> Transaction:
    """Open an account; then deposit while another one deposits, too."""
    repository = Repository(stage.backend.event_store, Account, every=EVENTS_PER_SNAPSHOT)
    with repository.aggregate(NAME) as account:
        account.open("Ann", "ann@example.com")
        account.deposit(DEPOSITS[0])
    seen: list[int] = []
    others = 0

    def decide(account: Account) -> None:
        nonlocal others
        seen.append(account.cents)
        if len(seen) == 1:
            before = stage.meter.spent.requests
            with repository.aggregate(NAME) as other:
                other.deposit(DEPOSITS[1])
            others = stage.meter.spent.requests - before
        account.deposit(DEPOSITS[2])

    before = stage.meter.spent.requests
    repository.transact(NAME, decide)
    requests = stage.meter.spent.requests - before - others
    newest = stage.backend.event_store.load_stream(_STREAM)[0]
    return Transaction(
        decisions=seen,
        requests=requests,
        version=repository.load(NAME).stored_version,
        snapshot=newest.version or 0,
    )


def lift(stage: Stage) -> Lifted:
    """Store an event as the release before did, and load it."""
    old = RawEvent(
        uuid=uuid4(),
        stream_id=_OLD,
        created_at=datetime.now(UTC),
        name=MoneyDeposited.__event_name__,
        data={"units": 7},
        context={},
    )
    stage.backend.storage.insert_events(_OLD, ExplicitVersioning(0), [old])
    (loaded,) = stage.backend.event_store.load_stream(_OLD)
    return Lifted(stored=old.data, loaded=loaded.event.model_dump())


def forget(stage: Stage) -> Forgotten:
    """Shred the key of the owner."""
    (raw,) = stage.backend.storage.fetch_events(_STREAM, 1, 2)
    before = stage.backend.event_store.load_stream(_STREAM, 1, 2)[0].event.email
    stage.backend.encryption.shred("Ann")
    after = stage.backend.event_store.load_stream(_STREAM, 1, 2)[0].event.email
    return Forgotten(stored=f"{raw.data['email'][:24]}…", before=before, after=after)


_STREAM: Final = StreamId(name=NAME, category=Account.category)
_OLD: Final = StreamId(name="account/old", category=Account.category)
