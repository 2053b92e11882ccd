"""Makes an engine on this machine as far away as DynamoDB is."""

from __future__ import annotations

import time
from typing import Any


class Distance:
    """Stands in for a client's connections: each request takes a time, or longer.

    Half of the time passes before the engine gets the request, as on a way there and back.

    Args:
        client: of boto3, or that of the lean transport.
        seconds: of each request.

    Attributes:
        cpu: seconds of CPU that one writer's requests took within their time.
    """

    def __init__(self, client: Any, seconds: float) -> None:
        self._endpoint = client._endpoint  # noqa: SLF001 - there is no public way
        self._session = self._endpoint.http_session
        self._endpoint.http_session = self
        self._seconds = seconds
        self.cpu = 0.0

    def send(self, request: Any) -> Any:
        """Send a request, and wait with its reply."""
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
        """Give the client its own connections back."""
        self._endpoint.http_session = self._session
