"""An application runs unchanged: one setting says where its events are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from eventsourcing.cipher import AESCipher

from dynamo_es.adapters.eventsourcing.versions import IS_10

if TYPE_CHECKING or not IS_10:
    from tests.adapters.eventsourcing.example import DogSchool
else:
    from tests.adapters.eventsourcing.example_10 import DogSchool

PLAIN: dict[str, str] = {}
SEALED = {"COMPRESSOR_TOPIC": "zlib", "CIPHER_TOPIC": "eventsourcing.cipher:AESCipher"}


@pytest.mark.parametrize("settings", [PLAIN, SEALED], ids=["plain", "sealed"])
def test_an_application_needs_nothing_but_the_setting(monkeypatch, tables, settings):
    for name, value in {**tables.env, **settings}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CIPHER_KEY", AESCipher.create_key(16) if settings else "")
    school = DogSchool()

    dog = school.register_dog("Fido")
    school.add_trick(dog, "roll over")
    school.remember_dog(dog)
    school.add_trick(dog, "play dead")

    assert DogSchool().get_tricks(dog) == ["roll over", "play dead"]
    assert [item.id for item in school.notification_log["1,10"].items] == [1, 2, 3]
    client = school.factory.runtime.client()  # type: ignore[attr-defined]
    stored = client.scan(TableName=tables.env["DYNAMO_ES_EVENTS_TABLE"])["Items"]
    categories = [str(item["stream_key"]["S"]).split("#")[1] for item in stored]
    assert sorted(categories) == ["DogSchool_events"] * 3 + ["DogSchool_snapshots"]
    assert ("Fido" in str(stored)) is not bool(settings)
