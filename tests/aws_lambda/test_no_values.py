"""Lambda functions log no value of an event when they log an error."""

from __future__ import annotations

from typing import Any

from dynamo_es import Event, StreamId
from dynamo_es.aws_lambda.log import project_log
from dynamo_es.aws_lambda.sequencer import sequence_events
from dynamo_es.aws_lambda.streams import project_streams
from tests.aws_lambda.lambdas import numbers, records_of

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
