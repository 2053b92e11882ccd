"""The pytest plugin: its fixtures, and what it fails a test for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dynamo_es import Backend, StreamId, WrappedEvent
from dynamo_es.exceptions import ConfigurationError, InputError, ServiceError
from dynamo_es.testing import FrozenClock
from dynamo_es.testing.engines import backend_at
from tests.engine import Capability, needs
from tests.event_store.accounts import Opened

if TYPE_CHECKING:
    from dynamo_es import DynamoBackend, MemoryBackend
    from dynamo_es.aio import AsyncBackend, AsyncDynamoBackend, AsyncMemoryBackend

# Test runs within a test take seconds.
pytestmark = pytest.mark.ci

ROOT = Path(__file__).parents[2]
STREAM = StreamId(name="ann", category="account")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def is_empty_and_works(backend: Backend) -> None:
    assert backend.log.last_position is None
    backend.event_store.append(Opened(owner="ann"), stream_id=STREAM, expected_version=0)
    assert len(backend.event_store.load_stream(STREAM)) == 1
    assert backend.log.last_position == 1


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_gets_an_empty_memory_backend(memory_backend: MemoryBackend, time):
    is_empty_and_works(memory_backend)


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_gets_an_empty_dynamo_backend(dynamo_backend: DynamoBackend, time):
    is_empty_and_works(dynamo_backend)


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_gets_empty_asynchronous_backends(
    async_memory_backend: AsyncMemoryBackend,
    async_dynamo_backend: AsyncDynamoBackend,
    dynamo_backend: DynamoBackend,
    time,
):
    async def use(backend: AsyncBackend) -> None:
        assert await backend.log.last_position is None
        await backend.event_store.append(Opened(owner="ann"), stream_id=STREAM)
        assert await backend.log.last_position == 1

    for backend in (async_memory_backend, async_dynamo_backend):
        asyncio.run(use(backend))
    assert dynamo_backend.log.last_position == 1


def test_a_frozen_clock_stands_still_until_it_is_moved(frozen_clock: FrozenClock):
    assert frozen_clock.now == NOON
    assert frozen_clock() == NOON.timestamp()
    frozen_clock.advance(timedelta(minutes=1))
    frozen_clock.advance(0.5)
    assert frozen_clock.now == NOON + timedelta(seconds=60.5)
    frozen_clock.set(NOON)
    assert frozen_clock() == NOON.timestamp()


@pytest.mark.parametrize("wrong", [-1, True, "1", None, timedelta(-1)])
def test_a_clock_refuses_to_advance_by_anything_else(wrong):
    with pytest.raises(InputError):
        FrozenClock().advance(wrong)


def test_a_clock_needs_a_time_zone():
    with pytest.raises(InputError, match="must have a time zone"):
        FrozenClock(datetime(2026, 1, 1))  # noqa: DTZ001


def test_new_events_have_the_frozen_time(frozen_clock: FrozenClock):
    frozen_clock.advance(60)
    assert WrappedEvent(Opened(owner="ann")).created_at == NOON + timedelta(minutes=1)


@pytest.mark.parametrize("name", ["memory_backend", "dynamo_backend"])
def test_backends_use_the_frozen_clock(name, frozen_clock, request):
    backend: Backend = request.getfixturevalue(name)
    backend.event_store.append(Opened(owner="ann"), stream_id=STREAM, expected_version=0)
    backend.projection("p", lambda _: None).run_once()

    assert backend.event_store.load_stream(STREAM)[0].created_at == NOON
    (saved,) = backend.checkpoints.all()
    assert saved.moved_at == NOON


TESTS = """
from dynamo_es import Aggregate
from dynamo_es.testing import given

def make():
    class Account(Aggregate):
        category = "account"
    return Account()

def refuse(account):
    raise ValueError("refused")

def test_forgets_to_look():
    given(make).when(refuse)

def test_forgets_then():
    given(make).when(lambda account: None)

def test_next():
    given(make).when(lambda account: None).when(lambda account: None).then()

def test_looks_at_the_events():
    assert given(make).when(lambda account: None).events == []

def test_looks():
    given(make).when(refuse).raises(ValueError)

def test_on_the_engine(local_engine):
    assert local_engine.event_store.position is None
"""


def test_a_project_s_tests(run_pytest):
    output = run_pytest(TESTS, "-ra")

    # An error that no step looks at fails its test, and no other.
    assert "FAILED test_it.py::test_forgets_to_look - ValueError: refused" in output
    # So does a command about which a test asserts nothing.
    assert "FAILED test_it.py::test_forgets_then - AssertionError: The test asserts no" in output
    # Without a local engine a test is skipped, and says what to do.
    assert "--dynamo-es-endpoint" in output
    assert "2 failed, 3 passed, 1 skipped" in output


def test_an_engine_that_does_not_answer_fails():
    with pytest.raises(ServiceError), backend_at("http://127.0.0.1:9"):
        pass


@pytest.mark.parametrize("wrong", ["127.0.0.1:8000", "", "nowhere"])
def test_an_endpoint_must_be_a_url(wrong):
    with pytest.raises(ConfigurationError, match="must be a URL"), backend_at(wrong):
        pass


ON_THE_ENGINE = """
import pytest
from dynamo_es import Event, StreamId
from dynamo_es.testing import faulty, lambda_events

class Opened(Event):
    __event_name__ = "opened"

@pytest.mark.parametrize("time", [1, 2])
def test_each_test_has_tables_of_its_own(local_engine, time):
    stream = StreamId(name="ann")
    local_engine.event_store.append(Opened(), stream_id=stream, expected_version=0)
    assert local_engine.log.last_position == 1
    assert len(lambda_events(local_engine)) == 1
    with faulty(local_engine, delivered_twice=0.5) as unreliable:
        unreliable.event_store.append(Opened(), stream_id=stream, expected_version=1)
    assert local_engine.event_store.version(stream) == 2
"""


@needs(Capability.BILLS)  # only the local engine reports what AWS would bill
def test_a_local_engine_is_used_if_there_is_one(engine, run_pytest):
    endpoint = engine.config_with().endpoint_url

    assert "2 passed" in run_pytest(ON_THE_ENGINE, "--dynamo-es-endpoint", endpoint)


PARALLEL = """
import pytest
from dynamo_es import Event, StreamId

class Opened(Event):
    __event_name__ = "opened"

@pytest.mark.parametrize("number", range(6))
def test_each_is_alone(dynamo_backend, number):
    stream = StreamId(name="ann")
    dynamo_backend.event_store.append(Opened(), stream_id=stream, expected_version=0)
    assert dynamo_backend.log.last_position == 1
"""


@pytest.mark.ci
def test_fixtures_work_in_several_processes(run_pytest):
    assert "6 passed" in run_pytest(PARALLEL, "-n", "2")


def test_the_plugin_loads_nothing_that_takes_time():
    program = (
        "import sys, pytest; before = set(sys.modules); import dynamo_es.testing.plugin;"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)  # noqa: S603
    heavy = {"boto3", "botocore", "cryptography", "moto", "pydantic", "tenacity", "yaml"}
    assert "dynamo_es" in printed.split()
    assert not heavy & set(printed.split())


def test_the_library_loads_no_pytest():
    program = "import sys, dynamo_es, dynamo_es.testing; print('pytest' in sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)  # noqa: S603
    assert printed == "False\n"
