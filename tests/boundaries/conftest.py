"""Boundaries of their own for each test, as several processes see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es import Boundary
    from tests.engine import Engine


@pytest.fixture
def name() -> str:
    """The name of a boundary that no other test uses."""
    return f"courses {uuid4()}"


@pytest.fixture
def process(engine: Engine, name: str) -> Callable[[], Boundary]:
    """Return the boundary as another process has it, which remembers nothing."""

    def fresh() -> Boundary:
        backend: Any = engine.fresh_process()
        boundary: Boundary = backend.boundary(name)
        return boundary

    return fresh


@pytest.fixture
def boundary(process: Callable[[], Boundary]) -> Boundary:
    """The boundary as one process has it."""
    return process()
