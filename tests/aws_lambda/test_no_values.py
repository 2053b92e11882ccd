"""Lambda functions log no value of an event when they log an error."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamo_es import Context, Event, FailurePolicy, StreamId, WrappedEvent
from dynamo_es.aws_lambda import EventBridgePublisher, SnsPublisher, SqsPublisher, publish_outbox
from dynamo_es.aws_lambda.log_read_models import project_log
from dynamo_es.aws_lambda.sequencer import sequence_events
from dynamo_es.aws_lambda.stream_read_models import project_streams
from dynamo_es.contracts.correlation import correlated
from dynamo_es.exceptions import ServiceError
from dynamo_es.testing.faults import Fault, Network
from tests.aws_lambda.lambdas import Service, Spent, numbers, records_of
from tests.log.hostile import SECRET, SET_ASIDE

CLEAR = "ann@example.com"


class Seen(Event):
    __event_name__ = "aws_lambda.seen"

    email: str


def failing(recorded: Any) -> None:
    raise ValueError(recorded.wrapped_event.event.email)


def test_what_a_function_raises_is_logged_without_its_text(backend, caplog):
    backend.event_store.append(Seen(email=CLEAR), stream_id=StreamId(name="a"))
    records = records_of(backend, backend.config.events_table)
    sequence_events(backend)({"Records": records})
    pages = records_of(backend, backend.config.log_table)

    assert numbers(project_streams(backend, "one")(failing)({"Records": records}))
    assert numbers(project_log(backend, "other")(failing)({"Records": pages}))

    assert caplog.text.count("ValueError at test_no_values.py:") == 2
    assert "raise ValueError(recorded" in caplog.text  # the lines of code that led to it
    assert CLEAR not in caplog.text


@pytest.fixture
def lines(monkeypatch, capsys, caplog):
    """Everything that a Lambda function writes: its log, and what it prints."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    monkeypatch.setattr("dynamo_es.aws_lambda.metrics._states", lambda _: ["Enabled"])
    caplog.set_level("DEBUG", "dynamo_es")

    def read() -> str:
        printed = capsys.readouterr()
        extras = [str(vars(record)) for record in caplog.records]
        return "\n".join([caplog.text, printed.out, printed.err, *extras])

    return read


@pytest.fixture
def seen(backend):
    """An event with a value that no line may have, in both tables' streams and for the outbox."""
    backend.with_outbox()
    backend.event_store.append(Seen(email=CLEAR), stream_id=StreamId(name="a"))
    events = {"Records": records_of(backend, backend.config.events_table)}
    sequence_events(backend)(events)
    return events, {"Records": records_of(backend, backend.config.log_table)}


TASKS = ({"dynamo_es": "upkeep"}, {"dynamo_es": "retry_parked"})


@pytest.mark.parametrize("on_failure", ["stop", "park", "skip"])
def test_read_models_write_no_value_whatever_fails(backend, seen, lines, on_failure):
    events, pages = seen
    for decorate, batch in ((project_streams, events), (project_log, pages)):
        handler = decorate(backend, decorate.__name__, on_failure=on_failure)(failing)
        for event in (*[batch] * 4, *TASKS):
            try:
                handler(event, Spent(60_000))
            except ValueError:
                assert event in TASKS, "without a batch the function's own error comes out"
    found = lines()
    assert "ValueError at test_no_values.py" in found
    assert CLEAR not in found


def quoting(record: Any) -> None:
    raise ValueError(record.entry.data["email"])


def stored(function: Any) -> Any:
    function.as_stored = True
    return function


class Refuses(Service):
    """A service whose answers quote the message, as an error or as the refusal of an entry."""

    def __init__(self, *, raises: bool) -> None:
        super().__init__()
        self.raises = raises

    def __getattr__(self, name: str) -> Any:
        def call(**params: Any) -> Any:
            if self.raises:
                raise ClientError({"Error": {"Code": "Bad", "Message": str(params)}}, name)
            entries = next((one for one in params.values() if isinstance(one, list)), [])
            refused = [
                {"Id": str(place), "Code": "Bad", "Message": str(params)}
                for place in range(len(entries))
            ]
            told = [{"ErrorCode": "Bad", "ErrorMessage": str(params)} for _ in entries]
            return {"FailedEntryCount": len(told), "Entries": told, "Failed": refused}

        return call


def publishers(service: Any) -> list[Any]:
    return [
        stored(quoting),
        EventBridgePublisher("b", "shop", client=service),
        SnsPublisher("arn:t", client=service),
        SqsPublisher("https://sqs/1/q", client=service),
    ]


@pytest.mark.parametrize("raises", [True, False])
def test_outboxes_write_no_value_whatever_the_target_answers(backend, seen, lines, raises):
    for number, publisher in enumerate(publishers(Refuses(raises=raises))):
        name = f"outbox {number}"
        backend.event_store.append(Seen(email=CLEAR), stream_id=StreamId(name=name))
        sequence_events(backend)({"Records": records_of(backend, "events")})
        handler = publish_outbox(backend, publisher, name=name, attempts=2, retry_delay=0)
        for _ in range(3):
            handler({"dynamo_es": "upkeep"}, Spent(60_000))
        entries = backend.outbox.named(name).entries()
        assert CLEAR not in str(entries)
        assert raises is False or entries
    found = lines()
    assert "failed (try 1)" in found
    assert CLEAR not in found


def test_a_sequencer_writes_no_value_of_what_it_cannot_read_or_store(backend, seen, lines):
    for item in SET_ASIDE.values():
        backend.client.put_item(TableName="events", Item=item)
    backend.event_store.append(Seen(email=CLEAR), stream_id=StreamId(name="b"))
    records = {"Records": records_of(backend, "events")}
    network = Network(backend.client)
    network.plan(lambda number: Fault.LOST_REPLY)
    with network.between(), pytest.raises(ServiceError) as raised:
        sequence_events(backend)(records, Spent(60_000))
    assert CLEAR not in str(raised.value)
    assert SECRET not in str(raised.value)
    sequence_events(backend)(records, Spent(60_000))
    sequence_events(backend)({"dynamo_es": "upkeep"}, Spent(60_000))
    found = lines()
    assert "log set-aside" in found
    assert CLEAR not in found
    assert SECRET not in found
    assert '"Failures": 1' in found, "an error that is raised counts as well"


def test_lines_about_an_event_have_its_correlation_id(backend, caplog):
    backend.with_outbox()
    backend.event_store.append(
        WrappedEvent(Seen(email=CLEAR), context=Context(correlation_id="request-7", user=CLEAR)),
        stream_id=StreamId(name="c"),
    )
    records = {"Records": records_of(backend, "events")}
    sequence_events(backend)(records)
    project_streams(backend, "one")(failing)(records)
    project_log(backend, "two", on_failure=FailurePolicy(then="park", pause=0.001))(failing)({})
    publish_outbox(backend, stored(quoting))({})

    found = [getattr(line, "correlation_id", None) for line in caplog.records]
    assert found.count("request-7") >= 4
    assert CLEAR not in str([vars(line) for line in caplog.records])


@pytest.mark.parametrize("context", [None, {}, {"user": CLEAR}, Context(user=CLEAR), CLEAR])
def test_nothing_else_of_a_context_is_on_a_line(context):
    assert correlated(context) == {}
    assert correlated({"correlation_id": "x" * 500, "user": CLEAR}) == {"correlation_id": "x" * 128}
