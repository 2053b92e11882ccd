"""Every operation, with every fault at every request, succeeds or raises a documented error.

Running it again ends in the right state. A cancelled task is one more fault, over asyncio.
"""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import replace
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import (
    DynamoBackend,
    DynamoConfig,
    ExplicitVersioning,
    StorageStrategy,
)
from dynamo_es.aio import unknown_outcome
from dynamo_es.aio.transport.clients import LoopClient
from dynamo_es.dynamodb.emulator.emulator import Emulator
from dynamo_es.dynamodb.wire.boto.sending import sender_of
from dynamo_es.dynamodb.wire.client import make_client
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    AppendsFailedError,
    ContentionError,
    ThrottledError,
    UnavailableError,
)
from dynamo_es.testing.conformance.language import (
    assert_same,
    events,
    numbered,
)
from dynamo_es.testing.faults import Fault, Network
from tests.dynamodb.async_emulated import async_client, async_process
from tests.dynamodb.boundary_operations import BOUNDARY_OPERATIONS
from tests.dynamodb.lean_emulated import lean_client
from tests.dynamodb.operations import OPERATIONS, DeletionOfALongStream, Operation, WarmAppend
from tests.on_loop import LoopInThread
from tests.without_moto import without_moto

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every fault at every request of every operation, by both transports: a minute.
pytestmark = pytest.mark.ci

CONFIG = DynamoConfig(events_table="events", log_table="log", keys_table="keys")

DOCUMENTED = (AppendOutcomeUnknownError, ContentionError, ThrottledError, UnavailableError)


@pytest.fixture(scope="module")
def emulator() -> Iterator[tuple[Emulator, DynamoBackend]]:
    with Emulator() as emulator:
        backend = DynamoBackend(CONFIG, emulator.client(CONFIG))
        backend.create_tables()
        yield emulator, backend


@pytest.fixture
def emulated(emulator: tuple[Emulator, DynamoBackend]) -> DynamoBackend:
    # Emptied for each test: moto goes through all items of a table for every query. What sends the
    # requests is new as well: the SDK's quota of retries would not last for all tests.
    emulator[0].empty()
    return DynamoBackend(CONFIG, emulator[1].client)


class Cancelled(StrEnum):
    """What may happen to a task that waits for a reply."""

    BEFORE = "cancelled before the request is carried out"
    AFTER = "cancelled after the request was carried out"


TRANSPORTS = ["default", "lean", "asyncio"]

FAULTS = [
    pytest.param(
        transport, fault, lasting, id=f"{transport}-{fault}" + ("-from then on" if lasting else "")
    )
    for transport in TRANSPORTS
    for fault in [*Fault, *(Cancelled if transport == "asyncio" else [])]
    # What is sent after a fault does not depend on how its request was sent.
    for lasting in ([False] if transport == "asyncio" else [False, True])
]


