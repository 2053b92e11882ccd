from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynamo_es import DynamoBackend

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def backend() -> Iterator[DynamoBackend]:
    with DynamoBackend.local(sequencing="stream") as backend:
        yield backend
