"""One call by botocore and by the lean transport, over the same scripted connections."""

from __future__ import annotations

import io
import json
import random
from binascii import crc32
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import BotoCoreError, ClientError

from dynamo_es import DynamoConfig
from dynamo_es.dynamodb.emulator.emulator import isolated_session
from dynamo_es.dynamodb.wire.attempts.watching import attempts, watch
from dynamo_es.dynamodb.wire.client import client_config
from dynamo_es.dynamodb.wire.lean.client import LeanClient
from dynamo_es.dynamodb.wire.lean.terms import Credentials, Terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENDPOINT: Final = "https://dynamodb.eu-central-1.amazonaws.com"
CREDENTIALS: Final = Credentials(
    "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a+tok/en"
)
CONFIG: Final = DynamoConfig(
    events_table="events", log_table="log", keys_table="keys", region="eu-central-1"
)
TERMS: Final = Terms(ENDPOINT, "eu-central-1", CREDENTIALS)


def answer(
    body: bytes | Mapping[str, Any], status: int = 200, **headers: str | None
) -> tuple[int, dict[str, str], bytes]:
    """Return a reply as DynamoDB sends it; a header that is None is left out."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    said: dict[str, str | None] = {
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Length": str(len(content)),
        "x-amzn-RequestId": "ABCDEF",
        "x-amz-crc32": str(crc32(content)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return status, {name: value for name, value in said.items() if value is not None}, content


def failure(code: str, status: int = 400, **members: Any) -> tuple[int, dict[str, str], bytes]:
    """Return an error of DynamoDB."""
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    return answer({"__type": kind, "message": "It is so.", **members}, status)


class Scripted:
    """Stands in for the connections: gives one reply, or failure, after the other."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.sent: list[Any] = []

    def send(self, request: Any) -> AWSResponse:
        self.sent.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, BaseException):
            raise reply
        status, headers, content = reply
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), _Raw(content))

    def close(self) -> None:
        """Do nothing."""


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        while chunk := self.read():
            yield chunk


def of_botocore(connections: Any, config: DynamoConfig = CONFIG) -> Any:
    """Return a client of botocore over these connections; None: over its own."""
    region = config.region or ""
    key, secret, token = CREDENTIALS
    session = isolated_session(key, secret, region, token)  # makes clients fast
    client: Any = session.client(
        "dynamodb", endpoint_url=config.endpoint_url, config=client_config(config)
    )
    if connections is not None:
        client._endpoint.http_session = connections
    watch(client)
    return client


def of_lean(connections: Any, config: DynamoConfig = CONFIG) -> Any:
    """Return a lean client over these connections."""
    client = LeanClient(TERMS, config, connections)
    watch(client)  # type: ignore[arg-type]
    return client


def outcome(client: Any, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return all that a caller can tell of a call."""
    waits: list[float] = []
    attempts.reset()
    told: dict[str, Any] = {}
    random.seed(1)  # the waits are drawn
    with patch("time.sleep", waits.append):
        try:
            told["returned"] = getattr(client, operation)(**params)
        except ClientError as error:
            told["raised"], told["response"] = "ClientError", error.response
            told["operation"] = error.operation_name
        except BotoCoreError as error:
            told["raised"], told["text"] = type(error).__name__, str(error)
    told["waits"] = waits
    told["attempts"] = attempts.count, attempts.maybe_landed
    return told
