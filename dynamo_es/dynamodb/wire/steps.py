"""What an algorithm yields: a request, or a pause. Any driver can run it.

An algorithm is a generator that yields a `Request` and is sent the reply: the blocking gateway
drives it, a step machine of a test, an asyncio client.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias, TypeVar

Item: TypeAlias = dict[str, Any]
"""An item in DynamoDB's wire format: ``{"version": {"N": "1"}, …}``."""

Response: TypeAlias = dict[str, Any]


class Request(NamedTuple):
    """One call of the DynamoDB API.

    Attributes:
        operation: the client's method, such as ``put_item``.
        params: its keyword arguments.
    """

    operation: str
    params: dict[str, Any]


class Pause(NamedTuple):
    """A wait before the next try: the driver owns the clock and the deadline.

    Attributes:
        attempt: how many tries there were so far, 1 or more.
        throttled: whether DynamoDB left a part of the request undone; else a race was lost.
    """

    attempt: int
    throttled: bool = False


T = TypeVar("T")
Steps: TypeAlias = Generator["Request | Pause", Response, T]
"""An algorithm: yields requests, is sent responses, returns its result."""


def number(value: int) -> dict[str, str]:
    """Return an integer in the wire format."""
    return {"N": str(value)}
