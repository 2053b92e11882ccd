"""Makes a test's tables, on every engine that is available."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.eventsourcing.engine import ENGINES, Tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamo_es.adapters.eventsourcing import DynamoApplicationRecorder


@pytest.fixture(params=list(ENGINES.values()), ids=list(ENGINES))
def tables(request: pytest.FixtureRequest) -> Iterator[Tables]:
    tables = Tables(request.param)
    yield tables
    tables.close()


@pytest.fixture
def recorder(tables: Tables) -> DynamoApplicationRecorder:
    return tables.application_recorder()
