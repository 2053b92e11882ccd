"""Runs the library's own test cases on moto and, if available, on the local engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapters.eventsourcing import shipped, shipped_dcb
from tests.adapters.eventsourcing.engine import ENGINES

if TYPE_CHECKING:
    from unittest import TestCase

# The cases look for warnings themselves.
pytestmark = pytest.mark.filterwarnings("always::DeprecationWarning")

# The others wait for threads, and measure them.
QUICK = (
    shipped.AggregateRecorderCase,
    shipped.SnapshotRecorderCase,
    shipped.TrackingRecorderCase,
    shipped.ProcessRecorderCase,
    shipped.FactoryCase,
    shipped.EventCountersViewCase,
)


def on_engines(case: type[TestCase]) -> dict[str, type]:
    """Return a case's classes, one for each engine at hand, by their names."""
    found = {}
    for engine, url in ENGINES.items():
        name = f"Test{case.__name__}[{engine}]"
        made = type(name, (case,), {"endpoint_url": url, "__test__": True})
        found[name] = made if case in QUICK else pytest.mark.ci(made)
    return found


for a_case in (*shipped.CASES, *shipped_dcb.CASES):
    globals().update(on_engines(a_case))
del a_case


class TestDCBRecorderInMemory(shipped_dcb.DCBRecorderInMemoryCase):
    """The cases for DCB recorders, in memory."""
