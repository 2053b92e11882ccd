"""Sequencers race and die, in every order of their requests.

Sequencers are generators, so the test decides which one goes next. All of them may die in any state
that the tables can reach. From each state, a sequencer that finds every commit by a scan must
repair the log. The test must fail on four variants that each lack one step of the protocol.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from dynamo_es.dynamodb.log import requests as log_requests
from dynamo_es.dynamodb.log import sequencer as sequencing
from dynamo_es.dynamodb.streams.items import commit_item
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Request
from dynamo_es.exceptions import UnavailableError
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import STREAM
from tests.log.worlds import (
    TABLES,
    World,
    a_sequencer,
    a_writer,
    advance,
    an_appender,
    check,
    check_repaired,
    explore,
    fence,
    log_key,
    send,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamo_es.dynamodb.log.markers import Marker
    from dynamo_es.dynamodb.log.pages import Page
    from dynamo_es.dynamodb.log.pointers import Pointer
    from dynamo_es.dynamodb.log.sequencer import Tables
    from dynamo_es.dynamodb.wire.steps import Item, Response, Steps


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


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_order_of_requests_leads_to_one_log(name):
    world, processes = SCENARIOS[name]

    assert explore(world, *processes) > 100


def no_markers_again(tables: Tables, page: Page) -> Steps[None]:
    """The markers of the newest page are not applied again."""
    yield from ()


def no_condition(table: str, item: Item) -> Request:
    """A page is put over whatever is there."""
    return Request("put_item", {"TableName": table, "Item": item})


def no_markers(table: str, hints: Iterable[Pointer]) -> Steps[dict[Marker, int]]:
    """What is in the log already is not looked up; nor is what is missing before it."""
    yield from ()
    return {hint.marker: hint.first_version - 1 for hint in reversed(list(hints))}


def no_gap_filling(table: str, known: int, hint: Pointer) -> Steps[list[Pointer]]:
    """What comes before a hint is left out."""
    yield from ()
    return []


@pytest.mark.parametrize(
    ("module", "name", "variant"),
    [
        (sequencing, "_apply_markers_again", no_markers_again),
        (log_requests, "put_page", no_condition),
        (sequencing, "_read_markers", no_markers),
        (sequencing, "_between", no_gap_filling),
    ],
)
def test_without_any_one_step_it_is_caught(monkeypatch, module, name, variant):
    monkeypatch.setattr(module, name, variant)

    caught = 0
    for world, processes in SCENARIOS.values():
        try:
            explore(world, *processes)
        except AssertionError:
            caught += 1
    assert caught


def stormy(seed: int) -> World:  # noqa: C901 - one branch for each thing that happens
    """Sequencers that die, lose replies and meet their own late requests; by a seed."""
    random = Random(seed)
    commits = [commit(stream, version) for stream in "xyz" for version in range(1, 6)]
    world = World.of(*commits)
    late: list[Request] = []
    doomed = [fence(item) for item in reversed(commits[:5])] if random.random() < 0.5 else []

    def begin(name: str) -> list[Any]:
        batches = [random.choices(commits, k=random.randint(1, 6)) for _ in range(3)]
        steps = a_sequencer(name, *batches)
        return [steps, advance(steps, None)]

    workers = [begin(f"{seed}.{number}.") for number in range(4)]
    for turn in range(120):
        if doomed and random.random() < 0.1:
            world, _ = send(world, Request("write_event", {"Item": doomed.pop(0)}))
        if late and random.random() < 0.2:
            world, _ = send(world, late.pop(random.randrange(len(late))))
        worker = random.choice(workers)
        steps, request = worker
        if request is None or random.random() < 0.03:
            if request is not None and random.random() < 0.5:
                late.append(request)
            worker[:] = begin(f"{seed}.{turn + 9}.")
            continue
        chance = random.random()
        if request.operation in {"put_item", "update_item"} and chance < 0.2:
            if chance < 0.1:
                world, _ = send(world, request)
            elif chance < 0.16:
                late.append(request)
            reply: Any = OutcomeUnknown(UnavailableError("PutItem", "timeout", "no reply."))
        else:
            world, reply = send(world, request)
            if request.operation == "batch_get_item" and random.random() < 0.2:
                reply = left_out(request, reply)
        try:
            worker[1] = advance(steps, reply)
        except OutcomeUnknown:
            worker[1] = None
        check(world)
    for request in late:
        world, _ = send(world, request)
    return world


def left_out(request: Request, reply: Response) -> Response:
    """The reply without its first key."""
    first, *_ = request.params["RequestItems"][TABLES.log]["Keys"]
    items = [item for item in reply["Responses"][TABLES.log] if log_key(item) != log_key(first)]
    left = {TABLES.log: {"Keys": [first], "ConsistentRead": True}}
    return {"Responses": {TABLES.log: items}, "UnprocessedKeys": left}


@pytest.mark.parametrize("seeds", [range(start, start + 50) for start in range(0, 200, 50)])
def test_storms_leave_one_log(seeds):
    pages = 0
    for seed in seeds:
        world = stormy(seed)
        check_repaired(world)
        pages += len(world.pages)
    assert pages > 100, "the seeds show little"
