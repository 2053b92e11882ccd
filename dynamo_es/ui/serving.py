"""`Server`: uvicorn's server, which ends live tails when it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvicorn

from dynamo_es.ui.application import stop

if TYPE_CHECKING:
    from types import FrameType

    from starlette.applications import Starlette


class Server(uvicorn.Server):
    """A server of the stream browser.

    Args:
        config: uvicorn's.
        app: from `create_app`.
    """

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End live tails, then the server: it waits for its open connections."""
        stop(self._app)
        super().handle_exit(sig, frame)
