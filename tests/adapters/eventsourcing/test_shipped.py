"""Runs the library's own cases on moto and, where there is one, on the local engine."""

from __future__ import annotations

import pytest

from tests.adapters.eventsourcing import shipped
from tests.adapters.eventsourcing.engine import ENGINES

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

for case in shipped.CASES:
    for engine, url in ENGINES.items():
        name = f"Test{case.__name__}[{engine}]"
        made = type(name, (case,), {"endpoint_url": url, "__test__": True})
        globals()[name] = made if case in QUICK else pytest.mark.ci(made)
del case
