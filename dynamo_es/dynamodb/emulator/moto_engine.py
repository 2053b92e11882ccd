"""Calls moto's DynamoDB directly.

Only this module, `moto_tables` and `moto_statements` use moto's internals.

``mock_aws`` cannot be used here: it takes over every client of the process, and each time one
begins or ends, moto drops the tables of all its accounts. The tables here are in a backend outside
moto's registry of accounts. Only requests of the emulator's own clients reach it.
"""

from __future__ import annotations

import base64
import copy
import json
import os
from binascii import crc32
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from botocore.awsrequest import AWSResponse
from moto.core.base_backend import backend_lock
from moto.core.botocore_stubber import MockRawResponse
from moto.core.exceptions import JsonRESTError
from moto.core.model_instances import model_data
from moto.core.parse import JSONParser
from moto.core.request import normalize_request
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from moto.dynamodbstreams.models import DynamoDBStreamsBackend
from moto.dynamodbstreams.responses import DynamoDBStreamsHandler

from dynamo_es.dynamodb.emulator.moto_statements import execute_batch
from dynamo_es.dynamodb.emulator.moto_tables import CheapBackend

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from moto.core.common_types import TYPE_RESPONSE
    from moto.core.responses import ActionResult
    from moto.dynamodb.models import DynamoDBBackend

_REGION: Final = "us-east-1"
_ACCOUNT: Final = "123456789012"
_ITERATORS_KEPT: Final = 1000
_ON_ITEMS: Final = frozenset(
    {
        *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"),
        *("BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems"),
        "BatchExecuteStatement",
    }
)
"""Operations whose result moto has in the wire format."""

_method: Final = cache(camelcase_to_underscores)

# Otherwise a child process that is forked during another thread's request would wait for that
# thread forever, and see a half-finished request.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=backend_lock.acquire,
        after_in_parent=backend_lock.release,
        after_in_child=backend_lock.release,
    )


class MotoEngine:
    """Tables and streams of one DynamoDB."""

    def __init__(self) -> None:
        self._tables = CheapBackend(_REGION, _ACCOUNT)
        self._streams = _Streams(self._tables)

    def answer_tables(self, request: AWSPreparedRequest) -> AWSResponse:
        """Answer a request to DynamoDB."""
        return _answer(_TablesHandler(self._tables), request)

    def answer_streams(self, request: AWSPreparedRequest) -> AWSResponse:
        """Answer a request to DynamoDB Streams."""
        return _answer(_StreamsHandler(self._streams), request)

    def copy_of_tables(self) -> dict[str, Any]:
        """Return a copy of the current tables, for `put_tables`."""
        with backend_lock:
            return copy.deepcopy(self._tables.tables)

    def put_tables(self, tables: dict[str, Any]) -> None:
        """Replace all tables by copies of the given ones."""
        with backend_lock:
            self._tables.tables.clear()
            self._tables.tables.update(copy.deepcopy(tables))

    def clear(self) -> None:
        """Drop all tables and their streams."""
        with backend_lock:
            self._tables.tables.clear()
            self._streams.shard_iterators.clear()

    def empty(self) -> None:
        """Delete all items and stream records of all tables."""
        with backend_lock:
            for table in self._tables.tables.values():
                table.items.clear()
                if (shard := table.stream_shard) is not None:
                    # Continue the numbers, so that an earlier reader gets the next records.
                    shard.starting_sequence_number += len(shard.items)
                    shard.items.clear()


class _Streams(DynamoDBStreamsBackend):
    """Reads the streams of one engine's tables, instead of those of moto's accounts."""

    def __init__(self, tables: DynamoDBBackend) -> None:
        super().__init__(_REGION, _ACCOUNT)
        self._tables = tables

    @property
    def dynamodb(self) -> DynamoDBBackend:
        return self._tables

    def get_records(self, iterator_arn: str, limit: int) -> dict[str, Any]:
        # A poller keeps getting iterators, and moto would keep them all.
        while len(self.shard_iterators) > _ITERATORS_KEPT:
            del self.shard_iterators[next(iter(self.shard_iterators))]
        iterator = self.shard_iterators[iterator_arn]
        # moto undoes a refused transaction by replacing the table with a copy. Earlier iterators
        # would read the old table forever.
        if shard := self._get_table_from_arn(iterator_arn).stream_shard:
            iterator.stream_shard = shard
            first = shard.starting_sequence_number
            iterator.sequence_number = max(iterator.sequence_number, first)
        return iterator.get(limit)


