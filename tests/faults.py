"""Injects faults of the network and the server below the SDK.

The code under test does not change. A wrapper around the client's HTTP session lets each request
through, loses it, loses its reply, and so on. The SDK's retries see what they would see on AWS.
"""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_dynamodb import DynamoDBClient


class Fault(StrEnum):
    """What may happen to one HTTP request."""

    LOST_REQUEST = "lost request"
    """It never arrives; the client waits in vain."""
    LOST_REPLY = "lost reply"
    """It is carried out; the client waits in vain."""
    ERROR_AFTER_WRITE = "error after the write"
    """It is carried out; the reply is an internal error."""
    THROTTLED = "throttled"
    """It is refused for lack of capacity."""
    DELIVERED_TWICE = "delivered twice"
    """It arrives twice; the client gets the second reply."""
    LATE = "late"
    """The client gives up on it, and goes on; it arrives when the operation is over."""
    CUT_WHILE_READING = "cut while reading"
    """It is carried out; the connection breaks in the middle of the reply."""
    PAST_THE_DEADLINE = "past the deadline"
    """It is carried out; the reply comes when the operation's deadline is over."""


class Network:
    """What stands between a client and DynamoDB.

    Args:
        client: the client whose requests it carries.

    Attributes:
        sent: HTTP requests seen since the last `plan`.
        late: requests that have not arrived yet.
        now: seconds of the injected clock.
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self._endpoint = client._endpoint  # type: ignore[attr-defined]
        self._session = self._endpoint.http_session
        self._choose: Callable[[int], Fault | None] = lambda _: None
        self.sent = 0
        self.late: list[AWSPreparedRequest] = []
        self.now = 0.0

    def plan(self, choose: Callable[[int], Fault | None]) -> None:
        """Begin anew: ``choose`` says what happens to the n-th HTTP request, from 0."""
        self.sent = 0
        self._choose = choose

    def monotonic(self) -> float:
        """The clock of the operations' deadlines."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait, on that clock only."""
        self.now += seconds

    def deliver_late(self) -> None:
        """Let the late requests arrive."""
        late, self.late = self.late, []
        for request in late:
            self._session.send(request)

    @contextmanager
    def between(self) -> Iterator[None]:
        """Stand between the client and DynamoDB for as long as the context lasts."""
        self._endpoint.http_session = self
        try:
            with patch("botocore.endpoint.time.sleep", self.sleep):
                yield
        finally:
            self._endpoint.http_session = self._session

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Carry a request as planned; what botocore calls in the place of its session."""
        fault = self._choose(self.sent)
        self.sent += 1
        if fault is Fault.THROTTLED:
            return _reply(request, 400, "ProvisionedThroughputExceededException")
        if fault is Fault.LATE:
            self.late.append(request)
            raise ReadTimeoutError(endpoint_url=request.url)
        if fault is Fault.LOST_REQUEST:
            raise ReadTimeoutError(endpoint_url=request.url)
        reply: AWSResponse = self._session.send(request)
        if fault is Fault.LOST_REPLY:
            raise ReadTimeoutError(endpoint_url=request.url)
        if fault is Fault.CUT_WHILE_READING:
            raise ConnectionClosedError(endpoint_url=request.url)
        if fault is Fault.ERROR_AFTER_WRITE:
            return _reply(request, 500, "InternalServerError")
        if fault is Fault.DELIVERED_TWICE:
            return self._session.send(request)
        if fault is Fault.PAST_THE_DEADLINE:
            self.now += 3600
        return reply


def _reply(request: AWSPreparedRequest, status: int, code: str) -> AWSResponse:
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"})
    headers = HTTPHeaders.from_dict(
        {"content-type": "application/x-amz-json-1.0", "content-length": str(len(body))}
    )
    return AWSResponse(request.url, status, headers, _Raw(body.encode()))


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        while chunk := self.read():
            yield chunk
