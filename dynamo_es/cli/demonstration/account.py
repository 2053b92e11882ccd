"""The steps on typed events. A step's docstring is its heading and its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from dynamo_es import (
    Aggregate,
    DataSubject,
    Encrypted,
    Event,
    ExplicitVersioning,
    Repository,
    Snapshot,
    StreamId,
    upcaster,
)
from dynamo_es.cli.demonstration.stage import an_event
from dynamo_es.cli.terminal.rendering import facts

if TYPE_CHECKING:
    from dynamo_es.cli.demonstration.stage import Seen, Stage

NAME: Final = "account/ann"
DEPOSITS: Final = (500, 700, 1_100)
EVENTS_PER_SNAPSHOT: Final = 4
_STREAM: Final = StreamId(name=NAME, category="account")
_OLD: Final = StreamId(name="account/old", category="account")


class AccountOpened(Event):
    """A person opened an account; the e-mail address is encrypted."""

    __event_name__ = "demo.account.opened"

    owner: Annotated[str, DataSubject]
    email: Annotated[str, Encrypted(mask_value="(forgotten)")]


class MoneyDeposited(Event):
    """Money came in; schema 1 counted units, schema 2 counts cents."""

    __event_name__ = "demo.money.deposited"
    __schema_version__ = 2

    cents: int

    @upcaster(from_version=1)
    @staticmethod
    def in_cents(data: dict[str, Any]) -> dict[str, Any]:
        """Return the data of schema 2."""
        return {"cents": data["units"] * 100}


class _Balance(AccountOpened, Snapshot):
    __event_name__ = "demo.account.balance"

    cents: int


class Account(Aggregate):
    """An account with its owner and balance."""

    category = "account"

    def __init__(self) -> None:
        self.cents = 0
        self.owner = self.email = ""

    def open(self, owner: str, email: str) -> None:
        """Open the account."""
        self._emit(AccountOpened(owner=owner, email=email))

    def deposit(self, cents: int) -> None:
        """Deposit money."""
        self._emit(MoneyDeposited(cents=cents))

    def __apply__(self, event: Event) -> None:
        match event:
            case AccountOpened(owner=owner, email=email):
                self.owner, self.email = owner, email
            case MoneyDeposited(cents=cents):
                self.cents += cents

    def __snapshot__(self) -> _Balance:
        return _Balance(cents=self.cents, email=self.email, owner=self.owner)

    def __restore__(self, state: Snapshot) -> None:
        if isinstance(state, _Balance):
            self.cents, self.email, self.owner = state.cents, state.email, state.owner


def transact(stage: Stage) -> Seen:
    """An account in typed events.

    A deposit is decided on, and another deposit is faster. The refusal brings the missing events:
    the deposit is decided again on them, without another load.
    """
    repository = Repository(stage.backend.event_store, Account, every=EVENTS_PER_SNAPSHOT)
    with repository.aggregate(NAME) as account:
        account.open("Ann", "ann@example.com")
        account.deposit(DEPOSITS[0])
    balances: list[int] = []

    def decide(account: Account) -> None:
        balances.append(account.cents)
        if len(balances) == 1:
            before = stage.meter.requests
            with repository.aggregate(NAME) as other:
                other.deposit(DEPOSITS[1])
            stage.meter.requests = before  # those of the other writer do not count
        account.deposit(DEPOSITS[2])

    before = stage.meter.requests
    repository.transact(NAME, decide)
    requests = stage.meter.requests - before
    snapshot = stage.backend.event_store.load_stream(_STREAM)[0].version or 0
    version = repository.load(NAME).stored_version
    seen = {"requests": requests, "version": version, "snapshot": snapshot}
    return {"decisions": balances, **seen}, facts(
        ("decided on", ", then on ".join(f"{cents / 100:.2f}" for cents in balances)),
        ("requests", f"{requests}: load, refused append, append, snapshot"),
        ("version", f"{version}, with a snapshot at {snapshot}"),
    )


def upcast(stage: Stage) -> Seen:
    """An event of an old schema.

    Loading converts the event to the current schema of its class.
    """
    old = an_event(_OLD, MoneyDeposited.__event_name__, {"units": 7})
    stage.backend.storage.insert_events(_OLD, ExplicitVersioning(0), [old])
    (loaded,) = stage.backend.event_store.load_stream(_OLD)
    seen = {"stored": old.data, "loaded": loaded.event.model_dump()}
    return seen, facts(*((name, str(data)) for name, data in seen.items()))


def forget(stage: Stage) -> Seen:
    """A right to be forgotten.

    The owner's key is shredded; the events stay.
    """
    store = stage.backend.event_store
    (raw,) = stage.backend.storage.fetch_events(_STREAM, 1, 2)
    stored = f"{raw.data['email'][:24]}…"
    before = store.load_stream(_STREAM, 1, 2)[0].event.email
    stage.backend.encryption.shred("Ann")
    after = store.load_stream(_STREAM, 1, 2)[0].event.email
    table = facts(("stored", stored), ("loaded", before), ("key shredded", after))
    return {"stored": stored, "before": before, "after": after}, table