class _Standalone(BaseResponse):
    """Answers both handlers without moto's accounts."""

    def answer(self, request: AWSPreparedRequest) -> TYPE_RESPONSE:
        """Return status, headers and body."""
        normal = normalize_request(request)
        self.setup_class(normal, request.url, normal.headers)
        return self.call_action()

    def get_current_account(self) -> str:
        return _ACCOUNT

    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        # moto counts requests here for `set_initial_no_auth_action_count` in users' tests. The
        # emulator's requests must not count.
        del resource


class _TablesHandler(_Standalone, DynamoHandler):
    def __init__(self, tables: DynamoDBBackend) -> None:
        super().__init__()
        self._tables = tables

    @property
    def dynamodb_backend(self) -> DynamoDBBackend:
        return self._tables

    def answer(self, request: AWSPreparedRequest) -> TYPE_RESPONSE:
        """Answer like moto, but take half the time for an operation on items.

        moto makes a werkzeug request, searches forms and queries for parameters, lists the methods
        of this class, and tries five names for each member of each attribute.
        """
        action = _action(request)
        if action not in _ON_ITEMS:
            return super().answer(request)
        self.body = self.params = _parameters(action, request.body)
        status, headers = 200, {"Content-Type": "application/x-amz-json-1.0"}
        try:
            result = getattr(self, _method(action))().result
        except JsonRESTError as error:
            status, headers, body = error.code, dict(error.get_headers()), error.description
        else:
            result.pop("ConsumedCapacityUnits", None)  # moto adds it to the result of DeleteItem
            body = json.dumps(result, default=_in_base64)
        headers["x-amzn-requestid"] = uuid4().hex
        headers["x-amz-crc32"] = str(crc32(body.encode()))
        return status, headers, body

    def batch_execute_statement(self) -> ActionResult:
        # moto's own method does not support parameters in statements.
        statements = self.body["Statements"]
        answers = execute_batch(self._tables, statements, self._write)
        reply: dict[str, Any] = {"Responses": answers}
        if self.body.get("ReturnConsumedCapacity") == "TOTAL":
            tables = Counter(a["TableName"] for a in answers if "Error" not in a)
            reply["ConsumedCapacity"] = [
                {"TableName": table, "CapacityUnits": float(units)}
                for table, units in tables.items()
            ]
        return DynamoResult(reply)

    def _write(self, operation: str, params: dict[str, Any]) -> None:
        handler = _TablesHandler(self._tables)
        handler.body = params
        getattr(handler, operation)()


class _StreamsHandler(_Standalone, DynamoDBStreamsHandler):
    def __init__(self, streams: _Streams) -> None:
        super().__init__()
        self._streams = streams

    @property
    def backend(self) -> DynamoDBStreamsBackend:
        return self._streams


def _action(request: AWSPreparedRequest) -> str:
    target: str | bytes = request.headers.get("X-Amz-Target", "")  # bytes from a client
    return (target if isinstance(target, str) else target.decode()).rpartition(".")[2]


def _parameters(action: str, body: Any) -> dict[str, Any]:
    """Return the parameters of an operation, with binary values as bytes."""
    if b'"B"' not in body and b'"BS"' not in body:
        return {name: value for name, value in json.loads(body).items() if value is not None}
    parser: Any = JSONParser(get_service_model("dynamodb").operation_model(action), map_type=dict)
    read: dict[str, Any] = parser.parse({"body": body})
    return read


def _in_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


@cache
def _models() -> list[Any]:
    return [
        model for name in ("dynamodb", "dynamodbstreams") for model in model_data[name].values()
    ]


def _answer(handler: _TablesHandler | _StreamsHandler, request: AWSPreparedRequest) -> AWSResponse:
    # moto is not thread-safe: two transactions could both meet the same condition. Use moto's own
    # lock, because a `mock_aws` that begins or ends empties moto's registry under it.
    with backend_lock:
        status, headers, body = handler.answer(request)
        # For its server's dashboard, moto keeps every object that it ever made, and each copy of a
        # table. A long-running process would run out of memory.
        for model in _models():
            model.instances_tracked.clear()
    raw = MockRawResponse(body)
    # AWS sends this header but moto does not. Observers need it to report the size of a reply.
    headers = {**headers, "content-length": str(raw.getbuffer().nbytes)}
    return AWSResponse(request.url, status, headers, raw)  # type: ignore[arg-type]
