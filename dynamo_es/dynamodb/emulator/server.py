"""Serves the emulator on a port of this machine, so that several processes can use it."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Final

from botocore.awsrequest import AWSRequest

from dynamo_es.dynamodb.emulator.moto_engine import MotoEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST: Final = "127.0.0.1"


class _Handler(BaseHTTPRequestHandler):
    engine: MotoEngine
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        streams = self.headers.get("X-Amz-Target", "").startswith("DynamoDBStreams")
        service = "streams.dynamodb" if streams else "dynamodb"
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        url = f"https://{service}.us-east-1.amazonaws.com/"
        request = AWSRequest("POST", url, headers, body).prepare()
        answer = self.engine.answer_streams if streams else self.engine.answer_tables
        reply = answer(request)
        self.send_response(reply.status_code)
        for name, value in reply.headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(reply.content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name in the base class
        del format, arguments


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """Serve an empty DynamoDB until the end of the context.

    Args:
        port: port on the loopback address; 0: any free port.

    Yields:
        Host and port, such as ``127.0.0.1:8000``.

    Raises:
        OSError: the port is taken.
    """
    handler = type("Handler", (_Handler,), {"engine": MotoEngine()})
    with ThreadingHTTPServer((_HOST, port), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            yield f"{_HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
