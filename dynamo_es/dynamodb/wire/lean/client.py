"""The lean transport: sends the store's requests without botocore's session, models and hooks.

It signs as botocore does, retries by botocore's own rules, and raises botocore's errors. So the
gateway uses it like a boto3 client. `terms_of` decides when it may be used.

From the request of an algorithm to its reply::

    body_of(params) → Requests.signed(…) → Connections.send(…) → parsed(…) → LeanRetries.delay(…)

Only `Connections` does input and output.
"""

from __future__ import annotations

import platform
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from uuid import uuid4

from botocore import __version__ as botocore_version
from botocore.exceptions import ClientError

from dynamo_es.dynamodb.wire.encoding.binary import decode
from dynamo_es.dynamodb.wire.encoding.bodies import OPERATIONS, body_of
from dynamo_es.dynamodb.wire.lean.connections import Connections, Reply, Signed
from dynamo_es.dynamodb.wire.lean.retries import SERVICE, Call, Events, LeanRetries
from dynamo_es.dynamodb.wire.lean.signing import Signer
from dynamo_es.environment import FUNCTION_NAME, TRACE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamo_es.dynamodb.config import DynamoConfig
    from dynamo_es.dynamodb.wire.lean.terms import Terms

_FIRST_ERROR: Final = 300
_NOTHING: Final = b"{}"
_CONTENT_TYPE: Final = "application/x-amz-json-1.0"
_USER_AGENT: Final = (
    f"dynamo_es Botocore/{botocore_version} lang/python#{platform.python_version()}"
)


