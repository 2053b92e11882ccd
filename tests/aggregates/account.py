"""A bank account, for the tests of aggregates."""

from __future__ import annotations

from dynamo_es import Aggregate, Event, Snapshot
from tests.event_store.accounts import Balance, Deposited, Opened


class Withdrawn(Event):
    __event_name__ = "account.withdrawn"

    amount: int


class Account(Aggregate):
    category = "account"

    def __init__(self) -> None:
        self.owner: str | None = None
        self.balance = 0
        self.applied: list[Event] = []

    def open(self, owner: str) -> None:
        if self.owner is not None:
            raise ValueError("it is open already")
        self._emit(Opened(owner=owner))

    def deposit(self, amount: int) -> None:
        self._emit(Deposited(amount=amount))

    def withdraw(self, amount: int) -> None:
        if amount > self.balance:
            raise ValueError(f"only {self.balance} left")
        self._emit(Withdrawn(amount=amount))

    def __apply__(self, event: Event) -> None:
        self.applied.append(event)
        match event:
            case Opened(owner=owner):
                self.owner = owner
            case Deposited(amount=amount):
                self.balance += amount
            case Withdrawn(amount=amount):
                self.balance -= amount

    def __snapshot__(self) -> Snapshot:
        return Balance(balance=self.balance)

    def __restore__(self, state: Snapshot) -> None:
        assert isinstance(state, Balance)
        self.balance = state.balance
