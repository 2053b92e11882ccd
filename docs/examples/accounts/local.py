"""The whole application on this machine: HTTP, the event store, its streams and all functions.

An emulator in this process replaces DynamoDB. The ASGI application on uvicorn replaces the HTTP API
and its functions. A loop passes the tables' streams to the other functions.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
from base64 import b64encode
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import uvicorn

sys.path.insert(0, str(Path(__file__).parent))

from accounts.application import Application
from accounts.read_model import ReadModel
from accounts.web import create_app

from dynamo_es import DynamoBackend
from dynamo_es.aws_lambda import sequence_events

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
        self.read_model = ReadModel(client, READ_MODEL)
        self.application = Application(self.backend, self.read_model)
        config = self.backend.config
        self._mappings = [
            Mapping(self.backend, config.events_table, sequence_events(self.backend)),
            Mapping(self.backend, config.events_table, self.application.balances_handler),
            Mapping(self.backend, config.log_table, self.application.activity_handler),
        ]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def poll(self) -> None:
        """Let each function handle what is new in its stream."""
        for mapping in self._mappings:
            mapping.poll()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.poll()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


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


@contextmanager
def serve(port: int) -> Iterator[tuple[Local, uvicorn.Server, socket.socket]]:
    """Yield the application, its server and the server's socket."""
    local = Local()
    with socket.create_server(("127.0.0.1", port)) as listening:
        app = create_app(local.backend, local.read_model, worker=local)
        yield local, uvicorn.Server(uvicorn.Config(app, log_level="warning")), listening


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    with serve(parser.parse_args().port) as (_, server, listening):
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        print(f"The application runs at {address} until Ctrl-C.")  # noqa: T201 - a command
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
        print("Ended.")  # noqa: T201


if __name__ == "__main__":
    main()
