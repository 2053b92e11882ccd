"""Adds the latency of DynamoDB to an engine on this machine."""

from __future__ import annotations

import time
from typing import Any


class Distance:
    """Replaces a client's connections and delays each request.

    Half of the delay passes before the engine gets the request, as on a real network.

    Args:
        client: client of boto3 or of the lean transport.
        seconds: least time that each request takes.

    Attributes:
        cpu: CPU seconds used while requests were under way, for a single writer.
    """

    def __init__(self, client: Any, seconds: float) -> None:
        self._endpoint = client._endpoint  # noqa: SLF001 - there is no public way
        self._session = self._endpoint.http_session
        self._endpoint.http_session = self
        self._seconds = seconds
        self.cpu = 0.0

    def send(self, request: Any) -> Any:
        """Send a request, and return its reply after the delay."""
        began, cpu = time.perf_counter(), time.thread_time()
        time.sleep(self._seconds / 2)
        reply = self._session.send(request)
        left = self._seconds - (time.perf_counter() - began)
        if left > 0:
            time.sleep(left)
        self.cpu += time.thread_time() - cpu
        return reply

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def remove(self) -> None:
        """Restore the client's own connections."""
        self._endpoint.http_session = self._session
