"""Injects faults of the network and the server below the SDK.

The code under test does not change. The `Network` is between the connections of the default
transport and their sockets, or replaces botocore's connections. It lets each request through, loses
it, loses its reply, and so on. The SDK's retries see the same as on AWS.

`faulty` gives you a backend on such a network. Use `Network` itself in tests that plan each fault.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from dynamo_es.dynamodb.wire.boto.sending import sender_of
from dynamo_es.testing.partial import carry_out_in_part
from dynamo_es.testing.sockets import Below, put_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from random import Random

    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_dynamodb import DynamoDBClient


_ARRIVAL: Final = 0.2
"""The probability that a late request arrives before the next one."""


class Fault(StrEnum):
    """A fault that one HTTP request can meet."""

    LOST_REQUEST = "lost request"
    """It never arrives, and the client gets no reply."""
    LOST_REPLY = "lost reply"
    """It is carried out, but the client gets no reply."""
    ERROR_AFTER_WRITE = "error after the write"
    """It is carried out; the reply is an internal error."""
    THROTTLED = "throttled"
    """It is refused for lack of capacity."""
    DELIVERED_TWICE = "delivered twice"
    """It arrives twice; the client gets the second reply."""
    LATE = "late"
    """The client gives up on it and continues. It arrives when the operation is over."""
    CUT_WHILE_READING = "cut while reading"
    """It is carried out; the connection breaks in the middle of the reply."""
    PAST_THE_DEADLINE = "past the deadline"
    """It is carried out; the reply comes after the operation's deadline."""
    PARTLY_THROTTLED = "partly throttled"
    """Every second part of a batch is carried out, the others lack capacity. Only for batches."""


class Network:
    """A network between a client and DynamoDB. Threads may send requests at once.

    Args:
        client: the client whose requests it carries.

    Attributes:
        client: the client.
        sent: number of HTTP requests since the last `plan`.
        directly: how many of them came from connections of the default transport.
        injected: how often each fault happened.
        late: requests that have not arrived yet.
        now: seconds of the injected clock.
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        # There is no public access to the layer below the SDK's retries.
        self._endpoint: Any = client._endpoint  # type: ignore[attr-defined]  # noqa: SLF001
        self._ordinary = self._session = self._endpoint.http_session
        self._sender = sender_of(client)
        if self._sender is not None:
            self._session = Below(self._ordinary)
        self._choose: Callable[[int], Fault | None] = lambda _: None
        self.sent = self.directly = 0
        self.injected: Counter[Fault] = Counter()
        self.late: list[AWSPreparedRequest] = []
        self.now = 0.0
        self._counting = Lock()

    def plan(self, choose: Callable[[int], Fault | None]) -> None:
        """Start over with a new plan. ``choose`` returns the fault of the n-th request, 0-based."""
        self.sent = self.directly = 0
        self._choose = choose

    def heal(self) -> None:
        """End the faults, and let the late requests arrive."""
        self._choose = lambda _: None
        self.deliver_late()

    def monotonic(self) -> float:
        """Return the time of the clock for the operations' deadlines, in seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait, but only on the network's clock."""
        self.now += seconds

    def deliver_late(self) -> None:
        """Let the late requests arrive."""
        late, self.late = self.late, []
        for request in late:
            self._session.send(request)

    @contextmanager
    def between(self) -> Iterator[None]:
        """Carry the client's requests until the end of the context."""
        leave = self._stand_between()
        try:
            with patch("botocore.endpoint.time.sleep", self.sleep):
                yield
        finally:
            leave()

    def _stand_between(self) -> Callable[[], None]:
        """Start to carry the client's requests; return a function that ends it."""
        self._endpoint.http_session = self
        take_away = None
        if self._sender is not None:
            take_away = put_below(self._sender, self, self._session)

        def leave() -> None:
            self._endpoint.http_session = self._ordinary
            if take_away is not None:
                take_away()

        return leave

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Carry a request as planned. botocore calls this instead of its session's ``send``."""
        with self._counting:
            number = self.sent
            self.sent += 1
        # Call it without the lock, because a plan may make another thread send a request.
        fault = self._choose(number)
        if fault is not None:
            with self._counting:
                self.injected[fault] += 1
        if fault is Fault.THROTTLED:
            return _reply(request, 400, "ProvisionedThroughputExceededException")
        if fault in {Fault.LATE, Fault.LOST_REQUEST}:
            if fault is Fault.LATE:
                self.late.append(request)
            raise ReadTimeoutError(endpoint_url=request.url)
        return self._carry(request, fault)

    def send_directly(self, request: AWSPreparedRequest) -> AWSResponse:
        """Carry a request of the default transport."""
        with self._counting:
            self.directly += 1
        return self.send(request)

    def _carry(self, request: AWSPreparedRequest, fault: Fault | None) -> AWSResponse:
        """Carry a request once or twice, and return its reply unless the fault loses it."""
        if fault is Fault.PARTLY_THROTTLED:
            part = carry_out_in_part(request, self._session.send)
            if part is not None:
                return _reply_of(request, *part)
        reply: AWSResponse = self._session.send(request)
        if fault is Fault.LOST_REPLY:
            raise ReadTimeoutError(endpoint_url=request.url)
        if fault is Fault.CUT_WHILE_READING:
            raise ConnectionClosedError(endpoint_url=request.url)
        if fault is Fault.ERROR_AFTER_WRITE:
            return _reply(request, 500, "InternalServerError")
        if fault is Fault.DELIVERED_TWICE:
            second: AWSResponse = self._session.send(request)
            return second
        if fault is Fault.PAST_THE_DEADLINE:
            self.now += 3600
        return reply


class RandomNetwork(Network):
    """A network with random faults. Late requests arrive before a later one of the same client.

    Safe for requests of several threads.

    Args:
        client: the client whose requests it carries from now on.
        random: source of the random decisions.
        rates: probability of each fault for one request; together at most 1.
    """

    def __init__(
        self, client: DynamoDBClient, random: Random, rates: Mapping[Fault, float]
    ) -> None:
        super().__init__(client)
        self._random = random
        self._rates = dict(rates)
        self._lock = Lock()
        self.plan(lambda _: self._any_fault())
        self._stand_between()

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Carry a request, and perhaps a late one before it."""
        arriving = None
        with self._lock:
            if self.late and self._random.random() < _ARRIVAL:
                arriving = self.late.pop(self._random.randrange(len(self.late)))
        if arriving is not None:
            self._session.send(arriving)
        return super().send(request)

    def close(self) -> None:
        """Close the connections. botocore calls this instead of its session's ``close``."""
        self._session.close()

    def _any_fault(self) -> Fault | None:
        with self._lock:
            place = self._random.random()
        for fault, rate in self._rates.items():
            place -= rate
            if place < 0:
                return fault
        return None


def _reply(request: AWSPreparedRequest, status: int, code: str) -> AWSResponse:
    error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"}
    return _reply_of(request, status, error)


def _reply_of(request: AWSPreparedRequest, status: int, content: Mapping[str, Any]) -> AWSResponse:
    body = json.dumps(content)
    headers = HTTPHeaders.from_dict(
        {"content-type": "application/x-amz-json-1.0", "content-length": str(len(body))}
    )
    return AWSResponse(request.url, status, headers, _Raw(body.encode()))


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        while chunk := self.read():
            yield chunk
