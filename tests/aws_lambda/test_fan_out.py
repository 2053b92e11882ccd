"""One function gives each batch to several read models; none of them harms another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynamo_es import Event, FailurePolicy, StreamId
from dynamo_es.aws_lambda import fan_out, project_log, project_streams, sequence_events
from dynamo_es.aws_lambda.powertools import record_handler
from dynamo_es.exceptions import (
    AsynchronousFunctionError,
    ConfigurationError,
    InvalidSubscriptionError,
)
from dynamo_es.testing import EventSourceMapping, Killed
from tests.aws_lambda.lambdas import Spent, failure, numbers, records_of
from tests.recording import recording

PATIENT = FailurePolicy(then="park", attempts=3, pause=0.001)


class Noted(Event):
    __event_name__ = "fan_out.Noted"

    number: int


class Applied(list[Any]):
    """What one read model applied; it fails on poison until it is fixed."""

    poison = None

    def __call__(self, recorded):
        if recorded.stream_id == self.poison:
            raise ZeroDivisionError
        self.append((recorded.stream_id, recorded.wrapped_event.event.number))

    def of(self, stream):
        return [number for one, number in self if one == stream]


@pytest.fixture
def backend(dynamo_backend):
    return dynamo_backend


@pytest.fixture
def balances():
    return Applied()


@pytest.fixture
def names():
    return Applied()


def note(backend, stream, *events):
    for number in events:
        backend.event_store.append(
            Noted(number=number), stream_id=stream, expected_version=number - 1
        )


def noted(backend, streams):
    found = [StreamId() for _ in range(streams)]
    for number in (1, 2):
        for stream in found:
            note(backend, stream, number)
    return found


def both(backend, balances, names, **options):
    return fan_out(
        project_streams(backend, "balances", **options)(balances),
        project_streams(backend, "names", **options)(names),
    )


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.ci)])
def test_a_poison_stream_of_one_read_model_is_parked_and_the_other_applies_all_in_order(
    backend, balances, names, seed
):
    streams = noted(backend, 13)
    balances.poison = poison = streams[3]
    handler = both(backend, balances, names, on_failure="park")
    calls = 0

    def sometimes_dying(event, context):
        nonlocal calls
        calls += 1
        answer = handler(event, context)
        if calls % 5 == 2:
            raise Killed  # after both wrote their cursors
        return answer

    mapping = EventSourceMapping(
        sometimes_dying,
        batch_size=5,
        shards=2,
        bisect_batch_on_function_error=True,
        duplicates=0.3,
        maximum_retry_attempts=20,
        seed=seed,
    )

    assert not mapping.deliver(backend).discarded

    assert all(names.of(one) == [1, 2] for one in streams)
    assert all(balances.of(one) == [1, 2] for one in streams if one != poison)
    [entry] = backend.parked.all()
    assert (entry.key.name, entry.key.stream_id, balances.of(poison)) == (
        *("balances", poison, []),
    )

    balances.poison = None
    assert handler({"dynamo_es": "retry_parked"}) == {"batchItemFailures": []}

    assert balances.of(poison) == names.of(poison) == [1, 2]
    assert backend.parked.all() == []


def test_a_read_model_that_stops_loses_nothing_of_another(backend, balances, names):
    ann, bob = noted(backend, 2)
    balances.poison = ann
    discarded = []
    handler = both(backend, balances, names)
    mapping = EventSourceMapping(
        handler, batch_size=2, maximum_retry_attempts=2, on_failure=discarded
    )
    mapping.deliver(backend)
    assert len(discarded) == 2
    assert names == [(ann, 1), (bob, 1), (ann, 2), (bob, 2)]
    assert balances == [(bob, 1), (bob, 2)]


def test_the_reply_begins_with_the_lowest_record_that_any_read_model_has_left(
    backend, balances, names
):
    ann, bob, eve = noted(backend, 3)
    balances.poison, names.poison = eve, bob
    records = records_of(backend, "events")
    of = [record["dynamodb"]["SequenceNumber"] for record in records]
    handler = both(backend, balances, names)
    assert numbers(handler({"Records": records})) == [of[1], of[2]]
    assert (balances.of(ann), balances.of(bob), names.of(eve)) == ([1, 2], [1, 2], [1, 2])
    window = {"Records": records, "window": {}, "state": {"seen": 1}}
    assert handler(window)["state"] == {"seen": 1}
    with pytest.raises(Exception, match=of[1]):
        record_handler(handler)(records[1])


def test_what_comes_again_for_one_costs_the_other_a_request_for_each_stream(
    backend, balances, names
):
    streams = noted(backend, 4)
    balances.poison = streams[0]
    event = {"Records": records_of(backend, "events")}
    alone = project_streams(backend, "names")(names)
    fan_out(project_streams(backend, "balances")(balances), alone)(event)
    assert len(names) == 8
    with recording(backend.client) as sent:
        alone(event)
    assert len(names) == 8, "nothing is applied twice"
    assert len(sent.operations) == 4


def test_an_error_of_one_read_model_is_raised_after_the_others_have_run(
    backend, balances, names, caplog
):
    noted(backend, 1)
    broken = project_streams(backend, "broken")(Applied())

    def breaks():
        raise ConfigurationError("The selection is wrong.")

    broken._selection = breaks
    handler = fan_out(broken, project_streams(backend, "names")(names))
    with pytest.raises(ConfigurationError, match=r"The selection is wrong\."):
        handler({"Records": records_of(backend, "events")})
    assert len(names) == 2
    assert "'broken' failed; the others of the function go on" in caplog.text


def test_a_slow_read_model_hands_over_and_leaves_the_other_its_time(backend, balances, names):
    streams = noted(backend, 10)
    context = Spent(10_000)
    handler = fan_out(
        project_streams(backend, "balances")(context.taking(1_000, balances)),
        project_streams(backend, "names")(context.taking(200, names)),
    )
    records = records_of(backend, "events")
    answer = handler({"Records": records}, context)
    assert len(names) == 20
    assert len(balances) == 4, "half of the time, less its margin"
    assert min(numbers(answer), key=int) == records[2]["dynamodb"]["SequenceNumber"]
    calls = 0
    while numbers(answer):
        context.left_ms, calls = 10_000, calls + 1
        answer = handler({"Records": records}, context)
    assert all(one.of(stream) == [1, 2] for one in (balances, names) for stream in streams)
    assert (len(balances), len(names)) == (20, 20)
    assert calls < 5, "a read model that is done leaves its time to the next"


def test_each_read_model_of_the_log_has_its_own_checkpoint(backend, balances, names):
    streams = noted(backend, 4)
    balances.poison = streams[1]
    each = [
        project_log(backend, "balances", on_failure=PATIENT)(balances),
        project_log(backend, "names")(names),
    ]
    handler = fan_out(*each)
    sequence_events(backend)({"Records": records_of(backend, "events")})
    mapping = EventSourceMapping(handler, maximum_retry_attempts=3, table="log", duplicates=0.3)
    assert not mapping.deliver(backend).discarded
    assert names == [(stream, number) for number in (1, 2) for stream in streams]
    assert balances == [one for one in names if one[0] != streams[1]]
    assert [one.projection.position for one in each] == [8, 8]
    assert [one.key.name for one in backend.parked.all()] == ["balances"]


def test_a_schedule_reaches_each_read_model(backend, balances, names, monkeypatch, capsys):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "views")
    monkeypatch.setattr("dynamo_es.aws_lambda.metrics._states", lambda _: ["Enabled"])
    [ann] = noted(backend, 1)
    balances.poison = ann
    handler = both(backend, balances, names, on_failure="park")
    EventSourceMapping(handler, maximum_retry_attempts=5).deliver(backend)
    capsys.readouterr()

    assert handler({"dynamo_es": "upkeep"}, Spent(60_000)) == {"batchItemFailures": []}

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["consumer"], one["Parked"]) for one in lines] == [("balances", 1), ("names", 0)]
    assert {one["function"] for one in lines} == {"views"}
    assert {one["request_id"] for one in lines} == {"request-1"}
    with pytest.raises(ConfigurationError, match="has no task"):
        handler({"dynamo_es": "rest"})


def test_failed_batches_of_a_queue_come_again_until_all_read_models_have_them(
    backend, balances, names
):
    [ann] = noted(backend, 1)
    handler = both(backend, balances, names)
    names.poison = ann
    body = json.dumps(failure(backend, records_of(backend, "events")))
    event = {"Records": [{"messageId": "message-a", "body": body}]}
    assert numbers(handler(event)) == ["message-a"]
    names.poison = None
    assert numbers(handler(event)) == []
    assert balances == names == [(ann, 1), (ann, 2)]


async def later(event, context):
    """Never runs."""


def ledger(backend):
    return project_log(backend, "ledger")(print)


def view(backend):
    return project_streams(backend, "view")(print)


@pytest.mark.parametrize(
    ("handlers", "message"),
    [
        (lambda _: [], "fan_out needs at least one handler"),
        (lambda b: [view(b), view(b)], "two read models named 'view'"),
        (
            lambda b: [view(b), ledger(b)],
            "'view' follows the events table, and 'ledger' the log table",
        ),
        (lambda b: [view(b), print], "not builtin_function_or_method"),
        (lambda b: [[view(b)]], "made, not list"),
        (lambda b: [fan_out(view(b)), ledger(b)], "not FanOutHandler"),
        (lambda b: [sequence_events(b)], "not SequencerHandler"),
    ],
)
def test_handlers_that_do_not_fit_are_refused(backend, handlers, message):
    with pytest.raises(InvalidSubscriptionError, match=message):
        fan_out(*handlers(backend))


def test_an_asynchronous_handler_is_refused():
    with pytest.raises(AsynchronousFunctionError, match="handler of fan_out"):
        fan_out(later)  # type: ignore[arg-type]
