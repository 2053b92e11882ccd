"""Several aggregates and streams change in one write, for tasks too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from dynamo_es import StreamId
from dynamo_es.aio import AsyncDynamoBackend, AsyncMemoryBackend, AsyncRepository
from dynamo_es.exceptions import AppendAllConflictError
from tests.aggregates.account import Account
from tests.event_store.accounts import Opened

if TYPE_CHECKING:
    from dynamo_es.aio import AsyncBackend

BACKENDS = {"memory": AsyncMemoryBackend, "moto": AsyncDynamoBackend.local}


async def transfer(backend: AsyncBackend) -> None:
    accounts = AsyncRepository(backend.event_store, Account)
    for name in ("ann", "bob"):
        await accounts.transact(name, lambda account: account.deposit(10))

    async def send(sender: Account, receiver: Account) -> int:
        await asyncio.sleep(0)
        sender.withdraw(4)
        receiver.deposit(4)
        return sender.balance

    assert await accounts.transact_all(["ann", "bob"], send) == 6
    ann, bob = [await accounts.load(name) for name in ("ann", "bob")]
    assert (ann.balance, bob.balance) == (6, 14)
    ann.deposit(1)
    await accounts.transact("bob", lambda account: account.deposit(1))
    with pytest.raises(AppendAllConflictError):
        await accounts.save_all({"ann": ann, "bob": bob})


async def append(backend: AsyncBackend) -> None:
    new, other = StreamId(category="account"), StreamId(category="account")
    store = backend.event_store
    call = {new: [Opened(owner="Ann")]}
    assert await store.append_all(call, unchanged={other: 0}) == {new: 1}
    await store.append(Opened(owner="Bob"), stream_id=other)
    with pytest.raises(AppendAllConflictError):
        await store.append_all(
            {StreamId(category="account"): [Opened(owner="Eve")]}, unchanged={other: 0}
        )


@pytest.mark.parametrize("made", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("used", [transfer, append])
def test_tasks_change_several_at_once(made, used):
    async def run() -> None:
        async with made() as backend:
            await used(backend)

    asyncio.run(run())
