"""DynamoBackend.clear(): an emulator for many tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from dynamo_es import DynamoBackend, DynamoConfig, StreamId
from dynamo_es.exceptions import ConfigurationError
from tests.event_store.accounts import Opened

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM = StreamId(name="ann", category="account")


@pytest.fixture
def backend() -> Iterator[DynamoBackend]:
    with DynamoBackend.local() as backend:
        yield backend


def test_nothing_is_left(backend):
    backend.event_store.append(Opened(owner="ann"), stream_id=STREAM, expected_version=0)
    backend.projection("p", lambda _: None).run_once()

    backend.clear()

    assert backend.event_store.load_stream(STREAM) == []
    assert backend.log.last_position is None
    assert backend.checkpoints.position("p") is None
    assert [backend.client.scan(TableName=table)["Items"] for table in backend.config.tables] == [
        [],
        [],
        [],
    ]


def test_work_goes_on_from_the_first_version_and_position(backend):
    for _ in range(3):
        for version in range(2):
            backend.event_store.append(
                Opened(owner="ann"), stream_id=STREAM, expected_version=version
            )
        assert backend.event_store.position == 2
        handled: list[int] = []
        backend.projection("p", lambda one: handled.append(one.position)).run_once()  # noqa: B023
        assert handled == [1, 2]
        backend.clear()


@pytest.mark.ci
def test_a_new_sequencer_begins_at_the_first_position():
    with DynamoBackend.local(sequencing="stream") as backend:
        for _ in range(2):
            backend.event_store.append(Opened(owner="a"), stream_id=STREAM, expected_version=0)
            backend.sequencer.run_once()
            assert backend.log.last_position == 1
            backend.clear()


def test_other_backends_are_never_cleared(backend):
    config = DynamoConfig(events_table="e", log_table="l", keys_table="k")
    for other in (DynamoBackend(config), backend.in_tenant("t")):
        with pytest.raises(ConfigurationError, match=r"only on the backend that\s+Dynamo"):
            other.clear()
    backend.close()
    with pytest.raises(ConfigurationError):
        backend.clear()


def test_clearing_is_far_cheaper_than_a_new_emulator(backend):
    started = time.perf_counter()
    for _ in range(20):
        backend.clear()
    assert (time.perf_counter() - started) / 20 < 0.005
