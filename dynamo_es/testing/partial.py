"""Carries out a part of a batch, as DynamoDB does when it lacks capacity for the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSRequest

from dynamo_es.dynamodb.wire.lean.connections import Signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

_THROTTLED: Final = {
    "Error": {"Code": "ThrottlingError", "Message": "injected"},
}


def carry_out_in_part(
    request: AWSPreparedRequest | Signed, send: Callable[[Any], AWSResponse]
) -> tuple[int, dict[str, Any]] | None:
    """Carry out every second part of a batch; return the reply's status and body.

    Returns:
        None if the request is not a batch that DynamoDB may carry out in part; then it is not sent.

    Args:
        request: the request.
        send: sends a request and returns its reply.
    """
    target = request.headers.get("X-Amz-Target", b"")
    operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
    if operation == "BatchExecuteStatement":
        return _some_statements(request, send)
    if operation == "BatchGetItem":
        return _some_keys(request, send)
    return None


def _some_statements(
    request: AWSPreparedRequest | Signed, send: Callable[[Any], AWSResponse]
) -> tuple[int, dict[str, Any]]:
    asked: dict[str, Any] = json.loads(request.body or b"{}")  # type: ignore[arg-type]
    statements = asked["Statements"]
    if chosen := statements[1::2]:
        status, body = _sent(request, {**asked, "Statements": chosen}, send)
        if "Responses" not in body:
            return status, body
    else:
        body = {"Responses": []}
    done = iter(body["Responses"])
    answers = [next(done) if place % 2 else _THROTTLED for place in range(len(statements))]
    return 200, {**body, "Responses": answers}


def _some_keys(
    request: AWSPreparedRequest | Signed, send: Callable[[Any], AWSResponse]
) -> tuple[int, dict[str, Any]]:
    asked: dict[str, Any] = json.loads(request.body or b"{}")  # type: ignore[arg-type]
    chosen: dict[str, Any] = {}
    left: dict[str, Any] = {}
    for table, wanted in asked["RequestItems"].items():
        if keys := wanted["Keys"][1::2]:
            chosen[table] = {**wanted, "Keys": keys}
        left[table] = {**wanted, "Keys": wanted["Keys"][::2]}
    if not chosen:
        return 200, {"Responses": {}, "UnprocessedKeys": left}
    status, body = _sent(request, {**asked, "RequestItems": chosen}, send)
    if "Responses" not in body:
        return status, body
    return 200, {**body, "UnprocessedKeys": left}


def _sent(
    request: AWSPreparedRequest | Signed,
    asked: dict[str, Any],
    send: Callable[[Any], AWSResponse],
) -> tuple[int, dict[str, Any]]:
    headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
    body = json.dumps(asked).encode()
    part: Any
    if isinstance(request, Signed):
        part = request._replace(headers=headers, body=body)
    else:
        part = AWSRequest(request.method, request.url, headers, body).prepare()
    reply = send(part)
    return reply.status_code, json.loads(reply.content)
