"""Sends requests at regular intervals over bare TLS connections, and prints their latencies.

Its arguments are the port, the number of connections, the seconds, and the requests per second. It
prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys

from benchmarks.programs import steady

_REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


async def _measure(port: int, connections: int, seconds: float, rate: float) -> list[float]:
    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port, ssl=context))

    async def send() -> None:
        connection = reader, writer = await free.get()
        writer.write(_REQUEST)
        await reader.readuntil(b"\r\n\r\n{}")
        free.put_nowait(connection)

    found = await steady.latencies(send, rate, seconds)
    while not free.empty():
        free.get_nowait()[1].close()
    return found


if __name__ == "__main__":
    port, connections, seconds, rate = sys.argv[1:]
    took = asyncio.run(_measure(int(port), int(connections), float(seconds), float(rate)))
    sys.stdout.write(f"{json.dumps({'latencies': took})}\n")
