"""The two fronts of the example, behind one function that sends a request."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable


EXAMPLE: Final = Path(__file__).parents[2] / "docs" / "examples" / "accounts"


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
        is_json = "json" in reply.headers.get("content-type", "")
        content = json.loads(reply.content) if is_json else reply.text or None
        return Answer(reply.status_code, dict(reply.headers), content)

    return send


def of_lambda(application: Any) -> Callable[..., Answer]:
    """Return a function that sends a request to the Lambda functions, as API Gateway does."""

    def send(method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        request = request_of(method, path, body, headers)
        handler = application.query_handler if method == "GET" else application.command_handler
        reply = handler(request)
        is_json = "json" in reply["headers"].get("content-type", "")
        content = json.loads(reply["body"]) if is_json else reply["body"] or None
        lower = {name.lower(): value for name, value in reply["headers"].items()}
        return Answer(reply["statusCode"], lower, content)

    return send


def request_of(
    method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return a request as API Gateway sends it; the header x-tenant becomes the token's claim."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    route, parameters = f"{method} /{parts[0]}", {}
    if parts[0] == "accounts":
        route, parameters = f"{route}/{{account}}", {"account": parts[1]}
        if method == "POST":
            route, parameters["command"] = f"{route}/{{command}}", parts[2]
        elif len(parts) > 2:
            route = f"{route}/{parts[2]}"
    headers = dict(headers or {})
    claims = {"tenant": headers.pop("x-tenant")} if "x-tenant" in headers else {}
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "pathParameters": parameters,
        "headers": {"content-type": "application/json", **headers},
        "requestContext": {
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route,
            "authorizer": {"jwt": {"claims": claims}},
        },
        **_encoded(body),
    }


def _encoded(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": b64encode(body).decode(), "isBase64Encoded": True}
