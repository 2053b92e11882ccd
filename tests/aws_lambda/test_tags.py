"""The worker of a tag index as a Lambda function."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import BoundaryIndex, DynamoBackend, MemoryBackend, Query, Tag
from dynamo_es.aws_lambda import index_tags
from dynamo_es.aws_lambda.tags import TagIndexHandler
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.exceptions import (
    ConfigurationError,
    InputError,
    InvalidStreamIdError,
    InvalidSubscriptionError,
    ThrottledError,
)
from dynamo_es.memory import MemoryStorage
from tests.aws_lambda.lambdas import Spent
from tests.boundaries.courses import CourseDefined
from tests.recording import recording

if TYPE_CHECKING:
    from collections.abc import Callable

C1 = Query(tags=[Tag("course", "c1")])


def test_a_schedule_brings_the_index_forward(backend):
    for tenant in ("", "acme"):
        of_tenant = backend.in_tenant(tenant)
        for name in ("spring", "autumn"):
            of_tenant.boundary(name).append(CourseDefined(course="c1", capacity=3))
    handler = index_tags(backend, ["spring", "autumn"])

    assert handler({"dynamo_es": "upkeep"}) == {"indexed": 2}
    assert handler({"source": "aws.events"}) == {"indexed": 0}
    assert index_tags(backend.in_tenant("acme"), ["spring"])({}) == {"indexed": 1}

    config = replace(backend.config, tag_index=True)
    with recording(backend.client) as sent:
        found = DynamoBackend(config, client=backend.client).boundary("spring").read(C1)
    assert len(found.events) == 1
    assert sent.operations[:2] == ["GetItem", "Query"]


class Slow(MemoryStorage):
    """A storage whose index takes a batch of ten events in five seconds, for ever."""

    def __init__(self, context: Spent) -> None:
        super().__init__()
        self.index_tags: Callable[..., int] = context.taking(5_000, lambda *_: 10)


def test_it_stops_in_time_and_the_next_call_begins_with_the_next_boundary():
    context = Spent(60_000)
    indexes = [BoundaryIndex(Slow(context), boundary_stream(name)) for name in ("one", "two")]
    handler = TagIndexHandler(indexes, margin=10)

    assert handler({}, context) == {"indexed": 100}
    assert context.left_ms == 10_000
    context.left_ms = 20_000
    assert handler({}, context) == {"indexed": 20}


def test_a_failure_is_counted_and_raised(monkeypatch, capsys):
    class Throttled(MemoryStorage):
        def index_tags(self, *_: object) -> int:
            raise ThrottledError("index_tags", "Throttling", "slow down")

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "tags")
    handler = TagIndexHandler([BoundaryIndex(Throttled(), boundary_stream("one"))], None)

    with pytest.raises(ThrottledError):
        handler({})
    assert json.loads(capsys.readouterr().out)["Failures"] == 1


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ("courses", InputError),
        (None, InputError),
        ([], InputError),
        ([""], InvalidStreamIdError),
        ([5], InvalidStreamIdError),
    ],
)
def test_it_is_told_the_names_of_boundaries(names, error):
    with pytest.raises(error, match=r"name|boundaries"):
        index_tags(MemoryBackend(), names)


def test_other_wrong_arguments_are_refused():
    wrong: Any = "soon"
    with pytest.raises(InvalidSubscriptionError, match="margin"):
        index_tags(MemoryBackend(), ["courses"], margin=wrong)
    with pytest.raises(ConfigurationError, match="has no task"):
        index_tags(MemoryBackend(), ["courses"])({"dynamo_es": "retry_parked"})
