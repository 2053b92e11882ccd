"""Publishers for an outbox: to Amazon EventBridge, SNS and SQS.

Pass one to the outbox: ``backend.outbox.run_once(SqsPublisher(url))``. It publishes the stored
event in the shape that `dynamo_es.aws_lambda.messages` documents; this process needs no event
classes. Encrypted fields stay encrypted. `load_message` turns a message into an event again.

Each event goes out at least once: receivers recognize repetitions by ``stream`` and ``id``. On FIFO
topics and queues the event's stream (tenant, category and UUID) is the message group, so the events
of a stream stay in order, except events that failed and were tried again later.
"""

from __future__ import annotations

import re
from datetime import UTC
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

from dynamo_es.aws_lambda.messages import message_of, stored_form, text_of
from dynamo_es.contracts.stream_keys import stream_key, tenant_prefix
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.wire.client import Lazy, client_config, region_of
from dynamo_es.exceptions import ConfigurationError, PublishingError
from dynamo_es.values import RecordedRaw

if TYPE_CHECKING:
    from dynamo_es.event_store.wrapped import Recorded

MAX_BYTES: Final = 1024 * 1024
"""Most bytes of one event on a queue or a bus: the message and its attributes."""
MAX_TOPIC_BYTES: Final = 256 * 1024
"""Most bytes of one event on a topic."""

_MAX_GROUP_CHARACTERS: Final = 128
_NO_GROUP: Final = re.compile(r"[^!-~]")
"""Characters that a FIFO queue or topic refuses in a message group."""
_NO_ATTRIBUTE: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that queues and topics refuse in a message attribute."""

_TIME_BYTES: Final = 14
"""Bytes that EventBridge counts for the time of an event."""

_DEFAULT: Final = DynamoConfig(events_table="-", log_table="-", keys_table="-")


class _Publisher:
    """Sends messages with a client that the first message creates."""

    service: str
    max_bytes = MAX_BYTES
    as_stored: Literal[True] = True
    """Makes the outbox pass stored events."""

    def __init__(self, client: Any, config: DynamoConfig | None) -> None:
        self._client: Lazy[Any] = Lazy(lambda: _connect(self.service, config or _DEFAULT), client)

    def __call__(self, event: RecordedRaw | Recorded) -> None:
        """Publish an event.

        Args:
            event: from the outbox. A loaded event is published in the form in which an append would
                store it now, and cannot have encrypted fields.

        Raises:
            PublishingError: an event that is too large for the service, that the service
                refused, or whose encrypted fields are in clear.
            botocore.exceptions.ClientError: the service refused the call.
        """
        record = event if isinstance(event, RecordedRaw) else stored_form(event)
        text = text_of(message_of(record))
        params = self._params(record, text)
        size = len(text.encode()) + self._size_beside(params)
        if size > self.max_bytes:
            raise PublishingError(
                f"The message of event {record.entry.uuid} takes {size:,} bytes, and "
                f"{self.service} accepts {self.max_bytes:,}: write a publisher that sends a "
                "reference instead, or keep the event out of the outbox."
            )
        self._send(params)

    def _params(self, record: RecordedRaw, text: str) -> dict[str, Any]:
        """Return the arguments of the client's call."""
        raise NotImplementedError

    def _size_beside(self, params: dict[str, Any]) -> int:
        """Return the bytes that the service counts for the attributes."""
        return sum(
            _size(name) + _size(attribute["DataType"]) + _size(attribute["StringValue"])
            for name, attribute in params["MessageAttributes"].items()
        )

    def _send(self, params: dict[str, Any]) -> None:
        raise NotImplementedError


class EventBridgePublisher(_Publisher):
    """Puts events on an EventBridge bus: the detail type is the event's name.

    The resource is the key of the event's stream, ``{tenant}#{category}#{uuid}``, with ``#`` and
    ``%`` of tenant and category percent-encoded.

    Args:
        bus: name or ARN of the event bus.
        source: source of the events, such as ``shop.orders``; must not begin with ``aws.``.
        client: a boto3 client for ``events``; None: the first event creates one.
        config: region, time-outs and attempts of that client.

    Raises:
        ConfigurationError: an empty source, or one that begins with ``aws.``.
    """

    service = "events"

    def __init__(
        self, bus: str, source: str, *, client: Any = None, config: DynamoConfig | None = None
    ) -> None:
        if not source or source.startswith("aws."):
            raise ConfigurationError(
                f"source must be the name of your application and not begin with 'aws.', "
                f"not {source!r}."
            )
        super().__init__(client, config)
        self._bus = bus
        self._source = source

    def _params(self, record: RecordedRaw, text: str) -> dict[str, Any]:
        at = record.entry.created_at
        return {
            "EventBusName": self._bus,
            "Source": self._source,
            "DetailType": record.entry.name,
            "Detail": text,
            "Resources": [_stream_of(record)],
            # boto3 reads a time without a zone as local time.
            "Time": at if at.tzinfo is not None else at.replace(tzinfo=UTC),
        }

    def _size_beside(self, params: dict[str, Any]) -> int:
        counted = (params["Source"], params["DetailType"], *params["Resources"])
        return _TIME_BYTES + sum(map(_size, counted))

    def _send(self, params: dict[str, Any]) -> None:
        answer = self._client().put_events(Entries=[params])
        if answer.get("FailedEntryCount"):
            entry = answer["Entries"][0]
            raise PublishingError(
                f"EventBridge refused an event named {params['DetailType']!r}: "
                f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
            )


