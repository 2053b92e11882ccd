"""A write that DynamoDB carries out, and whose reply never arrives."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from dynamo_es.values import ExplicitVersioning, RawEvent, StreamId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.cli.story.stage import Stage


@dataclass(frozen=True, slots=True)
class LostReply:
    """An append whose first reply was lost.

    Attributes:
        lost: HTTP statuses of the replies lost on the way; 200: the event was stored by then.
        requests: API calls of the append, as the store reports them.
        attempts: HTTP attempts behind them, likewise.
        stored: events in the stream afterwards; it was new.
        error: what the append ended with; None on success.
    """

    lost: list[int]
    requests: int
    attempts: int
    stored: int
    error: str | None


def lose_a_reply(stage: Stage) -> LostReply:
    """Append an event to a new stream while the first reply is lost."""
    stream_id = StreamId(category="order")
    event = RawEvent(
        uuid=uuid4(),
        stream_id=stream_id,
        created_at=datetime.now(UTC),
        name="OrderPlaced",
        data={"total": 1200},
        context={},
    )
    storage = stage.backend.storage
    with _first_reply_lost(stage.backend.client) as lost:
        storage.insert_events(stream_id, ExplicitVersioning(0), [event])
    report = stage.meter.last
    stored = storage.fetch_events(stream_id, start=1)
    return LostReply(
        lost=lost,
        requests=report.requests,
        attempts=report.attempts,
        stored=len(stored),
        error=None if report.error is None else str(report.error),
    )


@contextmanager
def _first_reply_lost(client: DynamoDBClient) -> Iterator[list[int]]:
    """Have the first PutItem carried out and its reply thrown away, as a broken network does.

    Yields:
        The HTTP statuses of the replies that were lost, as they get lost.
    """
    from botocore.exceptions import ReadTimeoutError

    lost: list[int] = []

    def lose(request: AWSPreparedRequest, **_: object) -> None:
        if lost:
            return
        # What the SDK would do next, had this handler not been called first.
        reply = client._endpoint.http_session.send(request)  # type: ignore[attr-defined]  # noqa: SLF001 - it has no public name
        lost.append(reply.status_code)
        raise ReadTimeoutError(endpoint_url=request.url)

    hooks = client.meta.events
    hooks.register_first("before-send.dynamodb.PutItem", lose)
    try:
        yield lost
    finally:
        hooks.unregister("before-send.dynamodb.PutItem", lose)
