"""Requests end in time for a Lambda function's reply, even if no server answers."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.aws_lambda import SqsPublisher
from dynamo_es.aws_lambda.batch import Deadline
from dynamo_es.aws_lambda.publishers import _connect
from dynamo_es.dynamodb.emulator.emulator import isolated_session
from dynamo_es.dynamodb.wire.attempts.retries import Retries
from dynamo_es.dynamodb.wire.attempts.time_limit import (
    end_in_time,
    keep_in_time,
    limited,
    seconds_left,
    shorten,
    time_out,
)
from dynamo_es.dynamodb.wire.client import client_config
from dynamo_es.exceptions import ServiceError
from dynamo_es.testing import LambdaContext
from tests.dynamodb.wire.both_transports import CONFIG
from tests.dynamodb.wire.socket_server import Connected, serving


class Countdown:
    """Seconds that pass with the clock."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def __call__(self):
        return self.end - time.monotonic()


@contextmanager
def hung():
    """Serve requests that get no answer."""
    over = threading.Event()

    def handle(connected: Connected, number: int) -> None:
        over.wait(20)

    try:
        with serving(handle) as server:
            yield server
            over.set()
    finally:
        over.set()


def took(call):
    begin = time.monotonic()
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever the client raises
        call()
    return time.monotonic() - begin, raised.value


@pytest.mark.parametrize("transport", ["default", "lean"])
def test_a_hung_request_to_dynamodb_ends_with_the_limit(transport, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with hung() as server:
        backend = DynamoBackend(replace(CONFIG, endpoint_url=server.url, transport=transport))
        backend.prepare()

        with limited(Countdown(0.4)):
            seconds, error = took(lambda: backend.storage.fetch_events(StreamId()))

    assert isinstance(error, ServiceError)
    assert 0.3 < seconds < 0.8, "one attempt, cut by the limit"


@pytest.mark.parametrize("transport", ["default", "lean"])
def test_no_attempt_begins_whose_wait_could_end_after_the_limit(transport, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with hung() as server:
        quick = replace(CONFIG, endpoint_url=server.url, transport=transport, read_timeout=0.1)
        backend = DynamoBackend(quick)
        backend.prepare()
        before = server.accepted
        with limited(Countdown(0.9)):
            seconds, _ = took(lambda: backend.storage.fetch_events(StreamId()))
    assert seconds < 0.5
    assert server.accepted - before <= 1


def test_a_hung_request_of_a_publisher_leaves_half_of_the_time():
    with hung() as server:
        client = isolated_session("key", "secret", "eu-west-1").client(
            "sqs", endpoint_url=server.url, config=client_config(CONFIG)
        )
        keep_in_time(client)
        publisher = SqsPublisher(f"{server.url}/1/q", client=client)

        with limited(Countdown(0.8)):
            seconds, _ = took(
                lambda: publisher._client().send_message(QueueUrl="q", MessageBody="")
            )

    assert 0.3 < seconds < 0.7


def test_the_publishers_own_client_keeps_the_limit(monkeypatch):
    seen = []
    monkeypatch.setattr("dynamo_es.aws_lambda.publishers.keep_in_time", seen.append)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    client = _connect("sqs", CONFIG)

    assert seen == [client]


def test_without_a_limit_nothing_changes():
    assert seconds_left() is None
    assert time_out(1, 3) == {}
    end_in_time(3, None, OSError(), "GetItem")
    with limited(lambda: 4.0):
        assert time_out(1, 3) == {}, "there is time enough"


@pytest.mark.parametrize(
    ("attempt", "left", "goes_on"), [(1, 1.1, True), (1, 1, False), (2, 1.9, False), (2, 2.1, True)]
)
def test_another_attempt_begins_only_if_the_wait_for_it_ends_in_time(attempt, left, goes_on):
    with limited(lambda: left):
        if goes_on:
            end_in_time(attempt, None, OSError(), "GetItem")
        else:
            with pytest.raises(OSError, match=r"^$"):
                end_in_time(attempt, None, OSError(), "GetItem")


class Answered:
    def __init__(self, status_code):
        self.status_code = status_code


def test_the_last_reply_is_raised_as_botocore_raises_it():
    refusal = {"Error": {"Code": "ThrottlingException", "Message": "slowly"}}
    with limited(lambda: 0.1):
        with pytest.raises(ClientError, match="ThrottlingException"):
            end_in_time(1, (Answered(400), refusal), None, "GetItem")
        end_in_time(1, (Answered(200), {}), None, "GetItem")


def test_conflicts_are_not_tried_again_after_the_limit():
    retries = Retries(10, None, time.sleep, time.monotonic)
    assert not retries.is_over
    with limited(lambda: 0.0):
        assert retries.is_over


def test_a_deadline_keeps_time_for_the_reply():
    deadline = Deadline(LambdaContext(5000))
    with deadline.limiting():
        assert seconds_left() == pytest.approx(4.75)
    assert seconds_left() is None
    with Deadline(None).limiting():
        assert seconds_left() is None


def test_a_limit_makes_no_wait_for_a_reply_longer():
    request = SimpleNamespace(context={})
    with limited(lambda: 0.9):
        shorten(request, connect=1, read=0.1)
    assert request.context == {"read_timeout": 0.1}
