"""Asynchronous code as applications write it, which type checkers accept at their strictest."""

from __future__ import annotations

import asyncio
from typing import Any, assert_type

from dynamo_es import Aggregate, Event, Recorded, StoredVersion, StreamId, WrappedEvent
from dynamo_es.aio import (
    AsyncBackend,
    AsyncDynamoBackend,
    AsyncEventStore,
    AsyncMemoryBackend,
    AsyncProjection,
    AsyncRepository,
    unknown_outcome,
)
from dynamo_es.fastapi import AsyncAggregates, AsyncEventSourcing


class Opened(Event):
    owner: str


class Deposited(Event):
    cents: int


class Account(Aggregate):
    category = "async.account"

    def __init__(self) -> None:
        self.cents = 0

    def __apply__(self, event: Event) -> None:
        if isinstance(event, Deposited):
            self.cents += event.cents

    def deposit(self, cents: int) -> int:
        self._emit(Deposited(cents=cents))
        return self.cents


async def streams(store: AsyncEventStore, ann: StreamId) -> None:
    assert_type(await store.append(Opened(owner="Ann"), stream_id=ann), StoredVersion | None)
    assert_type(await store.load_stream(ann), list[WrappedEvent[Any]])
    assert_type(await store.load_stream(ann, events=Deposited), list[WrappedEvent[Deposited]])
    async for stored in store.iter_stream(ann, events=Deposited):
        assert_type(stored, WrappedEvent[Deposited])
    assert_type(await store.position, int | None)
    assert_type(await store.exists(ann), bool)


async def aggregates(store: AsyncEventStore) -> None:
    accounts = AsyncRepository(store, Account)
    assert_type(accounts, AsyncRepository[Account])
    assert_type(await accounts.load("ann"), Account)
    assert_type(await accounts.transact("ann", lambda account: account.deposit(5)), int)
    assert_type(await accounts.transact("ann", decide), str)
    async with accounts.aggregate("ann") as account:
        assert_type(account, Account)
        account.deposit(1)


async def decide(account: Account) -> str:
    await asyncio.sleep(0)
    return str(account.deposit(2))


async def handle(recorded: Recorded) -> None:
    await asyncio.sleep(recorded.position)


def handle_in_a_thread(recorded: Recorded) -> None:
    assert recorded.position


async def listen(
    wrapped_event: WrappedEvent[Any], stream_id: StreamId, tenant_id: str, position: int | None
) -> None:
    assert wrapped_event.version == position
    assert str(stream_id) != tenant_id


async def consumers(backend: AsyncBackend) -> None:
    projection = backend.projection("balances", handle)
    assert_type(projection, AsyncProjection)
    await projection.run_forever(asyncio.Event())
    await backend.projection("others", handle_in_a_thread).run_once()
    async with projection.in_background() as running:
        assert_type(running, AsyncProjection)
    await backend.with_outbox().outbox.run_once(handle)
    backend.listeners.register(listen, to=Opened)
    async for recorded in backend.subscriber.after(0).to_category("async.account"):
        assert_type(recorded, Recorded)
    async for maybe in backend.subscriber.build_iter(1):
        assert_type(maybe, Recorded | None)
    await backend.encryption.shred("ann")


async def over_http(accounts: AsyncAggregates[Account]) -> None:
    assert_type(await accounts.load("ann"), Account)
    saved = await accounts.transact("ann", lambda account: account.deposit(5))
    assert_type(saved.result, int)
    decided = await accounts.transact("ann", decide, must_exist=True)
    assert_type(decided.result, str)
    assert_type(decided.aggregate, Account)


def application() -> AsyncEventSourcing:
    return AsyncEventSourcing(AsyncDynamoBackend.from_env)


async def main() -> None:
    async with AsyncDynamoBackend.from_env() as backend:
        assert_type(backend, AsyncDynamoBackend)
        await backend.create_tables()
        await streams(backend.in_tenant("acme").event_store, StreamId(name="ann"))
        async with backend.sequencer.in_background():
            await aggregates(backend.event_store)
    async with AsyncMemoryBackend() as memory:
        await consumers(memory)
    try:
        async with asyncio.timeout(1):
            await main()
    except TimeoutError as error:
        assert unknown_outcome(error) is None
