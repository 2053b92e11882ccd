"""Runs every test that asks for an ``engine`` on each engine that is available.

pytest                                    memory and moto
pytest --endpoint http://127.0.0.1:8000   the local engine too: scripts/local-engine starts it
pytest -k moto                            one of the engines
pytest -m "not concurrent"                without the races of threads
pytest -m "not ci"                        what scripts/test runs
pytest -m ci                              what scripts/test leaves to .ci/run
pytest -m endpoint --endpoint URL         what sends requests to the local engine
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dynamo_es.subscriptions import log_subscriptions
from dynamo_es.testing import plugin
from dynamo_es.testing.conformance import fixtures
from tests.engine import LOCAL, MOTO, Engine, engines
from tests.on_loop import AsyncMemoryEngine, AsyncMotoEngine, async_engines
from tests.remembering import remember_all
from tests.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from dynamo_es.contracts import LogStrategy

_QUICK: Final = frozenset({"TestAppend", "TestConflicts", "TestIteration", "TestMany"})
"""Classes of the conformance suite that the quick suite runs on an asynchronous backend."""

_FOR_CI_ON_MOTO: Final = frozenset({"TestConcurrency", "TestLongStreams"})
"""Classes that take seconds on moto, and that say little about the library where requests come one
at a time; tests/dynamodb/streams has the large commits and long streams of the quick suite."""

_IN_THREADS: Final = _QUICK | {"TestBoundaries", "TestConcurrency", "TestCrashes", "TestLog"}
"""Classes that run where threads send the requests of an asynchronous backend. The others differ by
what is sent, which the asynchronous backends in memory and on the local engine show."""

ENDPOINT_VARIABLE = "DYNAMO_ES_TEST_ENDPOINT"

pytest_plugins = ["tests.chromium"] if os.environ.get("DYNAMO_ES_BROWSER_TESTS") else []
"""One browser for all tests in it: playwright starts only once in a process."""

# Engines differ a hundredfold in speed, and a slow machine is no failure. The examples of a
# test share one world, and keep apart by streams or tenants of their own.
settings.register_profile(
    "engines",
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("engines")

_YOUNG: Final = 2_000
_OLD: Final = 200

_engines: Final = pytest.StashKey[dict[str, Engine]]()
_async_engines: Final = pytest.StashKey[dict[str, Engine]]()
"""Those of the conformance suite only: other tests are of what both interfaces share."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--endpoint",
        default=os.environ.get(ENDPOINT_VARIABLE),
        help=f"URL of the local engine, to run on it too (or the variable {ENDPOINT_VARIABLE})",
    )
    parser.addoption("--variant", choices=VARIANTS, help="run on a store that is broken on purpose")
    parser.addoption(
        "--long", action="store_true", help="ten times the histories that are checked, and more"
    )
    parser.addoption(
        "--processes", action="store_true", help="histories by processes instead of threads"
    )


def pytest_configure(config: pytest.Config) -> None:
    # pyproject.toml says why its entry point does not load it.
    config.pluginmanager.register(plugin, "dynamo_es_testing")
    config.pluginmanager.register(fixtures, "dynamo_es_conformance")
    remember_all()
    if variant := config.getoption("--variant"):
        VARIANTS[variant](pytest.MonkeyPatch())
    config.stash[_engines] = engines(config.getoption("--endpoint"))
    config.stash[_async_engines] = async_engines(config.getoption("--endpoint"))


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = []
    for engine in config.stash[_engines].values():
        lines.append(f"engine {engine.name}:" + ("" if engine.lacks else " lacks nothing"))
        lines += [f"  lacks {lack}: {reason}" for lack, reason in engine.lacks.items()]
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        at_hand: list[Any] = [*metafunc.config.stash[_engines]]
        if metafunc.module.__name__ == "tests.conformance.test_suite":
            if metafunc.cls.__name__ in _FOR_CI_ON_MOTO:
                place = at_hand.index(MOTO)
                at_hand[place] = pytest.param(MOTO, marks=pytest.mark.ci)
            quick = {AsyncMemoryEngine.name} if metafunc.cls.__name__ in _QUICK else set()
            for name in metafunc.config.stash[_async_engines]:
                if name == AsyncMotoEngine.name and metafunc.cls.__name__ not in _IN_THREADS:
                    continue
                marks = () if name in quick else pytest.mark.ci
                at_hand.append(pytest.param(name, marks=marks))
        metafunc.parametrize("engine", at_hand, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()  # little of what tests are made of becomes garbage
    try:
        return (yield)
    finally:
        _random_numbers_of_hypothesis()
        # A test that collects garbage would search thousands of tests for it, for half a second.
        gc.collect()
        gc.freeze()
        # Searching everything costs more than the little garbage that gets old: do it rarely.
        gc.set_threshold(_YOUNG, 10, _OLD)
        gc.enable()


@example(None)
@given(st.none())
def _random_numbers_of_hypothesis(_: None) -> None:
    """Have Hypothesis make its random numbers now: it looks for who refers to them, which
    `gc.freeze` hides."""


@pytest.hookimpl(tryfirst=True)  # before the tests are selected by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--endpoint"):
        for item in items:
            if LOCAL in item.nodeid or "endpoint" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.endpoint)
    lacking = [item for item in items if _lacks(config, item)]
    if lacking:
        config.hook.pytest_deselected(items=lacking)
        items[:] = [item for item in items if item not in set(lacking)]


def _lacks(config: pytest.Config, item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    known = config.stash[_engines] | config.stash[_async_engines]
    engine = known.get(str(item.callspec.params.get("engine")))
    needed = {capability for mark in item.iter_markers("needs") for capability in mark.args}
    return engine is not None and not needed.isdisjoint(engine.lacks)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn, started once a session."""
    stash = request.config.stash
    chosen = (stash[_engines] | stash[_async_engines])[request.param]
    chosen.start()
    yield chosen
    chosen.stop()


@pytest.fixture
def subscriptions_wait_in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time of a subscription pass as it waits: a batch that stays too small costs no wait.

    Backends make their subscriptions when they are first used, so ask for this before.
    """
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def make(log: LogStrategy, **_: object) -> log_subscriptions.LogSubscriptions:
        return LogSubscriptions(log, monotonic=lambda: now, sleep=sleep)

    LogSubscriptions = log_subscriptions.LogSubscriptions  # noqa: N806 - the class, before it is replaced
    monkeypatch.setattr(log_subscriptions, "LogSubscriptions", make)
