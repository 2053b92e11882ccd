"""A backend whose groups are played on a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import Event
from dynamo_es.grouping.groups import Groups
from tests.grouping.stage import Stage

if TYPE_CHECKING:
    from tests.engine import Engine


class Counted(Event):
    __event_name__ = "grouping.counted"

    by: str = "somebody"


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def backend(engine: Engine, world: object, stage: Stage) -> Any:
    """A process of its own, whose callers give the stage back before each write."""
    backend: Any = engine.fresh_process()
    backend._typed._groups = Groups(monotonic=stage.clock, new_waiter=stage.new_waiter)
    storage = backend.storage
    for name in ("insert_unless", "insert_events"):
        write = getattr(storage, name)

        def staged(*given: Any, write: Any = write, **options: Any) -> Any:
            if stage.is_open:
                stage.give_back()
            return write(*given, **options)

        setattr(storage, name, staged)
    return backend
