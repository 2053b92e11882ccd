"""Events of a bank account, for the tests of typed events."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from dynamo_es import Event, Snapshot, upcaster


class Opened(Event):
    __event_name__ = "account.opened"

    owner: str


class Deposited(Event):
    __event_name__ = "account.deposited"

    amount: int = Field(gt=0)


class Closed(Event):
    """Of the default name."""


class Balance(Snapshot):
    __event_name__ = "account.balance"

    balance: int


class Kind(Enum):
    CREDIT = "credit"
    DEBIT = "debit"


class Address(BaseModel):
    street: str
    lines: tuple[str, ...] = ()


class Everything(Event):
    """Of every kind of field that JSON has no type for."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    __event_name__ = "account.everything"

    day: date
    amount: Decimal
    took: timedelta
    id: UUID
    kind: Kind
    raw: bytes
    tags: set[str]
    address: Address | None
    rows: list[dict[str, int]]
    either: int | str
    any: Any = None
    named: str = Field(alias="Named-So")


class Strict(Event):
    """Takes a date for a date only; in JSON, a date is text."""

    model_config = ConfigDict(strict=True)

    __event_name__ = "account.strict"

    day: date
    id: UUID
    names: tuple[str, ...]


class Moved(Event):
    """In its third schema: first `to`, then `street` and `city`, now one address."""

    __event_name__ = "account.moved"
    __event_aliases__ = ("bank.Moved",)
    __schema_version__ = 3

    address: Address

    @upcaster(from_version=1)
    @staticmethod
    def split(data: dict[str, Any]) -> dict[str, Any]:
        street, _, city = data["to"].partition(", ")
        return {"street": street, "city": city}

    @upcaster(from_version=2)
    @staticmethod
    def nest(data: dict[str, Any]) -> dict[str, Any]:
        street = data.pop("street")
        return {"address": {"street": street, "lines": [data.pop("city")]}}
