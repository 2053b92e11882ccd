"""The account: its events and its rules. Independent of AWS."""

from __future__ import annotations

from dynamo_es import Aggregate, Event


class Opened(Event):
    """An account was opened."""

    __event_name__ = "accounts.opened"

    owner: str


class Deposited(Event):
    """Money came in."""

    __event_name__ = "accounts.deposited"

    amount: int


class Withdrawn(Event):
    """Money went out."""

    __event_name__ = "accounts.withdrawn"

    amount: int


class RefusedError(Exception):
    """A command that breaks a rule of the account."""


class Account(Aggregate):
    """An account; amounts are in cents."""

    category = "account"

    def __init__(self) -> None:
        self.owner: str | None = None
        self.balance = 0

    def open(self, owner: str) -> None:
        """Open the account, once."""
        if self.owner is not None:
            raise RefusedError("This account is open already.")
        if not owner:
            raise RefusedError("An account has an owner.")
        self._emit(Opened(owner=owner))

    def deposit(self, amount: int) -> None:
        """Put money in."""
        self._check(amount)
        self._emit(Deposited(amount=amount))

    def withdraw(self, amount: int) -> None:
        """Take money out, up to the balance."""
        self._check(amount)
        if amount > self.balance:
            raise RefusedError(f"Only {self.balance} cents are left.")
        self._emit(Withdrawn(amount=amount))

    def _check(self, amount: int) -> None:
        if self.owner is None:
            raise RefusedError("This account is not open.")
        if amount <= 0:
            raise RefusedError("An amount is above 0.")

    def __apply__(self, event: Event) -> None:
        """Apply an event."""
        match event:
            case Opened(owner=owner):
                self.owner = owner
            case Deposited(amount=amount):
                self.balance += amount
            case Withdrawn(amount=amount):
                self.balance -= amount
