"""A task may be cancelled wherever it waits: a stream has all events of an append, or none.

An append that may be stored says so; any other cancelled one has written nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from dynamo_es import ANY_VERSION, Event, Query, StreamId, WrappedEvent
from dynamo_es.aio import AsyncBackend, AsyncDynamoBackend, unknown_outcome
from dynamo_es.aio.bridged_backends import new_bridge
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.exceptions import AppendOutcomeUnknownError, ProjectionBusyError
from tests.aio.cancelling import Awaits, cancelled_everywhere
from tests.projections.balances import Deposited, add_to_balance, balance_of, create_table


class Counted(Event):
    __event_name__ = "cancelled.counted"

    number: int


Streams = dict[StreamId, list[Any]]
Append = Callable[[AsyncBackend, Streams], Awaitable[object]]


def _one(streams: Streams) -> tuple[StreamId, list[Any]]:
    ((stream, events),) = streams.items()
    return stream, events


async def _create(backend: AsyncBackend, streams: Streams) -> object:
    stream, events = _one(streams)
    return await backend.event_store.append(*events, stream_id=stream)


async def _follow(backend: AsyncBackend, streams: Streams) -> object:
    stream, events = _one(streams)
    return await backend.event_store.append(*events, stream_id=stream, expected_version=1)


async def _at_the_end(backend: AsyncBackend, streams: Streams) -> object:
    stream, events = _one(streams)
    return await backend.event_store.append(*events, stream_id=stream, expected_version=ANY_VERSION)


async def _in_a_group(backend: AsyncBackend, streams: Streams) -> object:
    stream, events = _one(streams)
    return await backend.event_store.append(
        *events, stream_id=stream, expected_version=ANY_VERSION, group=True
    )


async def _many(backend: AsyncBackend, streams: Streams) -> object:
    return await backend.event_store.append_many(streams)


async def _all(backend: AsyncBackend, streams: Streams) -> object:
    return await backend.event_store.append_all(streams)


async def _in_a_boundary(backend: AsyncBackend, streams: Streams) -> object:
    stream, events = _one(streams)
    boundary = backend.boundary(str(stream.name))
    return await boundary.append(*events, fail_if=Query.everything(), after=1)


CASES: dict[str, tuple[Append, int, int]] = {
    "create": (_create, 1, 0),
    "at a version": (_follow, 1, 1),
    "at the end": (_at_the_end, 1, 1),
    "in a group": (_in_a_group, 1, 1),
    "to several streams": (_many, 3, 0),
    "to all of several streams": (_all, 3, 0),
    "in a boundary": (_in_a_boundary, 1, 1),
}
"""The append, of how many streams, and how many events each has before."""

MAY_BE_TWICE = {"at the end", "in a group"}
"""Where a repeated append may be stored twice."""


@pytest.fixture(scope="module")
def local() -> Iterator[AsyncDynamoBackend]:
    backend = AsyncDynamoBackend.local()
    yield backend
    asyncio.run(backend.close())


@pytest.fixture(scope="module")
def backend(local: AsyncDynamoBackend) -> AsyncDynamoBackend:
    return AsyncDynamoBackend(local.config, client=local.client)


@pytest.mark.parametrize("case", CASES)
def test_a_cancelled_append_is_stored_as_a_whole_or_not_at_all(backend, case):
    append, number, before = CASES[case]
    store = backend.event_store

    async def run(awaits: Awaits) -> bool:
        streams = {
            boundary_stream(uuid4().hex): [WrappedEvent.wrap(Counted(number=n)) for n in (2, 3)]
            for _ in range(number)
        }
        for stream in streams:
            if before:
                await store.append(Counted(number=1), stream_id=stream)
        error: BaseException | None = None
        with awaits.of_all_calls():
            try:
                await asyncio.create_task(append(backend, streams))  # type: ignore[arg-type]
            except asyncio.CancelledError as cancelled:
                error = cancelled
        found = [await store.load_stream(stream) for stream in streams]
        lengths = [len(events) - before for events in found]
        assert set(lengths) <= {0, 2}
        if error is None:
            assert lengths == [2] * number
            return False
        if 2 in lengths:
            assert unknown_outcome(error) is not None
        if case not in MAY_BE_TWICE:
            await append(backend, streams)
            assert all([len(await store.load_stream(stream)) == 2 + before for stream in streams])
        return True

    assert cancelled_everywhere(run) >= 1


def test_a_time_out_tells_that_the_outcome_is_unknown(backend):
    store, stream = backend.event_store, StreamId()

    async def time_out() -> BaseException:
        slow = asyncio.Event()

        class Slow(Awaits):
            async def instead(self, awaitable: Any) -> Any:
                found = await awaitable
                await slow.wait()
                return found

        with Slow().of_all_calls(), pytest.raises(TimeoutError) as raised:
            async with asyncio.timeout(0.3):
                await store.append(Counted(number=1), stream_id=stream)
        return raised.value

    unknown = unknown_outcome(asyncio.run(time_out()))
    assert isinstance(unknown, AppendOutcomeUnknownError)
    assert unknown.stream_id == str(stream)
    assert len(asyncio.run(store.load_stream(stream))) == 1


def test_a_load_that_is_cancelled_leaves_nothing_unknown(backend):
    store = backend.event_store

    async def load() -> BaseException:
        with Awaits(0).of_all_calls(), pytest.raises(asyncio.CancelledError) as raised:
            await asyncio.create_task(store.load_stream(StreamId()))
        return raised.value

    assert unknown_outcome(asyncio.run(load())) is None


@pytest.mark.ci
def test_a_cancelled_projection_gives_its_lease_back_or_lets_it_end(backend):
    tenants = iter(f"projected {number}" for number in range(1000))

    async def run(awaits: Awaits) -> bool:
        scoped = backend.in_tenant(next(tenants))
        for number in (1, 2, 3):
            await scoped.event_store.append(Counted(number=number), stream_id=StreamId())
        seen: list[int] = []

        async def handle(recorded: Any) -> None:
            seen.append(recorded.wrapped_event.event.number)

        projection = scoped.projection("numbers", handle, lease=0.1, batch_size=2)
        cancelled = False
        with awaits.of_all_calls():
            try:
                await asyncio.create_task(projection.run_once())
            except asyncio.CancelledError:
                cancelled = True
        while True:  # until a lease that nobody gave back has ended
            try:
                await projection.run_once()
                break
            except ProjectionBusyError:
                await asyncio.sleep(0.02)
        assert list(dict.fromkeys(seen)) == [1, 2, 3]
        return cancelled

    assert cancelled_everywhere(run) >= 3


@pytest.mark.ci
def test_a_cancelled_projection_makes_each_of_its_writes_once(backend):
    create_table(backend.client)
    accounts = iter(f"cancelled {number}" for number in range(1000))

    async def run(awaits: Awaits) -> bool:
        account = next(accounts)
        scoped = backend.in_tenant(account)
        for amount in (1, 2, 4):
            await scoped.event_store.append(
                Deposited(account=account, amount=amount), stream_id=StreamId()
            )
        projection = scoped.projection("p", add_to_balance, lease=0.1, batch_size=2, writes=True)
        cancelled = False
        with awaits.of_all_calls():
            try:
                await asyncio.create_task(projection.run_once())
            except asyncio.CancelledError:
                cancelled = True
        while True:
            try:
                await projection.run_once()
                break
            except ProjectionBusyError:
                await asyncio.sleep(0.02)
        assert balance_of(backend.client, account) == (7, 3)
        return cancelled

    assert cancelled_everywhere(run) >= 3


def test_the_bridge_is_of_greenlets_here():
    assert type(new_bridge(1)).__name__ == "GreenletBridge"
