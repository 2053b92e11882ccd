"""An account in typed events: encrypted fields, an upcaster, snapshots."""

from __future__ import annotations

from typing import Annotated, Any

from dynamo_es import Aggregate, DataSubject, Encrypted, Event, Snapshot, upcaster


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
        if isinstance(event, AccountOpened):  # or a snapshot
            self.owner, self.email = event.owner, event.email
        if isinstance(event, MoneyDeposited | _Balance):
            self.cents += event.cents

    def __snapshot__(self) -> _Balance:
        return _Balance(cents=self.cents, email=self.email, owner=self.owner)
