"""The scheduler's requests, sent by a client of boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dynamo_es.dynamodb.errors import refusal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.dynamodb.requests import Request, Response


class Emulated:
    """What is behind a client, in the terms of the algorithms."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def answer(self, request: Request, token: str | None = None) -> Response:
        """Carry out a request.

        Raises:
            ConditionRefused: a condition was not met.
        """
        params: dict[str, Any] = dict(request.params)
        if token is not None and request.operation == "transact_write_items":
            params["ClientRequestToken"] = token
        try:
            response: Response = getattr(self._client, request.operation)(**params)
        except ClientError as error:
            refused = refusal(error, maybe_landed=False)
            if refused is None:
                raise
            raise refused from error
        return response
