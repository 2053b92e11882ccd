"""Records replies of an engine and replays them, so that only the client is timed."""

from __future__ import annotations

import io
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.awsrequest import AWSResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient


class Reply(NamedTuple):
    """One HTTP reply."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@contextmanager
def recorded(client: DynamoDBClient) -> Iterator[list[Reply]]:
    """Record the replies that a client gets within the context; yield the growing list."""
    replies: list[Reply] = []

    def note(response_dict: dict[str, Any] | None, **_: Any) -> None:
        if response_dict is not None:
            replies.append(
                Reply(
                    response_dict["status_code"],
                    dict(response_dict["headers"]),
                    response_dict["body"],
                )
            )

    client.meta.events.register("response-received.dynamodb", note)
    try:
        yield replies
    finally:
        client.meta.events.unregister("response-received.dynamodb", note)


def replay(client: DynamoDBClient, replies: Sequence[Reply]) -> None:
    """Answer each request of a client with the next reply, and begin again after the last."""
    following = cycle(replies)

    def answer(request: Any, **_: Any) -> AWSResponse:
        status, headers, body = next(following)
        return AWSResponse(request.url, status, headers, _Raw(body))  # type: ignore[arg-type]

    # If a handler returns a reply, botocore sends no request; the stubs do not know this.
    client.meta.events.register("before-send.dynamodb", answer)  # type: ignore[arg-type]


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
