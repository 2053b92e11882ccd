"""Makes an engine on this machine as far away as DynamoDB is."""

from __future__ import annotations

import time
from typing import Any


class Distance:
    """Stands in for a client's connections: each request takes a time, or longer.

    Half of the time passes before the engine gets the request, as on a way there and back.

    Args:
        client: of boto3.
        seconds: of each request.
    """

    def __init__(self, client: Any, seconds: float) -> None:
        self._endpoint = client._endpoint  # noqa: SLF001 - there is no public way
        self._session = self._endpoint.http_session
        self._endpoint.http_session = self
        self._seconds = seconds

    def send(self, request: Any) -> Any:
        """Send a request, and wait with its reply."""
        began = time.perf_counter()
        time.sleep(self._seconds / 2)
        reply = self._session.send(request)
        left = self._seconds - (time.perf_counter() - began)
        if left > 0:
            time.sleep(left)
        return reply

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def remove(self) -> None:
        """Give the client its own connections back."""
        self._endpoint.http_session = self._session
