"""The tests that every backend passes, for authors of a backend.

Write an engine: it starts your store, and makes processes that share it. Then, in ``conftest.py``::

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

which gives you the classes ``TestAppend``, ``TestDelete`` and so on. Import single ones if you do
not want all. What your store cannot do, its engine declares in ``lacks``, with the reason; a test
that needs it is skipped with that reason.

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
    "model",
    "payloads",
    "positions",
    "ranges",
    "round_trips",
    "snapshots",
    "versionless",
)
"""The modules of the suite."""

# Before they are imported, so that their failures show values.
for _module in (*MODULES, "language"):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")