class LeanClient:
    """Has the methods of a boto3 client that the store's algorithms call. Thread-safe.

    Args:
        terms: endpoint, region and credentials.
        config: time-outs, attempts, number of connections.
        connections: sends the requests; None: new connections to the endpoint.
        otherwise: returns a boto3 client for all other operations; None: they fail.
        sleep: waits the given number of seconds; None: the thread sleeps.
    """

    def __init__(
        self,
        terms: Terms,
        config: DynamoConfig,
        connections: Connections | None = None,
        otherwise: Callable[[], Any] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._otherwise = otherwise
        self._sleep = sleep
        self.meta = SimpleNamespace(events=Events(), service_model=SERVICE)
        session = connections or Connections(terms.endpoint, config, terms.ca_bundle)
        # Named as in botocore, because fault injection uses these names to reach below the retries.
        self._endpoint = SimpleNamespace(host=terms.endpoint, http_session=session)
        self._requests = Requests(terms, config.max_attempts)
        self._retries = LeanRetries(self.meta.events, config.max_attempts)

    def __getattr__(self, name: str) -> Any:
        operation = OPERATIONS.get(name)
        if operation is None:
            if name.startswith("_") or self._otherwise is None:
                raise AttributeError(f"The lean transport does not send {name}.")
            return getattr(self._otherwise(), name)

        def method(**params: Any) -> dict[str, Any]:
            return self._call(operation, params)

        return method

    def close(self) -> None:
        """Close the connections that no request uses; later requests open new ones."""
        self._endpoint.http_session.close()

    def _call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            # As botocore does: with the token, a repeated attempt does not write again.
            params.setdefault("ClientRequestToken", str(uuid4()))
        call = Call(operation, self._body_of(params))
        while True:
            reply, members, failure = self._attempt(call)
            delay = self._retries.delay(call, self._endpoint, reply, members, failure)
            if delay is None:
                break
            (self._sleep or time.sleep)(delay)
        if reply is None:
            raise failure or RuntimeError("an attempt ended without a reply and without a failure")
        members["ResponseMetadata"]["RetryAttempts"] = call.attempt - 1
        # A hook may have turned a success into a failure.
        if reply.status_code >= _FIRST_ERROR:
            raise ClientError(members, operation)  # type: ignore[arg-type]
        return members

    def _attempt(self, call: Call) -> tuple[Reply | None, dict[str, Any], Exception | None]:
        call.attempt += 1
        request = self._requests.signed(call)
        try:
            # As botocore does: a hook may reply instead of DynamoDB.
            reply = self.meta.events.emit("before-send.dynamodb", request=request)
            reply = reply or self._endpoint.http_session.send(request)
        except Exception as error:  # noqa: BLE001 - the rules of retries decide
            return None, {}, error
        return reply, self._parsed(reply), None

    def _body_of(self, params: Mapping[str, Any]) -> bytes:
        return body_of(params)

    def _parsed(self, reply: Reply) -> dict[str, Any]:
        return parsed(reply)


# --- requests


class Requests:
    """Builds signed requests to one endpoint.

    Args:
        terms: endpoint, region and credentials.
        max_attempts: the most attempts of a call.
    """

    def __init__(self, terms: Terms, max_attempts: int) -> None:
        self._url = f"{terms.endpoint}/"
        self._signer = Signer(terms.endpoint, terms.region)
        self._credentials = terms.credentials
        self._most = max_attempts
        self._traced = FUNCTION_NAME.read() is not None

    def signed(self, call: Call) -> Signed:
        """Return the request for an attempt of a call. Each attempt is signed anew."""
        headers = {
            "X-Amz-Target": f"DynamoDB_20120810.{call.operation}",
            "Content-Type": _CONTENT_TYPE,
        }
        self._signer.sign(headers, call.body, self._credentials)
        # botocore signs none of these.
        headers["User-Agent"] = _USER_AGENT
        headers["amz-sdk-invocation-id"] = call.id
        headers["amz-sdk-request"] = f"attempt={call.attempt}; max={self._most}"
        if self._traced and (trace := TRACE.read()):
            headers["X-Amzn-Trace-Id"] = quote(trace, safe="-=;:+&[]{}\"',")
        return Signed(self._url, headers, call.body)


# --- replies


def parsed(reply: Reply) -> dict[str, Any]:
    """Return the members of a reply as botocore returns them; a failure has ``Error``."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    if reply.status_code >= _FIRST_ERROR:
        members = _failed(reply, headers)
        metadata = members.setdefault("ResponseMetadata", {})
    else:
        members = _members(reply.content)
        metadata = members["ResponseMetadata"] = {}
        if "x-amzn-requestid" in headers:
            metadata["RequestId"] = headers["x-amzn-requestid"]
    metadata["HTTPStatusCode"] = reply.status_code
    metadata["HTTPHeaders"] = headers
    return members


def _members(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, with decoded binary values; ``{}`` if it has no object."""
    if body == _NOTHING:
        return {}
    # Imported when there is something to parse: most replies to writes are empty.
    from pydantic_core import from_json

    try:
        members = from_json(body)
    except ValueError:
        return {}
    if not isinstance(members, dict):
        return {}
    if b'"B' in body:
        _decode(members)
    return members


def _decode(node: Any) -> None:
    """Decode the binary values under a node of a reply, in place.

    Only a binary value is an object whose single member is ``B`` or ``BS`` with text or texts.
    """
    for value in node.values() if type(node) is dict else node:
        if type(value) is dict:
            if len(value) == 1:
                ((kind, content),) = value.items()
                if type(content) is str:
                    if kind == "B":
                        value["B"] = decode(content)
                    continue
                if kind == "BS" and _are_texts(content):
                    value["BS"] = [*map(decode, content)]
                    continue
            _decode(value)
        elif type(value) is list:
            _decode(value)


def _are_texts(values: Any) -> bool:
    return type(values) is list and all(type(value) is str for value in values)


def _failed(reply: Reply, headers: dict[str, str]) -> dict[str, Any]:
    # Imported at the first failure: most processes never see one.
    from botocore.parsers import create_parser

    response = {"status_code": reply.status_code, "headers": headers, "body": reply.content}
    parser: Any = create_parser("json")
    members: dict[str, Any] = parser.parse(response, None)
    stored = _members(reply.content)
    members.update({name: stored[name] for name in _OF_ERRORS if name in stored})
    return members


_OF_ERRORS: Final = ("CancellationReasons", "Item")
"""Members of errors that the library reads."""
