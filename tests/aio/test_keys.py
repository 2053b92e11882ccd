"""Encrypted fields: requests to KMS are sent by threads, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import Annotated, Any

from dynamo_es import DataSubject, Encrypted, Event, StreamId
from dynamo_es.aio import AsyncDynamoBackend
from dynamo_es.dynamodb.subject_keys import wrapping


class Registered(Event):
    __event_name__ = "async_keys.registered"

    customer: Annotated[str, DataSubject]
    email: Annotated[str, Encrypted(mask_value="(gone)")]


class SlowKms:
    """Wraps keys in its own way, which takes a while."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def encrypt(self, Plaintext: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - KMS's name
        self._wait()
        return {"CiphertextBlob": b"wrapped" + Plaintext}

    def decrypt(self, CiphertextBlob: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._wait()
        return {"Plaintext": CiphertextBlob.removeprefix(b"wrapped")}

    def _wait(self) -> None:
        self.threads.append(threading.get_ident())
        time.sleep(0.05)


def test_the_loop_goes_on_while_kms_works(monkeypatch):
    kms = SlowKms()
    monkeypatch.setattr(wrapping, "_make_client", lambda _: kms)

    async def use() -> tuple[str, int]:
        async with AsyncDynamoBackend.local() as local:
            config = replace(local.config, kms_key_id="alias/subjects")
            backends = [AsyncDynamoBackend(config, client=local.client) for _ in range(2)]
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0.001)

            ticking = asyncio.create_task(tick())
            stream = StreamId()
            event = Registered(customer="ann", email="ann@example.com")
            await backends[0].event_store.append(event, stream_id=stream)
            [stored] = await backends[1].event_store.load_stream(stream)  # it has no key yet
            ticking.cancel()
            for backend in backends:
                await backend.close()
            return stored.event.email, ticks

    email, ticks = asyncio.run(use())
    assert email == "ann@example.com"
    assert len(kms.threads) == 2
    assert threading.get_ident() not in kms.threads
    assert ticks > 20
