"""Replies that a test sends in place of an engine, for cases that engines do not produce."""

from __future__ import annotations

import json
from collections import Counter

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import MockRawResponse


class Waits(list[float]):
    """A sleep that returns at once."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def answer(client, operation, *replies) -> None:
    """Reply to the next requests of an operation: with an error's code, or with a body.

    None lets the engine answer. The last reply is repeated if it is in a list of its own.
    """
    left = list(replies)

    def reply(request, **_):
        if not left:
            return None
        chosen = left[0][0] if isinstance(left[0], list) else left.pop(0)
        if chosen is None:
            return None
        failed = isinstance(chosen, str)
        body = {"__type": f"com.amazonaws#{chosen}", "message": "so"} if failed else chosen
        raw = MockRawResponse(json.dumps(body))
        headers = HTTPHeaders.from_dict({"content-type": "application/x-amz-json-1.0"})
        return AWSResponse(request.url, 400 if failed else 200, headers, raw)

    client.meta.events.register(f"before-send.dynamodb.{operation}", reply)


def requests_of(client) -> Counter[str]:
    """Count the requests that a client sends from now on."""
    sent: Counter[str] = Counter()
    client.meta.events.register(
        "before-call.dynamodb", lambda model, **_: sent.update([model.name])
    )
    return sent
