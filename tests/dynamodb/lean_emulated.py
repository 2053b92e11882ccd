"""The lean transport in front of an emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSRequest

from dynamo_es.dynamodb.wire.lean.client import LeanClient
from dynamo_es.dynamodb.wire.lean.terms import Credentials, Terms

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

    from dynamo_es import DynamoConfig
    from dynamo_es.dynamodb.wire.lean.connections import Signed


def lean_client(emulated: Any, config: DynamoConfig) -> Any:
    """Return a lean client whose requests the emulator of a boto3 client answers."""
    terms = Terms(
        emulated.meta.endpoint_url, "us-east-1", Credentials("emulator", "emulator", None)
    )
    return LeanClient(terms, config, _Wire(emulated._endpoint.http_session))  # type: ignore[arg-type]


class _Wire:
    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Signed) -> AWSResponse:
        made = AWSRequest("POST", request.url, request.headers, request.body)
        answer: AWSResponse = self._session.send(made.prepare())
        return answer

    def close(self) -> None:
        """Do nothing: no connection is open."""
