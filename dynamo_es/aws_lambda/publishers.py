"""Publishers for an outbox: to Amazon EventBridge, SNS and SQS.

The message is a JSON document:

.. code-block:: json

    {"id": "…", "name": "account.deposited", "data": {"amount": 5}, "context": {},
     "created_at": "2026-01-31T12:00:00+00:00", "version": 3, "position": 17, "tenant": "acme",
     "stream": {"id": "…", "name": "ann", "category": "account"}}

An event goes out at least once: receivers tell repetitions by ``id``. To FIFO topics and queues it
is sent with the stream as its group and its id for deduplication: those of a stream stay in order,
apart from what failed and was tried again later.

Fields of a typed event that are stored encrypted are in clear in the event, so they go out in
clear; events that no class is known for go out as they are stored.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.client import Lazy, client_config, region_of
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.exceptions import ConfigurationError, PublishingError

if TYPE_CHECKING:
    from dynamo_es.event_store.wrapped import Recorded

MAX_BYTES: Final = 256 * 1024
"""Of a message, for all three services."""

_DEFAULT: Final = DynamoConfig(events_table="-", log_table="-", keys_table="-")


class _Publisher:
    """Sends messages by a client that is made when the first one is sent."""

    service: str

    def __init__(self, client: Any, config: DynamoConfig | None) -> None:
        self._client: Lazy[Any] = Lazy(lambda: _connect(self.service, config or _DEFAULT), client)

    def __call__(self, recorded: Recorded) -> None:
        """Publish an event.

        Raises:
            PublishingError: it is larger than the service takes, or the service refused it.
            botocore.exceptions.ClientError: the service refused the call.
        """
        text = json.dumps(message(recorded), separators=(",", ":"), ensure_ascii=False)
        size = len(text.encode())
        if size > MAX_BYTES:
            raise PublishingError(
                f"Event {recorded.wrapped_event.uuid} makes a message of {size:,} bytes, and "
                f"{self.service} takes {MAX_BYTES:,}: publish where it is, by a publisher of your "
                "own, or keep it out of the outbox."
            )
        self._send(recorded, text)

    def _send(self, recorded: Recorded, text: str) -> None:
        raise NotImplementedError


class EventBridgePublisher(_Publisher):
    """Puts events on a bus; the detail type is the event's name, the resource its stream.

    Args:
        bus: name or ARN of the event bus.
        source: of the events, such as ``shop.orders``; not beginning with ``aws.``.
        client: a boto3 client for ``events``; None: one is made when it is first needed.
        config: region, time-outs and attempts of that one.
    """

    service = "events"

    def __init__(
        self, bus: str, source: str, *, client: Any = None, config: DynamoConfig | None = None
    ) -> None:
        if not source or source.startswith("aws."):
            raise ConfigurationError(
                f"The source of events cannot be {source!r}: give the name of your application, "
                "not beginning with 'aws.'."
            )
        super().__init__(client, config)
        self._bus = bus
        self._source = source

    def _send(self, recorded: Recorded, text: str) -> None:
        wrapped = recorded.wrapped_event
        answer = self._client().put_events(
            Entries=[
                {
                    "EventBusName": self._bus,
                    "Source": self._source,
                    "DetailType": name_of(recorded),
                    "Detail": text,
                    "Time": wrapped.created_at,
                }
            ]
        )
        if answer.get("FailedEntryCount"):
            entry = answer["Entries"][0]
            raise PublishingError(
                f"EventBridge refused event {wrapped.uuid}: {entry.get('ErrorCode')}: "
                f"{entry.get('ErrorMessage')}"
            )


class SnsPublisher(_Publisher):
    """Publishes events to a topic, with attributes to filter by: name, category and tenant.

    Args:
        topic_arn: of the topic; FIFO if it ends in ``.fifo``.
        client: a boto3 client for ``sns``; None: one is made when it is first needed.
        config: region, time-outs and attempts of that one.
    """

    service = "sns"

    def __init__(
        self, topic_arn: str, *, client: Any = None, config: DynamoConfig | None = None
    ) -> None:
        super().__init__(client, config)
        self._topic_arn = topic_arn

    def _send(self, recorded: Recorded, text: str) -> None:
        self._client().publish(
            TopicArn=self._topic_arn,
            Message=text,
            MessageAttributes=_attributes(recorded),
            **_in_order(self._topic_arn, recorded),
        )


class SqsPublisher(_Publisher):
    """Sends events to a queue, with attributes: name, category and tenant.

    Args:
        queue_url: of the queue; FIFO if it ends in ``.fifo``.
        client: a boto3 client for ``sqs``; None: one is made when it is first needed.
        config: region, time-outs and attempts of that one.
    """

    service = "sqs"

    def __init__(
        self, queue_url: str, *, client: Any = None, config: DynamoConfig | None = None
    ) -> None:
        super().__init__(client, config)
        self._queue_url = queue_url

    def _send(self, recorded: Recorded, text: str) -> None:
        self._client().send_message(
            QueueUrl=self._queue_url,
            MessageBody=text,
            MessageAttributes=_attributes(recorded),
            **_in_order(self._queue_url, recorded),
        )


def publisher_for(arn: str, *, source: str, config: DynamoConfig | None = None) -> _Publisher:
    """Return the publisher to a bus, a topic or a queue.

    Args:
        arn: of one of these.
        source: of events on a bus.
        config: region, time-outs and attempts of its client.

    Raises:
        ConfigurationError: it is the ARN of something else, or none at all.
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
    raise ConfigurationError(f"{arn!r} is not the ARN of an event bus, a topic or a queue.")


def message(recorded: Recorded) -> dict[str, Any]:
    """Return what is published of an event, as a JSON document."""
    from dynamo_es.event_store.wrapped import UnknownEvent

    wrapped = recorded.wrapped_event
    event = wrapped.event
    data = event.data if isinstance(event, UnknownEvent) else event.model_dump(mode="json")
    stream = recorded.stream_id
    return {
        "id": str(wrapped.uuid),
        "name": name_of(recorded),
        "data": data,
        "context": wrapped.context.model_dump(mode="json", exclude_none=True),
        "created_at": wrapped.created_at.isoformat(),
        "version": wrapped.version,
        "position": recorded.position,
        "tenant": recorded.tenant_id,
        "stream": {"id": str(stream), "name": stream.name, "category": stream.category},
    }


def name_of(recorded: Recorded) -> str:
    """Return the name under which an event is stored."""
    from dynamo_es.event_store.event import event_name
    from dynamo_es.event_store.wrapped import UnknownEvent

    event = recorded.wrapped_event.event
    if isinstance(event, UnknownEvent):
        return event.name
    return event_name(type(event))


def _attributes(recorded: Recorded) -> dict[str, Any]:
    values = {
        "name": name_of(recorded),
        "category": recorded.stream_id.category,
        "tenant": recorded.tenant_id,
    }
    # Empty ones are refused.
    return {
        name: {"DataType": "String", "StringValue": value}
        for name, value in values.items()
        if value
    }


def _in_order(target: str, recorded: Recorded) -> dict[str, Any]:
    if not target.endswith(".fifo"):
        return {}
    return {
        "MessageGroupId": str(recorded.stream_id),
        "MessageDeduplicationId": str(recorded.wrapped_event.uuid),
    }


def _connect(service: str, config: DynamoConfig) -> Any:
    from boto3.session import Session

    session = Session()
    return session.client(
        service,  # type: ignore[call-overload]
        region_name=region_of(config, session),
        config=client_config(config),
    )
