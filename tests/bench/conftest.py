from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.engine import Engine, open_engine
from benchmarks.scale import QUICK, Scale

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def emulator() -> Iterator[Engine]:
    with open_engine(None, "an emulator in this process") as engine:
        yield engine


@pytest.fixture
def tiny() -> Scale:
    return replace(
        QUICK,
        rounds=3,
        calls=2,
        loaded_events=330,
        log_pages=2,
        log_rounds=1,
        threads=(2,),
        thread_rounds=1,
        thread_seconds=0.05,
    )
