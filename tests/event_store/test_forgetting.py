"""Encrypted fields, as an application uses them."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from dynamo_es import DataSubject, Encrypted, Event, Snapshot, WrappedEvent, upcaster
from dynamo_es.exceptions import DecryptionError, NoSubjectIdFound
from dynamo_es.testing.conformance.language import an_event


class Contact(BaseModel):
    email: Annotated[str, Encrypted(mask_value="(gone)")]
    phones: list[Annotated[int, Encrypted(mask_value=0)]] = []


class Registered(Event):
    __event_name__ = "customer.registered"

    customer: Annotated[str, DataSubject]
    plan: str
    contact: Contact
    note: Annotated[str | None, Encrypted(mask_value=None)] = None


class Renamed(Event):
    """First `fullname`, now `name`."""

    __event_name__ = "customer.renamed"
    __schema_version__ = 2

    customer: Annotated[str, DataSubject]
    name: Annotated[str, Encrypted(mask_value="(gone)")]

    @upcaster(from_version=1)
    @staticmethod
    def name_alone(data: dict[str, Any]) -> dict[str, Any]:
        return {"customer": data["customer"], "name": data["fullname"].title()}


class Nobodys(Event):
    __event_name__ = "nobodys"

    diary: Annotated[str, Encrypted(mask_value="")]


class CustomerState(Snapshot):
    __event_name__ = "customer.state"

    customer: Annotated[str, DataSubject]
    email: Annotated[str, Encrypted(mask_value="(gone)")]


@pytest.fixture
def ann(stream) -> str:
    """A subject that no other test has."""
    return f"ann {stream}"


@pytest.fixture
def registered(ann) -> Registered:
    contact = Contact(email="ann@example.com", phones=[5550123456789, 5559876543210])
    return Registered(customer=ann, plan="free", contact=contact, note="likes tea")


def loaded(store, stream):
    return [one.event for one in store.load_stream(stream)]


def test_what_is_stored_cannot_be_read_and_what_is_loaded_can(backend, stream, registered):
    backend.event_store.append(registered, stream_id=stream)

    (raw,) = backend.storage.fetch_events(stream)
    for secret in ("ann@example.com", "5550123456789", "5559876543210", "likes tea"):
        assert secret not in str(raw.data)
    assert raw.data["plan"] == "free"
    assert loaded(backend.event_store, stream) == [registered]


def test_another_process_can_read_it(engine, backend, stream, registered):
    backend.event_store.append(registered, stream_id=stream)

    process = backend if backend.__module__.startswith("dynamo_es.memory") else None
    store = (process or engine.fresh_process()).event_store
    assert loaded(store, stream) == [registered]


def test_a_shredded_subject_is_masked_for_good(backend, stream, registered, ann):
    backend.event_store.append(registered, stream_id=stream)

    backend.encryption.shred(ann)

    masked = registered.model_copy(
        update={"contact": Contact(email="(gone)", phones=[0, 0]), "note": None}
    )
    assert loaded(backend.event_store, stream) == [masked]
    # A key made anew for the same subject opens nothing of before.
    backend.event_store.append(registered, stream_id=stream, expected_version=1)
    assert loaded(backend.event_store, stream) == [masked, registered]


def test_another_subject_and_another_tenant_are_not_touched(backend, stream, registered, ann):
    other = registered.model_copy(update={"customer": f"bob {stream}"})
    backend.event_store.append(registered, other, stream_id=stream)
    backend.in_tenant("acme").event_store.append(registered, stream_id=stream)

    backend.encryption.shred(ann)

    assert loaded(backend.event_store, stream)[1] == other
    assert loaded(backend.in_tenant("acme").event_store, stream) == [registered]


def test_an_encrypted_field_of_an_old_schema_is_lifted_readable(backend, stream, ann):
    event = Renamed(customer=ann, name="ann lee")
    (stored,) = _stored(backend, stream, event)
    # What the release before had stored: the same value, under the field's old name.
    backend.event_store.delete_stream(stream)
    old = _Old(customer=ann, fullname="ann lee")
    data, notes = backend.encryption.encrypt(old, old.model_dump(mode="json"), stream, stored.uuid)
    raw = an_event(
        stream,
        uuid=stored.uuid,
        name="customer.renamed",
        data=data,
        context={"$encrypted": notes},
    )

    (lifted,) = backend.event_store.read([raw])
    backend.encryption.shred(ann)
    (forgotten,) = backend.event_store.read([raw])

    assert lifted.event == Renamed(customer=ann, name="Ann Lee")
    assert forgotten.event == Renamed(customer=ann, name="(Old)")


class _Old(BaseModel):
    customer: Annotated[str, DataSubject]
    fullname: Annotated[str, Encrypted(mask_value="(old)")]


def _stored(backend, stream, event):
    backend.event_store.append(event, stream_id=stream)
    return backend.storage.fetch_events(stream)


def test_a_value_that_was_moved_is_not_read(backend, stream, registered):
    (raw,) = _stored(backend, stream, registered)
    raw.data["note"], raw.data["contact"]["email"] = (
        raw.data["contact"]["email"],
        raw.data["note"],
    )

    with pytest.raises(DecryptionError):
        backend.event_store.read([raw])


def test_without_a_subject_nothing_is_written(backend, stream):
    with pytest.raises(NoSubjectIdFound, match="/diary"):
        backend.event_store.append(Nobodys(diary="x"), stream_id=stream)

    assert backend.event_store.load_stream(stream) == []


def test_a_snapshot_is_encrypted_and_forgotten_too(backend, stream, registered, ann):
    state = CustomerState(customer=ann, email="ann@example.com")
    backend.event_store.append(registered, stream_id=stream)
    backend.event_store.save_snapshot(stream, WrappedEvent.wrap(state, version=1))

    assert loaded(backend.event_store, stream) == [state]
    backend.encryption.shred(ann)
    assert loaded(backend.event_store, stream) == [CustomerState(customer=ann, email="(gone)")]


def test_the_context_shows_nothing_of_the_store_s_own(backend, stream, registered):
    backend.event_store.append(registered, stream_id=stream)

    assert backend.event_store.load_stream(stream)[0].context.model_extra == {}


@pytest.mark.parametrize("newest_first", [False, True])
def test_events_read_one_by_one_are_decrypted_and_masked_too(backend, stream, ann, newest_first):
    store = backend.event_store
    for version, customer in enumerate((ann, f"bob {stream}", ann)):
        registered = Registered(customer=customer, plan="a", contact=Contact(email=customer))
        store.append(registered, stream_id=stream, expected_version=version)
    backend.encryption.shred(f"bob {stream}")

    found = [one.event.contact.email for one in store.iter_stream(stream, page_size=1)]
    assert found == [ann, "(gone)", ann]
    assert (
        list(store.iter_stream(stream, newest_first=newest_first))
        == (store.load_stream(stream)[:: -1 if newest_first else 1])
    )
