"""Measures how a packaged function starts, under AWS's runtime interface client if installed.

A server in this process imitates the runtime's API and DynamoDB, over plain HTTP.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS: Final = ("default", "lean", "bare")
"""The transports of dynamo_es, and ``bare`` for boto3 alone."""

_RUNTIME: Final = "/2018-06-01/runtime/"
_CRC_OF_EMPTY: Final = "2745614147"
_LONGEST: Final = 60

# The client crashes if one of these is missing.
_EVENT: Final = {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": "1",
    "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:1:function:measured",
    "Lambda-Runtime-Client-Context": "{}",
    "Lambda-Runtime-Cognito-Identity": "{}",
    "Lambda-Runtime-Aws-Tenant-Id": "measured",
    "Lambda-Runtime-Invocation-Id": "1",
}

_SPENT: Final = """
def spent():
    import time
    with open("/proc/self/status") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
    return {"cpu_seconds": time.process_time(), "peak_kilobytes": int(peak)}
"""
_OURS: Final = """
import os
from datetime import UTC, datetime
from uuid import UUID
from dynamo_es import DynamoBackend, ExplicitVersioning, RawEvent, StreamId

backend = DynamoBackend.from_env()
backend.prepare()
stream = StreamId(name="cold start", category="file")

def handler(event, context):
    raw = RawEvent(UUID(int=1), stream, datetime.now(UTC), "FileAdded", {"lines": 1}, {})
    backend.storage.insert_events(stream, ExplicitVersioning(0), [raw])
    return spent()
"""
_BARE: Final = """
import os
import boto3

client = boto3.client("dynamodb", endpoint_url=os.environ["DYNAMO_ES_ENDPOINT_URL"])

def handler(event, context):
    client.put_item(TableName="events", Item={"stream_key": {"S": "a"}, "version": {"N": "1"}})
    return spent()
"""
_WITHOUT_CLIENT: Final = """
import http.client, json, os
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
import app
connection.request("GET", "/2018-06-01/runtime/invocation/next")
connection.getresponse().read()
answer = json.dumps(app.handler({}, None))
connection.request("POST", "/2018-06-01/runtime/invocation/1/response", answer)
connection.getresponse().read()
"""


@dataclass(frozen=True, slots=True)
class Started:
    """One start of a function.

    Attributes:
        init_seconds: time from the start of the process until it asked for an event.
        call_seconds: time from then until it answered the event.
        cpu_seconds: CPU time of both, including the interpreter's own start.
        peak_kilobytes: greatest resident memory.
    """

    init_seconds: float
    call_seconds: float
    cpu_seconds: float
    peak_kilobytes: int


def measure(code: Path, scratch: Path, client: Path | None, runs: int) -> dict[str, list[Started]]:
    """Start the function of each kind ``runs`` times, in turn; return the starts by kind.

    Args:
        code: folder of the packaged function.
        scratch: folder for the handlers.
        client: folder of AWS's runtime interface client; None to do without.
        runs: number of starts of each kind, after one that only fills the caches.
    """
    starts: dict[str, list[Started]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        (scratch / kind).mkdir()
        body = _BARE if kind == "bare" else _OURS
        (scratch / kind / "app.py").write_text(_SPENT + body)
    for number in range(runs + 1):
        for kind in KINDS:
            started = _start(kind, code, scratch, client)
            if number:
                starts[kind].append(started)
    return starts


def lines(starts: dict[str, list[Started]], *, with_client: bool) -> list[str]:
    """Return the lines of a report on the starts."""
    runtime = "AWS's runtime interface client" if with_client else "plain Python"
    told = [
        f"start of a function under {runtime} (in brackets: of boto3 alone, from the same zip):"
    ]
    for kind in KINDS:
        name = "boto3 alone" if kind == "bare" else f"transport {kind}"
        told.append(
            f"  {name}: init {_middle(starts, kind, 'init_seconds') * 1000:.0f} ms, first call "
            f"{_middle(starts, kind, 'call_seconds') * 1000:.0f} ms, "
            f"CPU {_middle(starts, kind, 'cpu_seconds') * 1000:.0f} ms "
            f"({_ratio(starts, kind, 'cpu_seconds'):.2f}), "
            f"memory {_middle(starts, kind, 'peak_kilobytes') / 1024:.0f} MB "
            f"({_ratio(starts, kind, 'peak_kilobytes'):.2f})"
        )
    return told


def _middle(starts: dict[str, list[Started]], kind: str, name: str) -> float:
    return float(median(getattr(start, name) for start in starts[kind]))


def _ratio(starts: dict[str, list[Started]], kind: str, name: str) -> float:
    pairs = zip(starts[kind], starts["bare"], strict=True)
    return float(median(getattr(one, name) / getattr(two, name) for one, two in pairs))


def _start(kind: str, code: Path, scratch: Path, client: Path | None) -> Started:
    folders = [scratch / kind, code, *([] if client is None else [client])]
    with _serving() as server:
        address = f"127.0.0.1:{server.server_port}"
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "LAMBDA_TASK_ROOT": str(scratch / kind),
            "_HANDLER": "app.handler",
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_LAMBDA_FUNCTION_NAME": "measured",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "measured",
            "AWS_SECRET_ACCESS_KEY": "measured",
            "DYNAMO_ES_ENDPOINT_URL": f"http://{address}",
            "DYNAMO_ES_TRANSPORT": "default" if kind == "bare" else kind,
        }
        program = ["-m", "awslambdaric", "app.handler"]
        if client is None:
            program = ["-c", _WITHOUT_CLIENT]
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - of this file's own making
            [sys.executable, "-S", *program], env=environment, stdout=subprocess.DEVNULL
        )
        try:
            if not server.answered.wait(_LONGEST):
                raise RuntimeError(f"The function of the kind {kind} did not answer.")
        finally:
            process.kill()
            process.wait()
    return Started(server.asked_at - began, server.answered_at - server.asked_at, **server.answer)


class _Server(ThreadingHTTPServer):
    """Serves the runtime's API with one event, and a DynamoDB that accepts every write."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.asked_at = self.answered_at = 0.0
        self.answer: dict[str, Any] = {}
        self.answered = threading.Event()

    def handle_error(self, *_: Any) -> None:
        """Ignore errors: a function that is stopped leaves connections open."""


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.server.asked_at:
            self.server.answered.wait(_LONGEST)  # the next event, which never comes
            return
        self.server.asked_at = time.perf_counter()
        deadline = str(int(time.time() * 1000) + 1000 * _LONGEST)
        self._reply({**_EVENT, "Lambda-Runtime-Deadline-Ms": deadline})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith(_RUNTIME):
            self.server.answered_at = time.perf_counter()
            self.server.answer = json.loads(body)
            self._reply({})
            self.server.answered.set()
        else:
            crc = {"x-amz-crc32": _CRC_OF_EMPTY, "Content-Type": "application/x-amz-json-1.0"}
            self._reply(crc)

    def _reply(self, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {"Content-Length": "2", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Log no requests."""


@contextmanager
def _serving() -> Iterator[_Server]:
    server = _Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
