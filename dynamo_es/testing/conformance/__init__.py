"""The tests that every backend must pass, for authors of backends.

Write an `Engine`, which starts your store and makes processes that share it. Then, in
``conftest.py``::

    import pytest
    from my_store.testing import MyEngine

    pytest_plugins = ["dynamo_es.testing.conformance.fixtures"]

    @pytest.fixture(scope="session")
    def engine():
        engine = MyEngine()
        engine.start()
        yield engine
        engine.stop()

and in ``test_conformance.py``::

    from dynamo_es.testing.conformance.suite import *

which gives you the classes ``TestAppend``, ``TestDelete`` and so on. You can also import only some
of them. If your store lacks a capability, its engine declares that in ``lacks``, with the reason.
Tests that need the capability are skipped with this reason.

The suite needs hypothesis: ``pip install hypothesis``.
"""

from __future__ import annotations

from typing import Final

import pytest

MODULES: Final = (
    "any_version",
    "append",
    "append_results",
    "bad_input",
    "bad_payloads",
    "concurrency",
    "conflicts",
    "crashes",
    "delete",
    "idempotency",
    "identity",
    "iteration",
    "keys",
    "log",
    "long_streams",
    "many",
    "model",
    "payloads",
    "positions",
    "ranges",
    "round_trips",
    "snapshots",
    "versionless",
)
"""The modules of the suite."""

# Register the modules before they are imported, so that failures show values.
for _module in (*MODULES, "language"):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")
