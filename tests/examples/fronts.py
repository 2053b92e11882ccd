"""The two fronts of the example, behind one function that sends a request."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Answer:
    """A reply, of either front."""

    status: int
    headers: dict[str, str]
    body: Any


def of_web(client: Any) -> Callable[..., Answer]:
    """Return a function that sends a request to the ASGI application."""

    def send(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        named = {"content-type": "application/json", **headers}
        reply = client.request(method, path, content=body, headers=named)
        content = json.loads(reply.content) if reply.content else None
        return Answer(reply.status_code, dict(reply.headers), content)

    return send


def of_lambda(application: Any) -> Callable[..., Answer]:
    """Return a function that sends a request to the Lambda functions, as API Gateway does."""

    def send(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        _, account, *command = (unquote(part) for part in path.strip("/").split("/"))
        parameters = {"account": account} | ({"command": command[0]} if command else {})
        claims = {"tenant": headers["x-tenant"]} if "x-tenant" in headers else {}
        request = {
            "version": "2.0",
            "pathParameters": parameters,
            "headers": {"content-type": "application/json", **headers},
            "requestContext": {"authorizer": {"jwt": {"claims": claims}}},
            **_encoded(body),
        }
        handler = application.query_handler if method == "GET" else application.command_handler
        reply = handler(request)
        content = json.loads(reply["body"]) if reply["body"] else None
        lower = {name.lower(): value for name, value in reply["headers"].items()}
        return Answer(reply["statusCode"], lower, content)

    return send


def _encoded(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": b64encode(body).decode(), "isBase64Encoded": True}
