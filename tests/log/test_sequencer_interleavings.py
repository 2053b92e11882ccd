"""Sequencers race and die, in every order of their requests.

Sequencers are generators, so the test decides which one goes next. All of them may die in any state
that the tables can reach. From each state, a sequencer that finds every commit by a scan must
repair the log. The test must fail on each of `LOG_VARIANTS`, which lack one step of the protocol.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from dynamo_es.dynamodb.log import marking
from dynamo_es.dynamodb.streams.items import commit_item
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import STREAM
from tests.log.storms import Sequencer
from tests.log.worlds import (
    World,
    a_sequencer,
    a_writer,
    an_appender,
    check,
    check_repaired,
    explore,
    fence,
    send,
    sequenced,
)
from tests.variants import LOG_VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.wire.steps import Item, Steps


def commit(stream: str, version: int, size: int = 1, generation: int = 1) -> Item:
    item, _ = commit_item(
        f"#order#{stream}",
        None,
        events(STREAM, size),
        version=version,
        generation=generation,
        versionless=False,
    )
    return item


X1, X3, X4 = commit("x", 1, 2), commit("x", 3), commit("x", 4)
Y1, Y2 = commit("y", 1), commit("y", 2, 3)
Z1 = commit("z", 1)
AGAIN = commit("x", 1, generation=2)

SCENARIOS: Final[dict[str, tuple[World, tuple[Callable[[], Steps[None]], ...]]]] = {
    "the same hints, reordered and repeated": (
        World.of(X1, X3, Y1),
        (
            lambda: a_sequencer("a", [X1, X3, Y1]),
            lambda: a_sequencer("b", [Y1, X3, X1, X3]),
        ),
    ),
    "hints missing, late, and again": (
        World.of(X1, X3, X4, Y1),
        (
            lambda: a_sequencer("a", [X3], [Y1, X1]),
            lambda: a_sequencer("b", [X4], [X3, X1]),
        ),
    ),
    "markers that exist": (
        sequenced(World.of(X1, X3, X4, Y1, Y2, Z1), [X1, Y1]),
        (
            lambda: a_sequencer("a", [X3, Y2]),
            lambda: a_sequencer("b", [X4], [Z1]),
        ),
    ),
    "processes that know the log": (
        World.of(X1, X3, Y1, Y2),
        (
            lambda: a_sequencer("a", [X1], [X3], [Y2]),
            lambda: a_sequencer("b", [Y1], [Y2]),
        ),
    ),
    "three at once": (
        World.of(X1, X3, X4),
        (
            lambda: a_sequencer("a", [X1]),
            lambda: a_sequencer("b", [X3]),
            lambda: a_sequencer("c", [X4], [X3]),
        ),
    ),
    "a deletion in between": (
        World.of(X1, X3, X4),
        (
            lambda: a_sequencer("a", [X4]),
            lambda: a_sequencer("b", [X3], [X1, X4]),
            lambda: a_writer(fence(X4), fence(X3), fence(X1)),
        ),
    ),
    "deleted and created again": (
        World.of(X1, X3),
        (
            lambda: a_sequencer("a", [X3], [X1]),
            lambda: an_appender("b", fence(X3), fence(X1), AGAIN),
        ),
    ),
    "appended and sequenced by the same": (
        World.of(Y1),
        (
            lambda: an_appender("a", X1, X3),
            lambda: an_appender("b", Y2),
            lambda: a_sequencer("c", [Y1]),
        ),
    ),
}


@pytest.fixture(autouse=True)
def one_look(monkeypatch):
    """A loser looks once for the winner's markers: more looks change nothing but the time."""
    monkeypatch.setattr(marking, "_LOOKS", 1)


@pytest.mark.parametrize(
    "name",
    [
        # Of this one there are the most orders.
        pytest.param(name, marks=pytest.mark.ci) if name == "processes that know the log" else name
        for name in SCENARIOS
    ],
)
def test_every_order_of_requests_leads_to_one_log(name):
    world, processes = SCENARIOS[name]

    assert explore(world, *processes) > 100


@pytest.mark.parametrize("variant", LOG_VARIANTS)
def test_without_any_one_step_it_is_caught(monkeypatch, variant):
    LOG_VARIANTS[variant](monkeypatch)

    assert any(is_caught(*scenario) for scenario in SCENARIOS.values())


def is_caught(world: World, processes: tuple[Callable[[], Steps[None]], ...]) -> bool:
    try:
        explore(world, *processes)
    except AssertionError:
        return True
    return False


def stormy(seed: int) -> World:
    """Sequencers that die, lose replies and meet their own late requests; by a seed."""
    random = Random(seed)
    commits = [commit(stream, version) for stream in "xyz" for version in range(1, 6)]
    world = World.of(*commits)
    late: list[Request] = []
    doomed = [fence(item) for item in reversed(commits[:5])] if random.random() < 0.5 else []
    workers = [Sequencer(f"{seed}.{number}.", commits, random, late) for number in range(4)]
    for turn in range(160):
        if doomed and random.random() < 0.1:
            world, _ = send(world, Request("write_event", {"Item": doomed.pop(0)}))
        if late and random.random() < 0.2:
            world, _ = send(world, late.pop(random.randrange(len(late))))
        place = random.randrange(len(workers))
        if workers[place].ended or random.random() < 0.03:
            workers[place].die()
            workers[place] = Sequencer(f"{seed}.{turn + 9}.", commits, random, late)
        else:
            world = workers[place].go_on(world)
        check(world)
    for request in late:
        world, _ = send(world, request)
    return world


@pytest.mark.parametrize(
    "seeds",
    [
        range(50),
        *(pytest.param(range(at, at + 50), marks=pytest.mark.ci) for at in range(50, 200, 50)),
    ],
)
def test_storms_leave_one_log(seeds):
    pages = 0
    for seed in seeds:
        world = stormy(seed)
        check_repaired(world)
        pages += len(world.pages)
    assert pages > 100, "the seeds show little"
