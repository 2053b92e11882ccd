"""Watches the HTTP attempts of a request, which the SDK retries silently.

A write that is refused at its second attempt may have been carried out at its first. So the number
of attempts decides between a conflict and an unknown outcome. The SDK also takes any reply with
status 200 for a success. Here, a reply that DynamoDB did not send becomes a server error.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.attempts.reply_checks import flaw_of
from dynamo_es.dynamodb.wire.attempts.time_limit import end_in_time
from dynamo_es.dynamodb.wire.errors import BAD_REPLY, may_have_landed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

_BAD_GATEWAY: Final = 502


class _Sent:
    """The HTTP attempts of one request."""

    __slots__ = ("count", "maybe_landed", "sending")

    def __init__(self) -> None:
        self.count = 0
        self.maybe_landed = False
        self.sending = False


_sent: ContextVar[_Sent] = ContextVar("dynamo_es_sent")


class Attempts:
    """The HTTP attempts of the current request of this thread or task.

    A thread that works on a request in a copy of its context counts towards the same request.
    """

    @property
    def count(self) -> int:
        """The number of attempts so far."""
        return _now().count

    @count.setter
    def count(self, count: int) -> None:
        _now().count = count

    @property
    def maybe_landed(self) -> bool:
        """Whether DynamoDB may have carried out an attempt that failed."""
        return _now().maybe_landed

    @maybe_landed.setter
    def maybe_landed(self, maybe_landed: bool) -> None:
        _now().maybe_landed = maybe_landed

    @property
    def sending(self) -> bool:
        """Whether the current request is the library's. Users send others with its client."""
        return _now().sending

    @sending.setter
    def sending(self, sending: bool) -> None:
        _now().sending = sending

    def reset(self) -> None:
        """Begin a new request."""
        sent = _Sent()
        sent.sending = True
        _sent.set(sent)

    def note(
        self,
        response: tuple[Any, dict[str, Any]] | None = None,
        caught_exception: BaseException | None = None,
        operation: Any = None,
        endpoint: Any = None,
        **_: Any,
    ) -> None:
        """Record the outcome of one attempt, from botocore's ``needs-retry`` event.

        This runs before botocore decides whether to retry. It turns a bad reply into a failure of a
        gateway, which botocore retries, and raises in the end.
        """
        sent = _now()
        sent.count += 1
        status = None
        if response is not None:
            http, parsed = response
            flaw = flaw_of(operation, http.status_code, http.content, parsed, endpoint.host)
            if flaw is not None:
                _make_failure(http, parsed, flaw)
            status = http.status_code
        if may_have_landed(caught_exception, status):
            sent.maybe_landed = True
        end_in_time(sent.count, response, caught_exception, getattr(operation, "name", ""))


def _now() -> _Sent:
    sent = _sent.get(None)
    if sent is None:
        sent = _Sent()
        _sent.set(sent)
    return sent


def _make_failure(http: Any, parsed: dict[str, Any], flaw: str) -> None:
    metadata = {**parsed.get("ResponseMetadata", {}), "HTTPStatusCode": _BAD_GATEWAY}
    message = f"The reply with status {http.status_code} did not come from DynamoDB: {flaw}."
    parsed.clear()
    parsed["Error"] = {"Code": BAD_REPLY, "Message": message}
    parsed["ResponseMetadata"] = metadata
    http.status_code = _BAD_GATEWAY


attempts = Attempts()


def watch(client: DynamoDBClient | DynamoDBStreamsClient) -> None:
    """Check and record every attempt of a client's requests; calling it again changes nothing."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(
        f"needs-retry.{service}", attempts.note, unique_id="dynamo-es-attempts"
    )
