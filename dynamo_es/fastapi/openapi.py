"""The descriptions of an endpoint's replies for OpenAPI."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from dynamo_es.http.problems import MEDIA_TYPE

Responses: TypeAlias = dict[int | str, dict[str, Any]]

_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "default": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "expected": {"type": ["integer", "null"], "description": "The expected version."},
        "actual": {"type": ["integer", "null"], "description": "The version of the stream."},
        "limit": {"type": "integer", "description": "The most bytes that can be stored at once."},
        "errors": {
            "type": "array",
            "description": "What is wrong, and where.",
            "items": {
                "type": "object",
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        },
    },
}
_ETAG: Final = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}},
}
_RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
}
_QUERY: Final = {
    400: "A header is malformed, or the body is not JSON.",
    404: "There is nothing under this id.",
    412: "If-Match does not hold.",
    422: "The request does not match the schema of this endpoint.",
    503: "The event store does not answer in time. Try again.",
}
_COMMAND: Final = _QUERY | {
    409: "Other requests were faster. Try again.",
    412: "If-Match or If-None-Match does not hold. Nothing was stored.",
    413: "The request is too large to be stored.",
    422: "The request does not match the schema of this endpoint, or its Idempotency-Key was used "
    "with another request.",
    503: "The event store does not answer in time. Send the same request again.",
}


def query_responses(success: int = 200) -> Responses:
    """Return the ``responses`` of an endpoint that loads an aggregate.

    Args:
        success: status of its successful reply.
    """
    not_modified = {"description": "If-None-Match names the current version.", "headers": _ETAG}
    found = _problems(_QUERY)
    found[success] = {"headers": _ETAG}
    found[304] = not_modified
    return found


def command_responses(success: int = 200) -> Responses:
    """Return the ``responses`` of an endpoint that decides a command.

    Args:
        success: status of its successful reply.
    """
    found = _problems(_COMMAND)
    found[success] = {"headers": _ETAG}
    return found


def _problems(meanings: dict[int, str]) -> Responses:
    found: Responses = {}
    for status, meaning in sorted(meanings.items()):
        found[status] = {"description": meaning, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
    found[503]["headers"] = _RETRY_AFTER
    found[412]["headers"] = _ETAG
    return found
