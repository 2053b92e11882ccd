"""For Powertools for AWS Lambda: takes records from its batch processor, data classes and models.

This module does not import Powertools. It recognizes Powertools' records by their shape. ::

    processor = BatchProcessor(event_type=EventType.DynamoDBStreams)

    @project_streams(backend, "balances", category="account", events=[Deposited])
    def apply(recorded: Recorded) -> None: ...

    def handler(event, context):
        return process_partial_response(event, record_handler(apply), processor, context)

`EmfMetrics` writes metrics under the service and namespace that Powertools uses.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from dynamo_es.aws_lambda.failures import RecordNotDoneError
from dynamo_es.aws_lambda.records import decode
from dynamo_es.dynamodb.log.choosing import stream_chooser
from dynamo_es.dynamodb.log.records import records_of
from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.event_store.wrapped import Recorded
    from dynamo_es.facade.backend import Backend


class _BatchHandler(Protocol):
    def __call__(self, event: Mapping[str, Any], context: Any = None, /) -> Mapping[str, Any]: ...


def events_of(backend: Backend, record: Any, *, keep_unknown: bool = False) -> list[Recorded]:
    """Return the events in one record of the events table's stream, as objects of their classes.

    Lambda may deliver a record twice or, after a failure, late. This function does not check for
    that, so your code must tolerate both; `project_streams` does it for you.

    Args:
        backend: knows the event classes; from `Backend.in_tenant`, returns only events of
            that tenant.
        record: a ``DynamoDBRecord``, a ``DynamoDBStreamRecordModel``, or a record as Lambda
            delivers it.
        keep_unknown: return an event whose name no class has as an `UnknownEvent`.

    Returns:
        The events of a commit, in the order of their versions; an empty list for any other record
        (a snapshot, a deletion). Their position is 0, because the events table does not store it.

    Raises:
        UnreadableEventError: an event that does not fit its class; also `UnknownEventError`.
        StoredItemError: an item of this library that this release cannot read.
        ConfigurationError: another kind of record, or one without a new image.
    """
    selection = backend.select()
    tenant, chooses = selection.tenant_id, stream_chooser(selection)
    decoded = decode([_as_delivered(record)])
    for error in [*decoded.damaged, *(newer.error for newer in decoded.newer)]:
        if chooses(error.stream_key):
            raise error
    return [
        replace(backend.deserialize(raw, keep_unknown=keep_unknown), position=0)
        for commit in decoded.commits
        for raw in records_of(commit.hint, commit.item, 0)
        if tenant is None or raw.tenant_id == tenant
    ]


def record_handler(handler: _BatchHandler, context: Any = None) -> Callable[[Any], None]:
    """Return the function that a Powertools batch processor calls with each record.

    Args:
        handler: made by `project_streams`, by `fan_out` of such handlers, or by `sequence_events`.
        context: Lambda's, to stop before the function's end; None: no deadline.

    The returned function raises `RecordNotDoneError` if the record must come again. The batch
    processor goes on with the records after it. A later record of the same stream makes the handler
    apply the missing events first; if that fails, the record waits too. Passing the whole batch to
    the handler takes fewer requests.
    """

    def apply(record: Any) -> None:
        left = handler({"Records": [_as_delivered(record)]}, context)["batchItemFailures"]
        if left:
            raise RecordNotDoneError(f"Record {left[0]['itemIdentifier']} waits for the next call.")

    return apply


def _as_delivered(record: Any) -> Mapping[str, Any]:
    """Return a record as Lambda delivers it."""
    if isinstance(record, dict):
        return record
    raw = getattr(record, "raw_event", None)  # Powertools' data classes keep the original here
    if isinstance(raw, dict):
        return raw
    if callable(dump := getattr(record, "model_dump", None)):
        return _encoded(dump())
    raise ConfigurationError(
        f"record must be a record of a table's stream, not {type(record).__name__}."
    )


def _encoded(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a record of Powertools' parser with its images in the wire format."""
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
    # The parser returns base64 as text. Uncompressed events are a JSON list, and begin with "[".
    if name == "events" and isinstance(value, str) and not value.startswith("["):
        return b64decode(value)
    return value
