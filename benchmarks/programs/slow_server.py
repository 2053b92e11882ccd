"""Serves one reply over TLS, each time after a delay.

The first line of its input is JSON with ``certificate``, ``key``, ``milliseconds``, and ``reply``
in Base64. The first line of its output is the port. It ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from base64 import b64decode

END = b"\r\n\r\n"


class Server(asyncio.Protocol):
    """Serves one connection.

    Args:
        reply: head and body of the reply.
        seconds: delay of each reply.
    """

    def __init__(self, reply: bytes, seconds: float) -> None:
        self._reply = reply
        self._seconds = seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport of the connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Schedule a reply to each complete request."""
        self._received += data
        while (head := self._received.find(END)) >= 0:
            lines = self._received[:head].lower().split(b"\r\n")
            lengths = [int(one[15:]) for one in lines if one.startswith(b"content-length:")]
            size = head + len(END) + sum(lengths)
            if len(self._received) < size:
                return
            self._received = self._received[size:]
            asyncio.get_running_loop().call_later(self._seconds, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._reply)  # type: ignore[attr-defined]


async def main() -> None:
    """Serve until the standard input is closed."""
    plan = json.loads(sys.stdin.readline())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(plan["certificate"], plan["key"])
    reply, seconds = b64decode(plan["reply"]), plan["milliseconds"] / 1000
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Server(reply, seconds), "127.0.0.1", 0, ssl=context, backlog=256
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
