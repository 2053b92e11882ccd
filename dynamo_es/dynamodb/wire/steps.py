"""The steps of an algorithm: it yields requests and pauses, and a driver carries them out.

An algorithm is a generator that yields a `Request` and receives the reply. The blocking gateway can
drive it, and so can a step machine in a test or an asyncio client. Requests that may run at once
are yielded as one `Together`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast

Item: TypeAlias = dict[str, Any]
"""An item in DynamoDB's wire format: ``{"version": {"N": "1"}, …}``."""

Response: TypeAlias = dict[str, Any]

_TABLE_OF_STATEMENT: Final = re.compile(r'\b(?:INTO|UPDATE|FROM)\s+"([^"]+)"')


class Request(NamedTuple):
    """One call of the DynamoDB API.

    Attributes:
        operation: the client's method, such as ``put_item``.
        params: its keyword arguments.
    """

    operation: str
    params: dict[str, Any]

    @property
    def api_name(self) -> str:
        """Name of the API operation, such as ``PutItem``."""
        return "".join(word.capitalize() for word in self.operation.split("_"))

    @property
    def tables(self) -> list[str]:
        """Names of the tables that the request reads or writes, each once."""
        params = self.params
        if "TransactItems" in params:
            writes = [write for entry in params["TransactItems"] for write in entry.values()]
            return list(dict.fromkeys(str(write.get("TableName", "")) for write in writes))
        if "RequestItems" in params:
            return list(params["RequestItems"])
        if "Statements" in params:
            found = [_TABLE_OF_STATEMENT.search(each["Statement"]) for each in params["Statements"]]
            return list(dict.fromkeys(match[1] for match in found if match))
        return [str(params["TableName"])] if "TableName" in params else []


class Pause(NamedTuple):
    """A wait before the next try; the driver has the clock and the deadline.

    Attributes:
        attempt: number of tries so far, 1 or more.
        throttled: True if DynamoDB left a part of the request undone; False if another writer
            was faster.
        within: the wait takes a random time up to this many seconds; None: the time grows with the
            tries.
    """

    attempt: int
    throttled: bool = False
    within: float | None = None


class Together(NamedTuple):
    """Requests that may run at once, in any order. `together` yields it.

    Attributes:
        requests: the requests. None may depend on another's effect.
    """

    requests: tuple[Request, ...]


T = TypeVar("T")
Steps: TypeAlias = Generator["Request | Pause | Together", Response, T]
"""An algorithm: yields requests, receives responses, returns its result."""


def together(requests: Iterable[Request]) -> Steps[list[Response | Exception]]:
    """Send requests at once, and return the outcome of each, in the order of the requests.

    An outcome is the reply, or the exception that the request would have raised by itself. So a
    failed request does not hide what the others have done.
    """
    asked = tuple(requests)
    if not asked:
        return []
    # The driver sends a list instead of one reply.
    return cast("list[Response | Exception]", (yield Together(asked)))


def number(value: int) -> dict[str, str]:
    """Return an integer in the wire format."""
    return {"N": str(value)}


def good(replies: Iterable[Response | Exception]) -> list[Response]:
    """Return the replies from `together`; raise the first error among them."""
    answers: list[Response] = []
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
        answers.append(reply)
    return answers
