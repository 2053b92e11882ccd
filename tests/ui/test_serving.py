"""The server: what it says on the terminal, whatever its clients send."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from dynamo_es import MemoryBackend
from dynamo_es.ui import create_app
from dynamo_es.ui.serving import Server, configure

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_", "status"), [(UPGRADE, b"200"), (b"no such method\r\n\r\n", b"400")]
)
def test_a_request_that_is_wrong_prints_nothing(request_, status, capfd):
    app = create_app(MemoryBackend())
    config = configure(app)
    server = Server(config, app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with socket.create_connection(listener.getsockname(), 5) as client:
            client.sendall(request_)
            reply = client.recv(100)
        server.should_exit = True
        thread.join(5)
    assert reply.split()[1] == status
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
