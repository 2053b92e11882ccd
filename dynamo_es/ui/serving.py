"""The web server: uvicorn, which also ends live tails when it gets the signal to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from dynamo_es.ui.application import stop

if TYPE_CHECKING:
    from types import FrameType

    from starlette.applications import Starlette


def configure(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Config:
    """Return the configuration of a server of the stream browser.

    Args:
        app: from `create_app`.
        host: address to listen on.
        port: port to listen on; 0: any free port.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        # Mistakes of a client, such as a request for a WebSocket, must not warn the operator.
        log_level="error",
        ws="none",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )


class Server(uvicorn.Server):
    """A server of the stream browser.

    Args:
        config: the configuration from `configure`.
        app: from `create_app`.
    """

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End live tails before the server, which waits for its open connections."""
        stop(self._app)
        super().handle_exit(sig, frame)
