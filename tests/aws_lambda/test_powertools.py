"""The handlers work with Powertools for AWS Lambda."""

from __future__ import annotations

from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent
from aws_lambda_powertools.utilities.parser.models import DynamoDBStreamModel

from dynamo_es import ANY_VERSION, StreamId
from dynamo_es.aws_lambda import project_streams
from dynamo_es.aws_lambda.powertools import events_of, record_handler
from dynamo_es.exceptions import ConfigurationError, StoredItemError
from tests.aws_lambda.lambdas import numbers, records_of
from tests.event_store.accounts import Deposited

ANN = StreamId(name="ann", category="account")


@pytest.fixture
def records(backend):
    for amounts in ([1], [2, 3], range(100, 200)):
        backend.event_store.append(
            *[Deposited(amount=amount) for amount in amounts],
            stream_id=ANN,
            expected_version=ANY_VERSION,
        )
    backend.storage.delete_stream(ANN)
    return records_of(backend, "events")


def as_models(records):
    return DynamoDBStreamModel.model_validate({"Records": records}).Records


def as_data_classes(records):
    return list(DynamoDBStreamEvent({"Records": records}).records)


@pytest.mark.parametrize("made", [list, as_data_classes, as_models])
def test_a_records_events_are_had_from_whatever_powertools_makes_of_it(backend, records, made):
    found = [events_of(backend, record) for record in made(records)]

    amounts = [[one.wrapped_event.event.amount for one in events] for events in found]
    assert amounts[:3] == [[1], [2, 3], list(range(100, 200))]
    assert not any(amounts[3:]), "fences and removals have none"
    assert [one.wrapped_event.version for one in found[1]] == [2, 3]


@pytest.mark.parametrize("flaw", [{"event_count": {"N": "0"}}, {"item_format": {"N": "2"}}])
def test_a_commit_that_cannot_be_read_is_an_error_and_not_an_empty_list(backend, records, flaw):
    records[0]["dynamodb"]["NewImage"].update(flaw)

    with pytest.raises(StoredItemError):
        events_of(backend, records[0])
    assert events_of(backend.in_tenant("other"), records[0]) == []


def test_a_backend_of_one_tenant_has_no_events_of_others(backend, records):
    assert events_of(backend.in_tenant("other"), records[0]) == []


def test_its_batch_processor_runs_a_read_model(backend, records):
    seen: list[int] = []
    failing = {2}

    @project_streams(backend, "balances")
    def apply(recorded: Any) -> None:
        amount = recorded.wrapped_event.event.amount
        if amount in failing:
            raise RuntimeError("not today")
        seen.append(amount)

    def handler(event: Any) -> Any:
        processor = BatchProcessor(event_type=EventType.DynamoDBStreams)
        return process_partial_response(event, record_handler(apply), processor, Context())  # type: ignore[arg-type]

    live = records[:3]
    answer = handler({"Records": live})
    # The third is after a gap that cannot be filled: its stream was deleted.
    assert seen == [1]
    assert numbers(answer)[0] == live[1]["dynamodb"]["SequenceNumber"]
    failing.clear()
    assert numbers(handler({"Records": live[1:]})) == []
    assert seen == [1, 2, 3, *range(100, 200)]


def test_something_else_is_refused(backend):
    with pytest.raises(ConfigurationError, match="table's stream"):
        events_of(backend, "record")


class Context:
    """What Powertools asks of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000
