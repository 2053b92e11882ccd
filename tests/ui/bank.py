"""Event classes and an aggregate that the tests import into the browser, and their streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from dynamo_es import (
    Aggregate,
    DataSubject,
    Encrypted,
    Event,
    Snapshot,
    StreamId,
    WrappedEvent,
    upcaster,
)
from tests.ui.conftest import NOON, append, raw

if TYPE_CHECKING:
    from dynamo_es.facade.backend import Backend

ADDRESS = "ann@secret.example"
WALLET = StreamId(name="wallet/ann", category="ui-wallet")


class WalletOpened(Event):
    __event_name__ = "ui.wallet.opened"

    owner: Annotated[str, DataSubject]
    email: Annotated[str, Encrypted(mask_value="(hidden)")]


class Paid(Event):
    __event_name__ = "ui.wallet.paid"
    __schema_version__ = 2

    cents: int

    @upcaster(from_version=1)
    @staticmethod
    def in_cents(data: dict[str, Any]) -> dict[str, Any]:
        return {"cents": data["euros"] * 100}


class WalletState(Snapshot):
    __event_name__ = "ui.wallet.state"

    cents: int


class Wallet(Aggregate):
    category = "ui-wallet"

    def __init__(self) -> None:
        self.cents = 0
        self.email = ""
        self._internal = "not shown"

    def __apply__(self, event: Event) -> None:
        match event:
            case WalletOpened(email=email):
                self.email = email
            case Paid(cents=cents):
                self.cents += cents

    def __snapshot__(self) -> WalletState:
        return WalletState(cents=self.cents)


def open_wallet(backend: Backend) -> None:
    """Write a wallet: an event with an encrypted field, one of an old schema, and a new one."""
    backend.event_store.append(
        WrappedEvent(WalletOpened(owner="Ann", email=ADDRESS), created_at=NOON), stream_id=WALLET
    )
    append(backend, raw(WALLET, 2, "ui.wallet.paid", {"euros": 3}))
    append(backend, raw(WALLET, 3, "ui.wallet.paid", {"cents": 7}, **{"$schema": 2}))
