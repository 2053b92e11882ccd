"""How tests use the testing kit, for the type checkers."""

from __future__ import annotations

from typing import Any, assert_type

from dynamo_es import Aggregate, DynamoBackend, Event, MemoryBackend, Recorded
from dynamo_es.testing import (
    Delivery,
    EventSourceMapping,
    FrozenClock,
    GivenAggregate,
    GivenEvents,
    LambdaContext,
    Outcome,
    ProjectedEvents,
    check_upcasters,
    faulty,
    given,
    lambda_events,
)


class Deposited(Event):
    amount: int


class Account(Aggregate):
    category = "account"

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.balance = 0

    def deposit(self, amount: int) -> int:
        self._emit(Deposited(amount=amount))
        return self.balance


def aggregates() -> None:
    past = given(Account, Deposited(amount=5))
    assert_type(past, GivenAggregate[Account])
    assert_type(given(lambda: Account(5)), GivenAggregate[Account])
    outcome = past.when(lambda account: account.deposit(5))
    assert_type(outcome, Outcome[Account, int])
    assert_type(outcome.events, list[Event])
    (
        outcome.then(Deposited(amount=5), Deposited)
        .returns(10)
        .state(lambda account: account.balance == 10)
        .check_snapshot()
        .when(lambda account: account.limit, command_id="c-1")
        .raises(ValueError, match="limit")
    )


def projections() -> None:
    def row(recorded: Recorded) -> tuple[str, int]:
        return "ann", recorded.position

    events = given(Deposited(amount=5), Deposited(amount=6), stream="ann")
    assert_type(events, GivenEvents)
    assert_type(given([Deposited(amount=5)]), GivenEvents)
    projected = events.also(Deposited(amount=1), stream="bob").project(row, events=[Deposited])
    assert_type(projected, ProjectedEvents)
    projected.then(("ann", 1)).again().then([("ann", 1)])


def samples() -> None:
    check_upcasters({Deposited: {1: {"amount": 5}}}, events=[Deposited])
    check_upcasters({"deposited": {1: ({"amount": 5}, Deposited(amount=5))}})
    check_upcasters({Deposited: {1: [{"amount": 5}, {"amount": 6}]}})


def deliveries(backend: DynamoBackend) -> None:
    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        assert_type(context.get_remaining_time_in_millis(), int)
        return {"batchItemFailures": []}

    gone: list[dict[str, Any]] = []
    clock = FrozenClock()
    mapping = EventSourceMapping(handler, batch_size=10, on_failure=gone, clock=clock)
    assert_type(mapping.deliver(backend), Delivery)
    assert_type(lambda_events(backend, shards=2), list[dict[str, Any]])
    with faulty(backend, lost_replies=0.05, seed=7) as unreliable:
        assert_type(unreliable, DynamoBackend)
    assert_type(MemoryBackend(clock=clock), MemoryBackend)
