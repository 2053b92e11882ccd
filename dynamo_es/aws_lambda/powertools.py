"""Together with Powertools for AWS Lambda: its batch processor, its data classes and models.

Needs nothing of it itself: what it hands over is recognised by its shape. ::

    processor = BatchProcessor(event_type=EventType.DynamoDBStreams)

    @project_streams(backend, "balances", category="account", events=[Deposited])
    def apply(recorded: Recorded) -> None: ...

    def handler(event, context):
        return process_partial_response(event, record_handler(apply), processor, context)

Metrics go by `EmfMetrics`, under the service and namespace that Powertools uses.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from dynamo_es.aws_lambda.failures import RecordNotDoneError
from dynamo_es.aws_lambda.records import decode
from dynamo_es.dynamodb.log.reader import records_of
from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.backend import Backend


class _BatchHandler(Protocol):
    def __call__(self, event: Mapping[str, Any], context: Any = None, /) -> Mapping[str, Any]: ...


def events_of(backend: Backend, record: Any, *, keep_unknown: bool = False) -> list[Recorded]:
    """Return the events in one record of the events table's stream, as objects of their classes.

    Nothing is remembered of them: who applies them has to bear that Lambda delivers a record twice,
    and, after a failure, late. `project_streams` takes care of both.

    Args:
        backend: knows the event classes; one that `in_tenant` made has no events of others.
        record: a ``DynamoDBRecord``, a ``DynamoDBStreamRecordModel``, or a record as Lambda hands
            it over.
        keep_unknown: return an event whose name no class has as an `UnknownEvent`.

    Returns:
        The events of a commit, in the order of their versions, with position 0, which that stream
        does not say; none if the record is of something else (a snapshot, a deletion).

    Raises:
        UnreadableEventError: one does not fit its class; also `UnknownEventError`.
        ConfigurationError: it is no such record, or has no new image.
    """
    tenant = backend.select().tenant_id
    return [
        replace(backend.deserialize(raw, keep_unknown=keep_unknown), position=0)
        for commit in decode([_as_delivered(record)]).commits
        for raw in records_of(commit.hint, commit.item, 0)
        if tenant is None or raw.tenant_id == tenant
    ]


def record_handler(handler: _BatchHandler, context: Any = None) -> Callable[[Any], None]:
    """Return what a Powertools batch processor calls with each record.

    Args:
        handler: made by `project_streams` or `sequence_events`.
        context: Lambda's, so that it stops before the function's end; None: it does not.

    The function returned raises `RecordNotDoneError` if the record has to come again. A batch
    processor goes on behind such a one: events that follow in its stream apply it first, or wait.
    One record at a time costs more requests than the handler with the whole batch.
    """

    def apply(record: Any) -> None:
        left = handler({"Records": [_as_delivered(record)]}, context)["batchItemFailures"]
        if left:
            raise RecordNotDoneError(f"Record {left[0]['itemIdentifier']} waits for the next call.")

    return apply


def _as_delivered(record: Any) -> Mapping[str, Any]:
    """Return a record as Lambda hands it over."""
    if isinstance(record, dict):
        return record
    raw = getattr(record, "raw_event", None)  # a data class keeps it
    if isinstance(raw, dict):
        return raw
    if callable(dump := getattr(record, "model_dump", None)):
        return _encoded(dump())
    raise ConfigurationError(f"A record of a table's stream is expected, not {record!r}.")


def _encoded(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a record of Powertools' parser, whose images it has made values of Python."""
    from boto3.dynamodb.types import TypeSerializer

    change = dict(fields["dynamodb"])
    image = change.get("NewImage")
    if isinstance(image, dict):
        change["NewImage"] = {
            name: TypeSerializer().serialize(_bytes_of(name, value))
            for name, value in image.items()
        }
    return {**fields, "dynamodb": change}


def _bytes_of(name: str, value: Any) -> Any:
    # It takes base64 for text. A commit's events are a list in JSON, which base64 never looks like.
    if name == "events" and isinstance(value, str) and not value.startswith("["):
        return b64decode(value)
    return value
