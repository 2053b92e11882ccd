"""A Lambda handler on the events table's stream makes a read model's writes exactly once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from dynamo_es import DynamoBackend, StreamId, Writes
from dynamo_es.aws_lambda import project_streams
from dynamo_es.exceptions import InvalidSubscriptionError
from dynamo_es.testing import EventSourceMapping
from tests.aws_lambda.lambdas import numbers
from tests.aws_lambda.test_streams import ANN, BOB, deposit, events_of
from tests.projections.balances import TABLE, balance_of, create_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es import Recorded


class Balances:
    """A read model in a table, whose writes are carried out with the cursor."""

    def __init__(self, backend: DynamoBackend) -> None:
        create_table(backend.client)
        self.client = backend.client
        self.failing: set[int] = set()

    def __call__(self, recorded: Recorded) -> Writes:
        amount = recorded.wrapped_event.event.amount
        if amount in self.failing:
            raise RuntimeError("not today")
        key = {"account": str(recorded.stream_id)}
        return Writes().add(TABLE, key, {"balance": amount, "deposits": 1})

    def of(self, stream: StreamId) -> tuple[int, int]:
        return balance_of(self.client, str(stream))


@pytest.fixture
def balances(backend) -> Iterator[Balances]:
    yield Balances(backend)
    backend.client.delete_table(TableName=TABLE)


def test_writes_are_made_once_however_often_and_late_lambda_delivers(backend, balances):
    handler = project_streams(backend, "balances", writes=True)(balances)
    mapping = EventSourceMapping(handler, batch_size=2, duplicates=0.5, seed=4)
    for amounts in ((1, 2, 3), (4,), (5, 6)):
        deposit(backend, ANN, *amounts)
        deposit(backend, BOB, sum(amounts))
        mapping.deliver(backend)
    late = events_of(backend)
    handler({"Records": late[::-1]})
    handler({"Records": late[:2]})

    assert (balances.of(ANN), balances.of(BOB)) == ((21, 6), (21, 3))


def test_the_last_records_first_and_the_earlier_ones_later(backend, balances):
    for amount in (1, 2, 4):
        deposit(backend, ANN, amount)
    handler = project_streams(backend, "balances", writes=True)(balances)
    first, second, third = events_of(backend)
    for records in ([third], [first], [second, third]):
        assert handler({"Records": records}) == {"batchItemFailures": []}

    assert balances.of(ANN) == (7, 3)


def test_a_batch_of_one_stream_costs_one_transaction(backend, balances):
    for amount in range(1, 11):
        deposit(backend, ANN, amount)
    sent: list[str] = []
    handler = project_streams(backend, "balances", writes=True)(balances)
    records = events_of(backend)
    backend.client.meta.events.register(
        "before-call.dynamodb", lambda model, **_: sent.append(model.name)
    )
    handler({"Records": records})

    assert Counter(sent) == {"UpdateItem": 2, "PutItem": 1, "TransactWriteItems": 1}
    assert balances.of(ANN) == (55, 10)


def test_a_failing_event_is_reported_and_those_before_it_are_written(backend, balances):
    for amount in (1, 2, 4):
        deposit(backend, ANN, amount)
    balances.failing = {2}
    handler = project_streams(backend, "balances", writes=True)(balances)
    records = events_of(backend)

    assert numbers(handler({"Records": records})) == [records[1]["dynamodb"]["SequenceNumber"]]
    assert balances.of(ANN) == (1, 1)

    balances.failing = set()
    assert handler({"Records": records[1:]}) == {"batchItemFailures": []}
    assert balances.of(ANN) == (7, 3)


def test_no_record_counts_as_done_before_its_writes_are_made(backend, balances):
    for amount in (1, 2):
        deposit(backend, ANN, amount)
    handler = project_streams(backend, "balances", writes=True)(balances)
    records = events_of(backend)
    backend.client.delete_table(TableName=TABLE)

    assert numbers(handler({"Records": records})) == [records[0]["dynamodb"]["SequenceNumber"]]
    assert handler.totals.applied == 0

    create_table(backend.client)
    handler({"Records": records})
    assert handler.totals.applied == 2
    assert balances.of(ANN) == (3, 2)


def test_writes_go_without_events_that_are_set_aside(backend):
    with pytest.raises(InvalidSubscriptionError, match='on_failure must be "stop"'):
        project_streams(backend, "balances", on_failure="park", writes=True)(print)
