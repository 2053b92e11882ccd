"""Publishers for an outbox: to Amazon EventBridge, SNS and SQS.

Pass one to the outbox: ``backend.outbox.run_once(SqsPublisher(url))``. It publishes the stored
event in the shape that `dynamo_es.aws_lambda.messages` documents; this process needs no event
classes. Encrypted fields stay encrypted. `load_message` turns a message back into an event.

Each event goes out at least once. Receivers recognize repetitions by ``stream`` and ``id``. On FIFO
topics and queues the event's stream (tenant, category and UUID) is the message group. So the events
of a stream stay in order, except events that failed and were tried again later.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from dynamo_es.aws_lambda.message_fields import attributes_of, in_order, size_of, stream_of
from dynamo_es.aws_lambda.messages import message_of, stored_form, text_of
from dynamo_es.dynamodb.config import DynamoConfig
from dynamo_es.dynamodb.wire.attempts.time_limit import keep_in_time
from dynamo_es.dynamodb.wire.client import Lazy, client_config, region_of
from dynamo_es.exceptions import ConfigurationError, PublishingError
from dynamo_es.values import RecordedRaw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynamo_es.event_store.wrapped import Recorded

MAX_BYTES: Final = 1024 * 1024
"""The most bytes of one event on a queue or a bus: the message and its attributes."""
MAX_TOPIC_BYTES: Final = 256 * 1024
"""The most bytes of one event on a topic: the message and its attributes."""
MAX_CALL_BYTES: Final = 256 * 1024
"""The most bytes of several events in one call. A larger event goes out alone."""

_TIME_BYTES: Final = 14
"""Bytes that EventBridge counts for the time of an event."""

_DEFAULT: Final = DynamoConfig(events_table="-", log_table="-", keys_table="-")


class _Prepared(NamedTuple):
    """A message that is ready to be sent.

    Attributes:
        place: index of the event among those to publish, from 0.
        params: arguments of the client's call, or an entry of a batch call.
        size: number of bytes that the service counts.
    """

    place: int
    params: dict[str, Any]
    size: int


def _calls(ready: list[_Prepared]) -> Iterator[list[_Prepared]]:
    """Yield the messages of each call, in order."""
    some: list[_Prepared] = []
    for one in ready:
        if some and sum(each.size for each in some) + one.size > MAX_CALL_BYTES:
            yield some
            some = []
        some.append(one)
    if some:
        yield some


class _Publisher:
    """Sends messages. The first one creates the client, unless one was given."""

    service: str
    max_bytes = MAX_BYTES
    as_stored: Literal[True] = True
    """The outbox passes stored events to publishers that have this set."""
    at_once: int = 10
    """How many events the outbox passes at once: the most that a call of the services takes."""

    def __init__(self, client: Any, config: DynamoConfig | None) -> None:
        self._client: Lazy[Any] = Lazy(lambda: _connect(self.service, config or _DEFAULT), client)

    def __call__(self, event: RecordedRaw | Recorded) -> None:
        """Publish an event.

        Args:
            event: an event from the outbox. A loaded event is published as an append would store it
                now, and cannot have encrypted fields.

        Raises:
            PublishingError: an event that is too large for the service, that the service
                refused, or whose encrypted fields are in clear text.
            botocore.exceptions.ClientError: the service refused the call.
        """
        record = event if isinstance(event, RecordedRaw) else stored_form(event)
        self._send(self._prepared(record).params)

    def prepare(self) -> None:
        """Create the client now instead of at the first event. Call this when a function starts."""
        self._client()

    def publish_all(self, records: Sequence[RecordedRaw]) -> list[Exception | None]:
        """Publish events in as few calls as their sizes allow.

        An event that the service refuses does not hold up the others in its call.

        Args:
            records: at most `at_once` events, from the outbox.

        Returns:
            For each event, in the same order: None, or the error that publishing it raised.
        """
        outcomes: list[Exception | None] = [None] * len(records)
        ready: list[_Prepared] = []
        for place, record in enumerate(records):
            try:
                ready.append(self._prepared(record, place))
            except Exception as error:  # noqa: BLE001 - the others go out
                outcomes[place] = error
        for some in _calls(ready):
            try:
                if len(some) == 1:
                    self._send(some[0].params)
                else:
                    for place, refusal in self._send_all(some):
                        outcomes[place] = refusal
            except Exception as error:  # noqa: BLE001 - other calls may succeed
                for one in some:
                    outcomes[one.place] = error
        return outcomes

    def _prepared(self, record: RecordedRaw, place: int = 0) -> _Prepared:
        text = text_of(message_of(record))
        params = self._params(record, text)
        size = len(text.encode()) + self._size_beside(params)
        if size > self.max_bytes:
            raise PublishingError(
                f"The message of event {record.entry.uuid} takes {size:,} bytes, but "
                f"{self.service} accepts at most {self.max_bytes:,}: write a publisher that sends "
                "a reference instead, or keep the event out of the outbox."
            )
        return _Prepared(place, params, size)

    def _params(self, record: RecordedRaw, text: str) -> dict[str, Any]:
        """Return the arguments of the client's call."""
        raise NotImplementedError

    def _size_beside(self, params: dict[str, Any]) -> int:
        """Return the bytes that the service counts for the attributes."""
        return sum(
            size_of(name) + size_of(attribute["DataType"]) + size_of(attribute["StringValue"])
            for name, attribute in params["MessageAttributes"].items()
        )

    def _send(self, params: dict[str, Any]) -> None:
        raise NotImplementedError

    def _send_all(self, some: list[_Prepared]) -> Iterator[tuple[int, PublishingError]]:
        """Send messages in one call; yield the place and the error of each refused one."""
        raise NotImplementedError

    def _refused(self, answer: Any) -> Iterator[tuple[int, PublishingError]]:
        """Yield the place and the error of each refused entry. An entry's id is its place."""
        for failed in answer.get("Failed", ()):
            yield (
                int(failed["Id"]),
                PublishingError(
                    f"{self.service} refused a message: {failed.get('Code')}: "
                    f"{failed.get('Message')}"
                ),
            )


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
                "source must be the name of your application, and must not begin with 'aws.'; "
                f"got {source!r}."
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
            "Resources": [stream_of(record)],
            # boto3 reads a time without a zone as local time.
            "Time": at if at.tzinfo is not None else at.replace(tzinfo=UTC),
        }

    def _size_beside(self, params: dict[str, Any]) -> int:
        counted = (params["Source"], params["DetailType"], *params["Resources"])
        return _TIME_BYTES + sum(map(size_of, counted))

    def _send(self, params: dict[str, Any]) -> None:
        for _, refusal in self._send_all([_Prepared(0, params, 0)]):
            raise refusal

    def _send_all(self, some: list[_Prepared]) -> Iterator[tuple[int, PublishingError]]:
        answer = self._client().put_events(Entries=[one.params for one in some])
        if not answer.get("FailedEntryCount"):
            return
        for one, entry in zip(some, answer["Entries"], strict=True):
            if entry.get("ErrorCode"):
                yield (
                    one.place,
                    PublishingError(
                        f"EventBridge refused an event named {one.params['DetailType']!r}: "
                        f"{entry['ErrorCode']}: {entry.get('ErrorMessage')}"
                    ),
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
            "Message": text,
            "MessageAttributes": attributes_of(record),
            **in_order(self._topic_arn, record),
        }

    def _send(self, params: dict[str, Any]) -> None:
        self._client().publish(TopicArn=self._topic_arn, **params)

    def _send_all(self, some: list[_Prepared]) -> Iterator[tuple[int, PublishingError]]:
        entries = [{"Id": str(one.place), **one.params} for one in some]
        answer = self._client().publish_batch(
            TopicArn=self._topic_arn, PublishBatchRequestEntries=entries
        )
        return self._refused(answer)


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
            "MessageBody": text,
            "MessageAttributes": attributes_of(record),
            **in_order(self._queue_url, record),
        }

    def _send(self, params: dict[str, Any]) -> None:
        self._client().send_message(QueueUrl=self._queue_url, **params)

    def _send_all(self, some: list[_Prepared]) -> Iterator[tuple[int, PublishingError]]:
        entries = [{"Id": str(one.place), **one.params} for one in some]
        answer = self._client().send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        return self._refused(answer)


def publisher_for(arn: str, *, source: str, config: DynamoConfig | None = None) -> _Publisher:
    """Return a publisher to a bus, a topic or a queue.

    Args:
        arn: ARN of the bus, topic or queue.
        source: source of the events on a bus.
        config: region, time-outs and attempts of the client.

    Raises:
        ConfigurationError: not an ARN, or not that of a bus, a topic or a queue.
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


def _connect(service: str, config: DynamoConfig) -> Any:
    from boto3.session import Session

    session = Session(profile_name=config.profile)
    client = session.client(
        service,  # type: ignore[call-overload]
        region_name=region_of(config, session),
        config=client_config(config),
    )
    keep_in_time(client)
    return client
