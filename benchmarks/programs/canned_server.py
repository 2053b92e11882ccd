"""Serves recorded replies over TLS, whatever the requests are.

The first line of its standard input is JSON: the files of the certificate and its key, and for each
port the replies, which it repeats. The first line of its output lists the ports. It ends when its
standard input is closed.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any


def main() -> None:
    """Serve until the standard input is closed."""
    plan = json.loads(sys.stdin.readline())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(plan["certificate"], plan["key"])
    ports = [_serve(context, replies) for replies in plan["ports"]]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


def _serve(context: ssl.SSLContext, replies: list[dict[str, Any]]) -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler([_message(**one) for one in replies]))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def _message(status: int, headers: dict[str, str], body: str) -> bytes:
    lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + b64decode(body)


def _handler(messages: list[bytes]) -> type[BaseHTTPRequestHandler]:
    following = cycle(messages)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(next(following))

        def log_message(self, *_: Any) -> None:
            """Log no requests."""

    return Handler


if __name__ == "__main__":
    main()
