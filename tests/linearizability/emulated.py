"""Sends the scheduler's requests with a boto3 client."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from dynamo_es.dynamodb.wire.errors import refusal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from dynamo_es.dynamodb.wire.steps import Request, Response


class Emulated:
    """What a client talks to, in the terms of the algorithms.

    Args:
        client: sends the requests.
        table: where they go; None: to the table that they name.
    """

    def __init__(self, client: DynamoDBClient, table: str | None = None) -> None:
        self._client = client
        self._table = table
        # An engine remembers the tokens of earlier histories, which began to count at one, too.
        self._history = uuid4().hex[:8]

    def answer(self, request: Request, token: str | None = None) -> Response:
        """Carry out a request.

        Raises:
            ConditionRefused: a condition was not met.
        """
        params: dict[str, Any] = self._directed(request.params)
        if token is not None and request.operation == "transact_write_items":
            params["ClientRequestToken"] = f"{self._history} {token}"
        try:
            response: Response = getattr(self._client, request.operation)(**params)
        except ClientError as error:
            refused = refusal(error, maybe_landed=False)
            if refused is None:
                raise
            raise refused from error
        return response

    def _directed(self, params: dict[str, Any]) -> dict[str, Any]:
        if self._table is None:
            return dict(params)
        if "TransactItems" in params:
            writes = [
                {kind: {**write, "TableName": self._table} for kind, write in action.items()}
                for action in params["TransactItems"]
            ]
            return {**params, "TransactItems": writes}
        if "Statements" in params:
            named = re.compile('"[^"]+"')  # the table is named first
            statements = [
                {**each, "Statement": named.sub(f'"{self._table}"', each["Statement"], count=1)}
                for each in params["Statements"]
            ]
            return {**params, "Statements": statements}
        return {**params, "TableName": self._table}