@pytest.fixture(params=TRANSPORTS)
def network(
    emulated: DynamoBackend, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Network:
    if request.param == "lean":
        return Network(lean_client(emulated.client, CONFIG))
    if request.param == "asyncio":
        return Network(async_client(emulated.client, CONFIG))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")
    endpoint = emulated.client.meta.endpoint_url
    with without_moto():
        client: Any = make_client(replace(CONFIG, endpoint_url=endpoint, region="us-east-1"))
    client._endpoint.http_session = emulated.client._endpoint.http_session  # type: ignore[attr-defined]
    return Network(client)


def process(emulated: DynamoBackend, network: Network) -> StorageStrategy:
    """A process that remembers nothing yet, on the network's clock."""
    if isinstance(network.client, LoopClient):
        return async_process(emulated.config, network, loop())
    return DynamoBackend(
        emulated.config, network.client, monotonic=network.monotonic, sleep=network.sleep
    ).storage


@cache
def loop() -> LoopInThread:
    """Return the event loop of all tests."""
    return LoopInThread()


@pytest.mark.parametrize(("network", "fault", "lasting"), FAULTS, indirect=["network"])
@pytest.mark.parametrize(
    "kind", [*OPERATIONS, *BOUNDARY_OPERATIONS], ids=lambda kind: kind.__name__
)
def test_operation_survives_or_says_so(
    emulated: DynamoBackend,
    network: Network,
    kind: type[Operation],
    fault: Fault | Cancelled,
    lasting: bool,
) -> None:
    for position in range(100):
        operation = kind()
        storage = process(emulated, network)
        operation.prepare(storage)

        def choose(request: int, position: int = position) -> Fault | None:
            hit = request >= position if lasting else request == position
            if hit and isinstance(fault, Cancelled):
                cancel(network, fault)
            return fault if hit and isinstance(fault, Fault) else None

        network.plan(choose)
        failed: BaseException | None = None
        with network.between():
            try:
                operation.run(storage)
            except (*DOCUMENTED, AppendsFailedError) as error:
                assert all(isinstance(e, DOCUMENTED) for e in getattr(error, "errors", {}).values())
                failed = error
            except CancelledError as error:
                failed = error
        hit = network.sent > position
        assert network.directly == (network.sent if sender_of(network.client) else 0)
        network.deliver_late()

        if isinstance(fault, Cancelled):
            assert hit == isinstance(failed, CancelledError)
        else:
            assert lasting or failed is None, f"a single {fault} at {position} was not survived"
        if failed is not None:
            again(operation, storage, failed)
        operation.check(process(emulated, network))
        operation.check(storage)
        if not hit:
            return
    pytest.fail("the operation never ended")


def cancel(network: Network, fault: Cancelled) -> None:
    """Cancel the task that waits for the operation."""
    wire: Any = network._ordinary
    wire.waits_after = fault is Cancelled.AFTER
    task = loop().task
    assert task is not None
    task.cancel()


def again(operation: Operation, storage: StorageStrategy, failed: BaseException) -> None:
    """Run a failed operation again, as its error says."""
    stored = {event.uuid for event in storage.fetch_events(operation.stream, 1)}
    there = [event.uuid in stored for event in operation.appended]
    if isinstance(failed, CancelledError) and any(there):
        assert unknown_outcome(failed) is not None, "the caller cannot know that they are stored"
    if not operation.repeatable:
        assert all(there) or not any(there), "stored in part"
        if all(there):
            return
    operation.run(storage)


@pytest.mark.parametrize("position", range(10))
def test_late_requests_of_a_deletion_do_not_touch_the_next_generation(
    emulated: DynamoBackend, network: Network, position: int
) -> None:
    operation = DeletionOfALongStream()
    storage = process(emulated, network)
    operation.prepare(storage)
    network.plan(lambda request: Fault.LATE if request == position else None)
    with network.between():
        operation.run(storage)
    next_generation = [events(operation.stream, size) for size in (2, 2, 1)]
    version = 0
    for commit in next_generation:
        storage.insert_events(operation.stream, ExplicitVersioning(version), commit)
        version += len(commit)

    network.deliver_late()

    assert_same(
        process(emulated, network).fetch_events(operation.stream, 1),
        numbered([event for commit in next_generation for event in commit]),
    )


@pytest.mark.parametrize("position", range(4))
def test_late_appends_of_an_earlier_generation_stay_out(
    emulated: DynamoBackend, network: Network, position: int
) -> None:
    operation = WarmAppend()
    storage = process(emulated, network)
    operation.prepare(storage)
    network.plan(lambda request: Fault.LATE if request <= position else None)
    with network.between():
        try:
            operation.run(storage)
        except AppendOutcomeUnknownError:
            assert position == 3, "the SDK makes four attempts"
    storage.delete_stream(operation.stream)
    first = events(operation.stream, 1)
    storage.insert_events(operation.stream, ExplicitVersioning(0), first)

    network.deliver_late()

    assert_same(process(emulated, network).fetch_events(operation.stream, 1), numbered(first))
