"""Watches the HTTP attempts of a request, which the SDK retries silently.

A write that is refused at its second attempt may have been carried out at its first. That decides
between a conflict and an unknown outcome. The SDK also takes any reply with status 200 for a
success; here, a reply that DynamoDB did not send becomes a server error.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.wire.errors import BAD_REPLY, may_have_landed
from dynamo_es.dynamodb.wire.replies import flaw_of
from dynamo_es.dynamodb.wire.time_limit import end_in_time

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

_BAD_GATEWAY: Final = 502


class Attempts(threading.local):
    """The HTTP attempts of this thread's current request.

    Attributes:
        count: attempts so far.
        maybe_landed: whether DynamoDB may have carried out an attempt that failed.
        sending: whether a request of the library is on its way. Users send others with its client.
    """

    def __init__(self) -> None:
        self.count = 0
        self.maybe_landed = False
        self.sending = False

    def reset(self) -> None:
        """Begin a new request."""
        self.count = 0
        self.maybe_landed = False
        self.sending = True

    def note(
        self,
        response: tuple[Any, dict[str, Any]] | None = None,
        caught_exception: BaseException | None = None,
        operation: Any = None,
        endpoint: Any = None,
        **_: Any,
    ) -> None:
        """Record the outcome of one attempt, from botocore's ``needs-retry`` event.

        This runs before botocore decides. Botocore retries a bad reply like any failure of a
        gateway, and raises it in the end.
        """
        self.count += 1
        status = None
        if response is not None:
            http, parsed = response
            flaw = flaw_of(operation, http.status_code, http.content, parsed, endpoint.host)
            if flaw is not None:
                _make_failure(http, parsed, flaw)
            status = http.status_code
        if may_have_landed(caught_exception, status):
            self.maybe_landed = True
        end_in_time(self.count, response, caught_exception, getattr(operation, "name", ""))


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
