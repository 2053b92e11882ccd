"""Serves the emulator of this process on a port of this machine."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

from botocore.awsrequest import AWSRequest

from dynamo_es.dynamodb.emulator.moto_engine import MotoEngine

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Handler(BaseHTTPRequestHandler):
    engine: MotoEngine
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        streams = self.headers["X-Amz-Target"].startswith("DynamoDBStreams")
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

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        del format, arguments


@contextmanager
def an_emulator() -> Iterator[str]:
    """Answer requests on a free port, from empty; yields host and port."""
    handler = type("Handler", (_Handler,), {"engine": MotoEngine()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
