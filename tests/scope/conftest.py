"""Every test of this package runs with a log of each tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import _engines
from tests.scope.engines import with_a_log_of_each_tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine import Engine


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn, with a log of each tenant, started once a session."""
    chosen = with_a_log_of_each_tenant(request.config.stash[_engines][request.param])
    chosen.start()
    yield chosen
    chosen.stop()
