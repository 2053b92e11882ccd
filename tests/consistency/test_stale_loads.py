"""Decisions on loads that need not be consistent come out as on consistent ones.

Processes use one account in turns, on a table that shows them any older state. What each operation
returns, raises and stores is what it would on the newest state.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import Repository, StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError, StreamGapError
from tests.aggregates.account import Account
from tests.consistency.stale_dynamo import Processes, StaleDynamo

NAME: Final = "ann"
STREAM: Final = StreamId(name=NAME, category="account")
REMEMBERED: Final = (9, 9, 0)
"""Heads that each process remembers."""
NOTHING: Final = (0, 0, 0)
"""Generation, version and balance of a stream that does not exist."""


@dataclass
class World:
    """The processes, and what they should see.

    Attributes:
        states: generation, version and balance after each write, in order.
        floors: by process, the index of the oldest state that it may be shown.
    """

    random: Random
    states: list[tuple[int, int, int]] = field(default_factory=lambda: [NOTHING])
    floors: list[int] = field(default_factory=lambda: [0 for _ in REMEMBERED])
    commands: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.table = StaleDynamo(self.random)
        processes = Processes(self.table)
        self.truth = processes.storage(0)
        self.storages = [processes.storage(remembered) for remembered in REMEMBERED]
        self.stores = [processes.event_store(storage) for storage in self.storages]
        self.repositories: list[Repository[Account]] = [
            Repository(store, Account, every=every, sleep=lambda _: None)
            for store, every in zip(self.stores, (2, None, 3), strict=True)
        ]

    @property
    def balance(self) -> int:
        return self.states[-1][2]

    def wrote(self, process: int, balance: int) -> None:
        """Check and note the state after a write of one event."""
        raws = self.truth.fetch_events(STREAM, 1)
        before = self.states[-1]
        assert len(raws) == before[1] + 1
        assert sum(_effect(raw) for raw in raws) == balance
        assert before[1] == 0 or raws[-1].generation == before[0]
        self.states.append((raws[-1].generation or 0, len(raws), balance))
        self.saw(process, len(self.states) - 1)

    def unchanged(self) -> None:
        """Check that nothing was stored."""
        assert len(self.truth.fetch_events(STREAM, 1)) == self.states[-1][1]

    def saw(self, process: int, index: int) -> None:
        if REMEMBERED[process]:
            self.floors[process] = max(self.floors[process], index)

    def shown(self, process: int, state: tuple[int, int, int]) -> None:
        """Check that a state is not older than what the process knows."""
        floor = self.floors[process]
        assert state in self.states[floor:], (state, self.states, floor)
        if state != NOTHING or self.states[floor] != NOTHING:
            self.saw(process, floor + self.states[floor:].index(state))


def _effect(raw: Any) -> int:
    amount = raw.data["amount"]
    return -amount if raw.name == "account.withdrawn" else amount


def deposit(world: World, process: int, amount: int) -> None:
    expected = world.balance + amount
    found = world.repositories[process].transact(NAME, _depositing(amount))
    assert found == expected
    world.wrote(process, expected)


def withdraw(world: World, process: int, amount: int) -> None:
    def decide(account: Account) -> int:
        account.withdraw(amount)
        return account.balance

    expected = world.balance - amount
    try:
        found = world.repositories[process].transact(NAME, decide)
    except ValueError as refused:
        assert expected < 0
        assert str(refused) == f"only {world.balance} left"
        world.unchanged()
    else:
        assert found == expected >= 0
        world.wrote(process, expected)


def look(world: World, process: int, _amount: int) -> None:
    assert world.repositories[process].transact(NAME, lambda one: one.balance) == world.balance
    world.unchanged()


def race(world: World, process: int, amount: int) -> None:
    """Let another process be faster, between the decision and its append."""
    other = (process + 1) % len(REMEMBERED)
    raced: list[int] = []

    def decide(account: Account) -> int:
        if not raced:
            raced.append(other)
            deposit(world, other, 1)
        return _depositing(amount)(account)

    expected = world.balance + amount + 1
    assert world.repositories[process].transact(NAME, decide) == expected
    world.wrote(process, expected)


def command(world: World, process: int, amount: int) -> None:
    """Send a command that may have been decided before, by any process."""
    command_id = f"{amount} after {world.states.count(NOTHING)} deletions"
    decide = _depositing(amount)
    if command_id in world.commands:
        known = world.commands[command_id]
        assert world.repositories[process].transact(NAME, decide, command_id=command_id) == known
        world.unchanged()
        return
    expected = world.balance + amount
    assert world.repositories[process].transact(NAME, decide, command_id=command_id) == expected
    world.wrote(process, expected)
    world.commands[command_id] = expected


def save(world: World, process: int, amount: int) -> None:
    """Load and save without another try: it is stored on the newest state, or refused."""
    repository = world.repositories[process]
    account = repository.load(NAME)
    account.deposit(amount)
    expected = world.balance + amount
    try:
        repository.save(NAME, account)
    except ConcurrentStreamWriteError:
        world.unchanged()
    else:
        assert account.balance == expected
        world.wrote(process, expected)


def load(world: World, process: int, _amount: int) -> None:
    account = world.repositories[process].load(NAME)
    version = int(account.stored_version)
    generation = account._generation or 0
    world.shown(process, (generation, version, account.balance) if version else NOTHING)


def iterate(world: World, process: int, page_size: int) -> None:
    found = []
    newest_first = bool(page_size % 2)
    with suppress(StreamGapError):
        found = list(
            world.stores[process].iter_stream(
                STREAM, newest_first=newest_first, page_size=page_size
            )
        )
        found = found[::-1] if newest_first else found
        assert [one.version for one in found] == [*range(1, len(found) + 1)]
        assert len({one.generation for one in found}) <= 1
        if found:
            balance = sum(
                (-1 if type(one.event).__name__ == "Withdrawn" else 1) * one.event.amount
                for one in found
            )
            world.shown(process, (found[-1].generation or 0, len(found), balance))


def delete(world: World, process: int, _amount: int) -> None:
    world.storages[process].delete_stream(STREAM)
    assert world.truth.fetch_events(STREAM, 1) == []
    world.states.append(NOTHING)
    world.saw(process, len(world.states) - 1)


def _depositing(amount: int) -> Any:
    def decide(account: Account) -> int:
        account.deposit(amount)
        return account.balance

    return decide


OPERATIONS: Final = (
    *(deposit, deposit, deposit, withdraw, withdraw, look, race),
    *(command, save, load, load, iterate, delete),
)
STEPS: Final = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.integers(0, len(REMEMBERED) - 1), st.integers(1, 5)),
    min_size=4,
    max_size=25,
)


@pytest.mark.ci
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), STEPS)
def test_every_operation_comes_out_as_on_the_newest_state(seed, steps):
    world = World(Random(seed))
    for operate, process, amount in steps:
        operate(world, process, amount)
