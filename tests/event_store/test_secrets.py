"""Secrets such as SecretStr are stored encrypted, or refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, Secret, SecretBytes, SecretStr

from dynamo_es import DataSubject, Encrypted, Event
from dynamo_es.exceptions import InvalidEventError
from tests.event_store.shapes import account_of

PASSWORD = SecretStr("hunter2")
GONE = Encrypted(mask_value="(gone)")


class Card(BaseModel):
    number: SecretStr = Field(min_length=16, alias="Number")
    codes: list[SecretStr] = []


class Token(RootModel[SecretStr]):
    pass


@dataclass
class Login:
    user: str
    password: SecretStr


class SignedUp(Event):
    """Holds secrets in every way in which a field can be marked."""

    __event_name__ = "account.signed-up"

    customer: Annotated[str, DataSubject] = "ann"
    password: Annotated[SecretStr, GONE] = PASSWORD
    perhaps: Annotated[SecretStr | None, Encrypted(mask_value=None)] = PASSWORD
    either: Annotated[SecretStr, GONE] | None = PASSWORD
    several: list[Annotated[SecretStr, GONE]] = [PASSWORD, SecretStr("")]
    by_name: dict[str, Annotated[SecretStr, GONE]] = {"a/b": PASSWORD, "~": PASSWORD}
    all_at_once: Annotated[set[SecretStr], Encrypted(mask_value=[])] = {PASSWORD, SecretStr("x")}
    card: Annotated[Card | None, Encrypted(mask_value=None)] = Card(
        Number=SecretStr("4111111111111111"), codes=[PASSWORD]
    )
    login: Annotated[Login | None, Encrypted(mask_value=None)] = Login("ann", PASSWORD)
    token: Annotated[Token, GONE] = Token(PASSWORD)
    raw: Annotated[SecretBytes, GONE] = SecretBytes("ä".encode())
    born: Annotated[Secret[date] | None, Encrypted(mask_value=None)] = Secret[date](
        date(2000, 1, 2)
    )


class Binary(Event):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    __event_name__ = "account.binary"

    customer: Annotated[str, DataSubject] = "ann"
    raw: Annotated[SecretBytes, Encrypted(mask_value="")]


class Careless(Event):
    __event_name__ = "account.careless"

    customer: Annotated[str, DataSubject] = "ann"
    password: Annotated[SecretStr, GONE] = PASSWORD
    again: list[SecretStr] = []


def test_secrets_in_encrypted_fields_come_back(backend, stream):
    backend.event_store.append(SignedUp(), stream_id=stream)

    (loaded,) = backend.event_store.load_stream(stream)
    assert account_of(loaded.event) == account_of(SignedUp())
    assert loaded.event.password.get_secret_value() == "hunter2"


def test_neither_secrets_nor_asterisks_are_stored(backend, stream):
    backend.event_store.append(SignedUp(), stream_id=stream)

    (raw,) = backend.storage.fetch_events(stream)
    stored = str((raw.data, raw.context))
    assert not [text for text in ("hunter2", "4111", "***", "2000-01-02") if text in stored]


def test_what_is_shredded_loads_as_its_mask(backend, stream):
    backend.event_store.append(SignedUp(), stream_id=stream)

    backend.encryption.shred("ann")

    (loaded,) = backend.event_store.load_stream(stream)
    assert loaded.event.password == SecretStr("(gone)")
    assert loaded.event.card is None


def test_bytes_that_are_no_text_need_a_mode(backend, stream):
    event = Binary(raw=SecretBytes(b"\x00\xff"))
    backend.event_store.append(event, stream_id=stream)

    (loaded,) = backend.event_store.load_stream(stream)
    assert loaded.event == event

    with pytest.raises(InvalidEventError, match="raw is a secret"):
        backend.event_store.append(
            SignedUp(raw=SecretBytes(b"\xff")), stream_id=stream, expected_version=1
        )


def test_a_secret_beside_the_encrypted_ones_is_refused(backend, stream):
    with pytest.raises(InvalidEventError, match=r"again\[0\] is a secret") as caught:
        backend.event_store.append(Careless(again=[PASSWORD]), stream_id=stream)

    assert "hunter2" not in str(caught.value)
    assert backend.event_store.load_stream(stream) == []


def test_an_encrypted_field_of_any_type_gives_no_secret_back(backend, stream):
    class Anything(Event):
        __event_name__ = "account.anything"

        customer: Annotated[str, DataSubject] = "ann"
        any: Annotated[Any, GONE]

    with pytest.raises(InvalidEventError, match="any is a secret"):
        backend.event_store.append(Anything(any=PASSWORD), stream_id=stream)


def test_a_refused_append_makes_no_key(backend, stream, monkeypatch):
    made = []
    monkeypatch.setattr(
        type(backend.encryption._key_storage),
        "get_or_create",
        lambda *arguments: made.append(arguments),
    )

    with pytest.raises(InvalidEventError, match=r"again\[0\] is a secret"):
        backend.event_store.append(SignedUp(), Careless(again=[PASSWORD]), stream_id=stream)

    assert made == []
