"""The client of the tests, in one place: what it is made of changes with starlette."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Starlette 1.10 prefers httpx2, which the lowest version that we allow does not know.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

__all__ = ["TestClient"]