class SnsPublisher(_Publisher):
    """Publishes events to an SNS topic, with the attributes name, category and tenant for filters.

    Args:
        topic_arn: ARN of the topic; FIFO if it ends in ``.fifo``.
        client: a boto3 client for ``sns``; None: the first event creates one.
        config: region, time-outs and attempts of that client.
    """

    service = "sns"
    max_bytes = MAX_TOPIC_BYTES

    def __init__(
        self, topic_arn: str, *, client: Any = None, config: DynamoConfig | None = None
    ) -> None:
        super().__init__(client, config)
        self._topic_arn = topic_arn

    def _params(self, record: RecordedRaw, text: str) -> dict[str, Any]:
        return {
            "TopicArn": self._topic_arn,
            "Message": text,
            "MessageAttributes": _attributes(record),
            **_in_order(self._topic_arn, record),
        }

    def _send(self, params: dict[str, Any]) -> None:
        self._client().publish(**params)


class SqsPublisher(_Publisher):
    """Sends events to an SQS queue, with the attributes name, category and tenant.

    Args:
        queue_url: URL of the queue; FIFO if it ends in ``.fifo``.
        client: a boto3 client for ``sqs``; None: the first event creates one.
        config: region, time-outs and attempts of that client.
    """

    service = "sqs"

    def __init__(
        self, queue_url: str, *, client: Any = None, config: DynamoConfig | None = None
    ) -> None:
        super().__init__(client, config)
        self._queue_url = queue_url

    def _params(self, record: RecordedRaw, text: str) -> dict[str, Any]:
        return {
            "QueueUrl": self._queue_url,
            "MessageBody": text,
            "MessageAttributes": _attributes(record),
            **_in_order(self._queue_url, record),
        }

    def _send(self, params: dict[str, Any]) -> None:
        self._client().send_message(**params)


def publisher_for(arn: str, *, source: str, config: DynamoConfig | None = None) -> _Publisher:
    """Return a publisher to a bus, a topic or a queue.

    Args:
        arn: ARN of the bus, topic or queue.
        source: source of the events on a bus.
        config: region, time-outs and attempts of the client.

    Raises:
        ConfigurationError: the ARN of something else, or not an ARN.
    """
    parts = arn.split(":", 5)
    service = parts[2] if len(parts) == 6 else ""  # noqa: PLR2004 - an ARN has six parts
    if service == "events":
        return EventBridgePublisher(arn, source, config=config)
    if service == "sns":
        return SnsPublisher(arn, config=config)
    if service == "sqs":
        _, partition, _, region, account, queue = parts
        domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        return SqsPublisher(f"https://sqs.{region}.{domain}/{account}/{queue}", config=config)
    raise ConfigurationError(
        f"The target must be the ARN of an event bus, a topic or a queue, not {arn!r}."
    )


def _stream_of(record: RecordedRaw) -> str:
    return stream_key(tenant_prefix(record.tenant_id), record.entry.stream_id)


def _attributes(record: RecordedRaw) -> dict[str, Any]:
    values = {
        "name": record.entry.name,
        "category": record.entry.stream_id.category,
        "tenant": record.tenant_id,
    }
    # Services refuse empty attributes and control characters. The message has all values.
    return {
        name: {"DataType": "String", "StringValue": value}
        for name, value in values.items()
        if value and not _NO_ATTRIBUTE.search(value)
    }


def _in_order(target: str, record: RecordedRaw) -> dict[str, Any]:
    if not target.endswith(".fifo"):
        return {}
    stream = group = _stream_of(record)
    if len(group) > _MAX_GROUP_CHARACTERS or _NO_GROUP.search(group):
        group = sha256(stream.encode()).hexdigest()
    # The UUID alone is not enough: an application may append one event to two streams.
    place = f"{stream}|{record.generation}|{record.entry.version}|{record.position}"
    return {
        "MessageGroupId": group,
        "MessageDeduplicationId": f"{record.entry.uuid}-{sha256(place.encode()).hexdigest()[:32]}",
    }


def _size(text: str) -> int:
    return len(text.encode())


def _connect(service: str, config: DynamoConfig) -> Any:
    from boto3.session import Session

    session = Session(profile_name=config.profile)
    return session.client(
        service,  # type: ignore[call-overload]
        region_name=region_of(config, session),
        config=client_config(config),
    )
