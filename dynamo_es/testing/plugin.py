"""The pytest plugin: fixtures for applications on dynamo_es.

pytest imports this module at its start, in every project that has dynamo_es installed. So the
module itself imports nothing slow. The fixtures import what they need.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import pytest

from dynamo_es.environment import TEST_ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from dynamo_es import DynamoBackend, MemoryBackend
    from dynamo_es.aio import AsyncBackend, AsyncDynamoBackend, AsyncMemoryBackend
    from dynamo_es.testing.clock import FrozenClock
    from dynamo_es.testing.engines import Emulation

_OPTION: Final = "--dynamo-es-endpoint"
_OUTCOMES: Final = "dynamo_es.testing.outcome"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the local engine."""
    parser.getgroup("dynamo_es").addoption(
        _OPTION,
        metavar="URL",
        default=TEST_ENDPOINT.read(),
        help="URL of DynamoDB's API for the fixture local_engine, such as http://127.0.0.1:8000; "
        f"default: the environment variable {TEST_ENDPOINT.name}",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Fail a test if no step of `given` has checked the outcome of a command."""
    result = yield
    if (module := sys.modules.get(_OUTCOMES)) is not None:
        for outcome in list(module.unclaimed):
            outcome.raise_error()
    return result


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Drop the commands of a test before the next one."""
    if (module := sys.modules.get(_OUTCOMES)) is not None:
        module.unclaimed.clear()


@pytest.fixture
def frozen_clock(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    """A clock that stands still, at 2026-01-01 12:00 UTC, until the test moves it.

    If a test uses this fixture, the backends of the other fixtures use the clock too, and new
    events get its time as ``created_at``. Move it with ``frozen_clock.advance(60)`` or
    ``frozen_clock.set(datetime(…, tzinfo=UTC))``.
    """
    from dynamo_es.event_store import wrapped
    from dynamo_es.testing.clock import FrozenClock

    clock = FrozenClock()
    monkeypatch.setattr(wrapped, "now", lambda: clock.now)
    return clock


@pytest.fixture
def memory_backend(request: pytest.FixtureRequest) -> Iterator[MemoryBackend]:
    """A new `MemoryBackend` for the test."""
    import time

    from dynamo_es import MemoryBackend

    with MemoryBackend(clock=_frozen(request) or time.time) as backend:
        yield backend


@pytest.fixture
def async_memory_backend(request: pytest.FixtureRequest) -> Iterator[AsyncMemoryBackend]:
    """A new `AsyncMemoryBackend` for the test."""
    import time

    from dynamo_es.aio import AsyncMemoryBackend

    backend = AsyncMemoryBackend(clock=_frozen(request) or time.time)
    yield backend
    _close(backend)


@pytest.fixture(scope="session")
def _dynamo_es_emulation() -> Iterator[Emulation]:
    from dynamo_es.testing.engines import Emulation

    with Emulation() as emulation:
        yield emulation


@pytest.fixture
def dynamo_backend(
    _dynamo_es_emulation: Emulation, request: pytest.FixtureRequest
) -> Iterator[DynamoBackend]:
    """A `DynamoBackend` on an emulator in this process, with empty tables.

    One emulator serves all tests of the process. Each test gets a new backend that remembers
    nothing.
    """
    with _dynamo_es_emulation.new_backend(_frozen(request)) as backend:
        yield backend


@pytest.fixture
def async_dynamo_backend(
    dynamo_backend: DynamoBackend, request: pytest.FixtureRequest
) -> Iterator[AsyncDynamoBackend]:
    """An `AsyncDynamoBackend` over the tables of `dynamo_backend`.

    Several event loops may use it, one after the other.
    """
    import time

    from dynamo_es.aio import AsyncDynamoBackend

    backend = AsyncDynamoBackend(
        dynamo_backend.config,
        client=dynamo_backend.client,
        clock=_frozen(request) or time.time,
        streams_client=dynamo_backend.streams_client,
    )
    yield backend
    _close(backend)


@pytest.fixture
def local_engine(request: pytest.FixtureRequest) -> Iterator[DynamoBackend]:
    """A `DynamoBackend` on the engine at ``--dynamo-es-endpoint``, with new tables.

    Without the option, the test is skipped. The tables are deleted after the test.
    """
    endpoint = request.config.getoption(_OPTION)
    if not endpoint:
        pytest.skip(
            f"no local engine: start one, such as dynoxide, and set its URL with {_OPTION} or "
            f"the environment variable {TEST_ENDPOINT.name}"
        )
    from dynamo_es.testing.engines import backend_at

    with backend_at(str(endpoint), _frozen(request)) as backend:
        yield backend


def _frozen(request: pytest.FixtureRequest) -> FrozenClock | None:
    """Return the frozen clock if the test uses it; otherwise None."""
    if "frozen_clock" not in request.fixturenames:
        return None
    clock: FrozenClock = request.getfixturevalue("frozen_clock")
    return clock


def _close(backend: AsyncBackend) -> None:
    import asyncio

    # Use a new loop, because an asyncio plugin may have set one that must not change.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(backend.close())
