"""The whole application on this machine: HTTP, the event store, its streams and all functions.

An emulator of DynamoDB in this process and two loops replace AWS: one loop passes requests to the
functions of the API, the other passes the tables' streams to the other functions.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from base64 import b64encode
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import unquote

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from accounts.application import Application  # noqa: E402 - found by the line above
from accounts.read_model import ReadModel  # noqa: E402

from dynamo_es import DynamoBackend  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READ_MODEL = "read-model"


class Local:
    """The application on an emulator, its functions fed by the tables' streams."""

    def __init__(self) -> None:
        self.backend = DynamoBackend.local(sequencing="stream")
        client = self.backend.client
        client.create_table(
            TableName=READ_MODEL,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "tenant", "KeyType": "HASH"},
                {"AttributeName": "place", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "tenant", "AttributeType": "S"},
                {"AttributeName": "place", "AttributeType": "S"},
            ],
        )
        self.application = Application(self.backend, ReadModel(client, READ_MODEL))
        config = self.backend.config
        self._mappings = [
            Mapping(self.backend, config.events_table, self.application.sequencer_handler),
            Mapping(self.backend, config.events_table, self.application.balances_handler),
            Mapping(self.backend, config.log_table, self.application.activity_handler),
        ]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            for mapping in self._mappings:
                mapping.poll()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.backend.close()


class Mapping:
    """An event source mapping: hands a table's stream to a function, in batches.

    Args:
        backend: on the emulator.
        table: whose stream.
        function: its handler; records that it reports as failed are passed to it again.
    """

    def __init__(
        self, backend: DynamoBackend, table: str, function: Callable[..., dict[str, Any]]
    ) -> None:
        self._streams = backend.streams_client
        self._function = function
        (stream,) = self._streams.list_streams(TableName=table)["Streams"]
        described = self._streams.describe_stream(StreamArn=stream["StreamArn"])
        (shard,) = described["StreamDescription"]["Shards"]
        self._iterator: str | None = self._streams.get_shard_iterator(
            StreamArn=stream["StreamArn"],
            ShardId=shard["ShardId"],
            ShardIteratorType="TRIM_HORIZON",
        )["ShardIterator"]
        self._waiting: list[dict[str, Any]] = []

    def poll(self) -> None:
        """Call the function with new records, and with those left from the last call."""
        if self._iterator is not None:
            reply = self._streams.get_records(ShardIterator=self._iterator)
            self._iterator = reply.get("NextShardIterator")
            self._waiting += [_as_json(record) for record in reply["Records"]]
        if not self._waiting:
            return
        failed = self._function({"Records": self._waiting})["batchItemFailures"]
        left = min((int(failure["itemIdentifier"]) for failure in failed), default=None)
        numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in self._waiting]
        self._waiting = [] if left is None else self._waiting[numbers.index(left) :]


def _as_json(record: Any) -> dict[str, Any]:
    """Return a record as Lambda delivers it: bytes in base64."""

    def plain(value: object) -> str:
        return b64encode(value).decode() if isinstance(value, bytes) else str(value)

    copy: dict[str, Any] = json.loads(json.dumps(record, default=plain))
    return copy


class Api(BaseHTTPRequestHandler):
    """An HTTP API in front of the functions; the tenant, on AWS a claim, is a header here."""

    application: ClassVar[Application]

    def do_GET(self) -> None:
        """Answer a query, or the page."""
        if self.path == "/":
            self._answer(HTTPStatus.OK, (HERE / "page.html").read_bytes(), "text/html")
            return
        match self._path():
            case ["accounts", account]:
                self._call(self.application.query_handler, {"account": account})
            case ["activity"]:
                self._call(self.application.query_handler, None)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"{}")

    def do_POST(self) -> None:
        """Run a command."""
        match self._path():
            case ["accounts", account, command]:
                parameters = {"account": account, "command": command}
                self._call(self.application.command_handler, parameters)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Log no requests."""

    def _path(self) -> list[str]:
        return [unquote(part) for part in self.path.strip("/").split("/")]

    def _call(
        self, function: Callable[..., dict[str, Any]], parameters: dict[str, str] | None
    ) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        tenant = self.headers.get("x-tenant")
        if not tenant:
            self._answer(HTTPStatus.UNAUTHORIZED, b'{"message": "Give the header x-tenant."}')
            return
        request = {
            "version": "2.0",
            "pathParameters": parameters,
            "body": body,
            "requestContext": {"authorizer": {"jwt": {"claims": {"tenant": tenant}}}},
        }
        reply = function(request)
        self._answer(reply["statusCode"], reply["body"].encode())

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve(port: int) -> Iterator[tuple[Local, ThreadingHTTPServer]]:
    """Yield the application and its server, on the loopback; end both afterwards."""
    with Local() as local:
        api = type("LocalApi", (Api,), {"application": local.application})
        with ThreadingHTTPServer(("127.0.0.1", port), api) as server:
            yield local, server


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    with serve(parser.parse_args().port) as (_, server):
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        print(f"The application runs at {address} until Ctrl-C.")  # noqa: T201 - a command
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("Ended.")  # noqa: T201


if __name__ == "__main__":
    main()
