"""Runs the library's own cases on moto and, where there is one, on the local engine."""

from __future__ import annotations

import pytest

from tests.adapters.eventsourcing.engine import ENGINES
from tests.adapters.eventsourcing.shipped import CASES

# The cases look for warnings themselves.
pytestmark = pytest.mark.filterwarnings("always::DeprecationWarning")

for case in CASES:
    for engine, url in ENGINES.items():
        name = f"Test{case.__name__}[{engine}]"
        globals()[name] = type(name, (case,), {"endpoint_url": url, "__test__": True})
del case
