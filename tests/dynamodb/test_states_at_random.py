"""Processes that decide in any order, with states and an index or without, decide on all events."""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

import pytest

from dynamo_es import DynamoBackend
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.dynamodb.streams.boundaries import states
from dynamo_es.dynamodb.tag_index import reading
from tests.boundaries.test_saved_states import Command, Join
from tests.engine import Capability, needs

pytestmark = needs(Capability.REQUESTS)

OPERATIONS = 60


class World:
    """Some processes, which live long, and what they have stored."""

    def __init__(self, engine: Any, seed: int) -> None:
        self.random = random.Random(seed)
        self.engine = engine
        self.name = f"clubs {uuid4()}"
        self.joined: list[tuple[str, str]] = []
        self.commands: dict[str, int] = {}
        self.processes = [self.process() for _ in range(4)]

    def process(self) -> Any:
        config = self.engine.config_with(tag_index=self.random.random() < 0.5)
        backend = DynamoBackend(config, self.engine.client)
        every = self.random.choice([None, 1, 2, 3, 5])
        return backend.boundary(self.name, snapshot_every=every)

    def step(self, number: int) -> None:
        kind = self.random.random()
        place = self.random.randrange(len(self.processes))
        process = self.processes[place]
        if kind < 0.05:
            process._stream.storage.delete_stream(boundary_stream(self.name))
            self.joined.clear()
            self.commands.clear()
        elif kind < 0.15:
            self.processes[place] = self.process()
        elif kind < 0.25:
            process.index.run_once(self.random.choice([3, 1_000]))
        else:
            self.join(process, str(number))

    def join(self, process: Any, member: str) -> None:
        club, most = self.random.choice(["chess", "go"]), self.random.choice([2, 100])
        command_id = self.random.choice([None, None, f"c{self.random.randrange(20)}"])
        before = len(self.joined)
        decided = process.decide(Join, Command(member, club, most), command_id=command_id)
        if command_id in self.commands:
            assert (decided.repeated, decided.version) == (True, self.commands[command_id])
            return
        of_club = [each for own, each in self.joined if own == club]
        assert Join.decided[-1] == of_club[:most]
        assert (decided.repeated, decided.version) == (False, before + 1)
        self.joined.append((club, member))
        if command_id is not None:
            self.commands[command_id] = before + 1


@pytest.fixture(autouse=True)
def of_short_boundaries(monkeypatch):
    """Have the index used for boundaries of any length."""
    monkeypatch.setattr(reading, "_READ_UNIT", 1)


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.ci) for n in range(2, 7))])
def test_each_decision_is_made_on_all_events(engine, seed):
    world = World(engine, seed)
    for number in range(OPERATIONS):
        world.step(number)


@pytest.mark.ci
def test_states_that_a_deletion_leaves_are_not_used(engine, monkeypatch):
    """As if each were saved by a slow process after the deletion."""
    monkeypatch.setattr(states, "delete_states", lambda *_: iter(()))
    for seed in (11, 12):
        test_each_decision_is_made_on_all_events(engine, seed)
