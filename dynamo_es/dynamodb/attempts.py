"""What became of each HTTP attempt of a request: the SDK retries, and keeps that to itself.

A write refused at its second attempt may have been carried out at its first. Whether that is
possible decides between a conflict and an outcome that is not known.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from dynamo_es.dynamodb.errors import may_have_landed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Attempts(threading.local):
    """The attempts of this thread's current request.

    Attributes:
        count: HTTP attempts so far.
        maybe_landed: whether one of them failed in a way that leaves open whether
            DynamoDB carried it out.
    """

    def __init__(self) -> None:
        self.count = 0
        self.maybe_landed = False

    def reset(self) -> None:
        """Begin a new request."""
        self.count = 0
        self.maybe_landed = False

    def note(
        self,
        response: tuple[Any, Any] | None = None,
        caught_exception: BaseException | None = None,
        **_: Any,
    ) -> None:
        """Take one attempt's outcome from botocore's ``needs-retry`` event."""
        self.count += 1
        status = None if response is None else getattr(response[0], "status_code", None)
        if may_have_landed(caught_exception, status):
            self.maybe_landed = True


attempts = Attempts()


def watch(client: DynamoDBClient) -> None:
    """Note the attempts of every request of a client; watching it again changes nothing."""
    client.meta.events.register(
        "needs-retry.dynamodb", attempts.note, unique_id="dynamo-es-attempts"
    )
