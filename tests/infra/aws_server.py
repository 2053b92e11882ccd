"""Serves moto's AWS at a port of this machine: CloudFormation, S3, Lambda and the others, empty.

A program of its own, because moto takes over every client of its process. It says its address on
stdout, and ends with its standard input.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, Final

import boto3

from dynamo_es.dynamodb.wire.partiql.mocked import executing

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCOPE: Final = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
_DEFAULT: Final = ("us-east-1", "s3")
_JSON: Final = "application/x-amz-json-1.0"
_LOCK: Final = RLock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        from botocore.awsrequest import AWSRequest
        from moto.core.models import botocore_stubber

        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        scope = _SCOPE.search(self.headers.get("Authorization", ""))
        region, service = (scope[1], scope[2]) if scope else _DEFAULT
        if self.headers.get("X-Amz-Target", "").startswith("DynamoDBStreams"):
            service = "streams.dynamodb"
        if self.headers.get("X-Amz-Target", "").endswith("BatchExecuteStatement"):
            self._reply(200, {"Content-Type": _JSON}, _statements(region, body))
            return
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        url = f"https://{service}.{region}.amazonaws.com{self.path}"
        request = AWSRequest(self.command, url, headers, body).prepare()
        with _LOCK:
            reply: Any = botocore_stubber(f"before-send.{service}.Any", request)
        self._reply(reply.status_code, reply.headers, reply.content)

    def _reply(self, status: int, headers: Any, content: bytes) -> None:
        self.send_response(status)
        content = b"" if self.command == "HEAD" else content
        kept = {name: each for name, each in headers.items() if name.lower() != "connection"}
        if self.command != "HEAD":
            kept = {name: each for name, each in kept.items() if name.lower() != "content-length"}
            kept["Content-Length"] = len(content)
        for name, each in kept.items():
            self.send_header(name, str(each))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815 - their names there

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        del format, arguments


def _statements(region: str, body: bytes) -> bytes:
    """Carry out statements one by one, because moto cannot put parameters into them."""
    client = boto3.client("dynamodb", region_name=region)

    class Keys(dict[str, tuple[str, str]]):
        def __missing__(self, table: str) -> tuple[str, str]:
            schema = client.describe_table(TableName=table)["Table"]["KeySchema"]
            self[table] = (schema[0]["AttributeName"], schema[1]["AttributeName"])
            return self[table]

    with _LOCK:
        reply = executing(client, Keys())(**json.loads(body))
    return json.dumps(reply).encode()


@contextmanager
def serving() -> Iterator[str]:
    """Serve AWS by another process; yield its address."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.infra.aws_server"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # moto tells of each alarm, which it leaves out
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(timeout=30)


def main() -> None:
    """Serve until standard input ends."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[variable] = "testing"
    warnings.simplefilter("ignore")  # alarms, which moto leaves out
    from moto import mock_aws
    from moto.awslambda.models import LambdaBackend

    from tests.infra import change_sets, more_resources

    change_sets.repair()
    more_resources.install()
    # No function runs here, and the records of a stream stay for others.
    LambdaBackend.send_dynamodb_items = lambda *_: b""  # type: ignore[method-assign]
    config: Any = {"lambda": {"use_docker": False}}
    with mock_aws(config=config), ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
