"""Encryption of events: round trips, masks, shredding and cost."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from threading import Event as Signal
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import from_json, to_json

from dynamo_es.event_store.encryption.marks import DataSubject, Encrypted
from dynamo_es.event_store.encryption.service import Encryption
from dynamo_es.exceptions import (
    DecryptionError,
    InvalidEventError,
    InvalidSubjectError,
    NoSubjectIdFound,
    UnavailableError,
    UnknownSubjectError,
)
from dynamo_es.memory import MemoryKeyStorage
from dynamo_es.values import StreamId, SubjectKey

STREAM = StreamId(name="customer 1", category="Customer")
EVENT = UUID(int=5)
Secret = Annotated[str, Encrypted(mask_value="[erased]")]


class Registered(BaseModel):
    customer: Annotated[str, DataSubject]
    email: Secret
    plan: str = "basic"


class Plain(BaseModel):
    plan: str = "basic"


class ByStream(BaseModel):
    email: Secret


class Whatever(BaseModel):
    who: Annotated[str, DataSubject] = "ann"
    value: Annotated[Any, Encrypted(mask_value=None)]
    values: dict[str, Annotated[Any, Encrypted(mask_value=["gone"])]] = {}


class Family(BaseModel):
    members: list[Registered]


class CountingStorage(MemoryKeyStorage):
    """Counts requests; may do something in the middle of a read."""

    requests: list[tuple[str, str]] = []
    between: Any = staticmethod(lambda: None)

    def get(self, subject):
        CountingStorage.requests.append(("get", subject))
        key = super().get(subject)
        CountingStorage.between()
        return key

    def get_or_create(self, subject, new):
        CountingStorage.requests.append(("create", subject))
        key = super().get_or_create(subject, new)
        CountingStorage.between()
        return key

    def delete(self, subject):
        CountingStorage.requests.append(("delete", subject))
        return super().delete(subject)


@pytest.fixture
def storage():
    CountingStorage.requests = []
    CountingStorage.between = staticmethod(lambda: None)
    return CountingStorage()


@pytest.fixture
def service(storage):
    return Encryption(storage)


def json_of(event):
    return from_json(to_json(event))


def encrypt(service, event, stream=STREAM, uuid=EVENT) -> tuple[dict[str, Any], list[Any]]:
    return service.encrypt(event, json_of(event), stream, uuid)


ANN = Registered(customer="ann", email="ann@example.org")


def test_a_value_is_encrypted_and_noted_and_comes_back(service, storage):
    data, notes = encrypt(service, ANN)

    key = storage.get("ann")
    assert data["customer"] == "ann"
    assert data["plan"] == "basic"
    assert "ann@" not in str(data)
    assert notes == [["ann", key.id, {"/email": "[erased]"}]]
    assert service.decrypt(data, notes, STREAM, EVENT) == json_of(ANN)


def test_neither_input_is_changed(service):
    event = Family(members=[ANN, Registered(customer="bob", email="b")])
    before = json_of(event)
    copy = deepcopy(before)
    data, notes = service.encrypt(event, before, STREAM, EVENT)
    stored = deepcopy((data, notes))
    assert service.decrypt(data, notes, STREAM, EVENT) == before == copy
    service.shred("ann")
    service.decrypt(data, notes, STREAM, EVENT, event_type=Family)
    assert (data, notes) == stored
    assert [note[0] for note in notes] == ["ann", "bob"]


def test_an_event_without_marks_is_itself_and_costs_nothing(service, storage):
    data = {"plan": "basic"}
    encrypted, notes = service.encrypt(Plain(), data, STREAM, EVENT)
    assert encrypted is data
    assert notes == []
    assert CountingStorage.requests == []


@given(st.data())
def test_any_json_comes_back(data):
    texts = st.text(st.characters(exclude_categories=["Cs"]))
    json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    )
    event = Whatever(value=data.draw(json), values=data.draw(st.dictionaries(texts, json)))
    service = Encryption(MemoryKeyStorage())
    before = json_of(event)
    sealed, notes = service.encrypt(event, before, STREAM, EVENT)
    # Notes and data are stored as JSON.
    sealed, notes = from_json(to_json(sealed)), from_json(to_json(notes))
    assert repr(service.decrypt(sealed, notes, STREAM, EVENT)) == repr(before)
    service.shred("ann")
    masked = service.decrypt(sealed, notes, STREAM, EVENT, event_type=Whatever)
    assert masked == {
        "who": "ann",
        "value": None,
        "values": {key: ["gone"] for key in event.values},
    }


@pytest.mark.parametrize("value", [float("nan"), "\ud800", 10**5000], ids=type)
def test_what_could_not_be_stored_in_clear_is_not_encrypted_either(service, value):
    event = Whatever(value=value)
    with pytest.raises(InvalidEventError, match="/value"):
        service.encrypt(event, {"who": "ann", "value": value, "values": {}}, STREAM, EVENT)


# Subjects


def test_the_name_of_the_stream_is_the_last_resort(service):
    assert encrypt(service, ByStream(email="e"))[1][0][0] == "customer 1"


def test_without_a_subject_nothing_is_encrypted(service):
    with pytest.raises(NoSubjectIdFound) as caught:
        encrypt(service, ByStream(email="e"), StreamId())
    assert (caught.value.event, caught.value.field) == ("ByStream", "/email")


def test_a_subject_that_is_declared_and_empty_is_not_replaced_by_another(service):
    with pytest.raises(NoSubjectIdFound):
        encrypt(service, Registered(customer="", email="e"))


def test_a_subject_that_makes_no_key_is_refused(service):
    with pytest.raises(InvalidSubjectError):
        encrypt(service, Registered(customer="a" * 1025, email="e"))


# Shredding


def test_what_was_shredded_is_masked_and_others_are_not(service):
    bob = Registered(customer="bob", email="bob@example.org")
    anns, bobs = encrypt(service, ANN), encrypt(service, bob)

    service.shred("ann")

    assert service.decrypt(*anns, STREAM, EVENT) == json_of(ANN) | {"email": "[erased]"}
    assert service.decrypt(*bobs, STREAM, EVENT) == json_of(bob)
    service.shred("ann")


def test_a_subject_that_comes_back_has_another_key(service):
    old = encrypt(service, ANN)
    service.shred("ann")
    new = encrypt(service, ANN)

    assert old[1][0][1] != new[1][0][1]
    assert service.decrypt(*new, STREAM, EVENT)["email"] == "ann@example.org"
    assert service.decrypt(*old, STREAM, EVENT)["email"] == "[erased]"


def test_shredding_a_subject_that_never_had_a_key_says_so(service):
    encrypt(service, ANN)
    with pytest.raises(UnknownSubjectError, match="'Ann' never had a key"):
        service.shred("Ann")
    with pytest.raises(UnknownSubjectError):
        service.scoped_for_tenant("another").shred("ann")

    service.shred("ann")
    service.shred("ann")  # shredded already: no error


def test_shredding_is_seen_at_once_by_all_of_the_process(service, storage):
    others = [Encryption(storage), service.scoped_for_tenant("")]
    stored = encrypt(service, ANN)
    for other in others:
        assert other.decrypt(*stored, STREAM, EVENT)["email"] == "ann@example.org"

    service.shred("ann")

    for other in others:
        assert other.decrypt(*stored, STREAM, EVENT)["email"] == "[erased]"


@pytest.mark.parametrize("reader", ["load", "append"])
def test_a_key_that_is_read_while_it_is_shredded_is_not_used_again(service, storage, reader):
    stored = encrypt(service, ANN)
    begun, go_on = Signal(), Signal()

    def between():
        begun.set()
        assert go_on.wait(10)

    cold = Encryption(storage)
    CountingStorage.between = staticmethod(between)
    with ThreadPoolExecutor(1) as pool:
        if reader == "load":
            late = pool.submit(cold.decrypt, *stored, STREAM, EVENT)
        else:
            late = pool.submit(lambda: encrypt(cold, ANN)[0])
        assert begun.wait(10)
        service.shred("ann")
        go_on.set()
        late.result(10)
    CountingStorage.between = staticmethod(lambda: None)

    assert cold.decrypt(*stored, STREAM, EVENT)["email"] == "[erased]"


def test_a_deletion_whose_outcome_is_unknown_is_forgotten_here_all_the_same(service, storage):
    stored = encrypt(service, ANN)

    class Lost(MemoryKeyStorage):
        def delete(self, subject):
            super().delete(subject)
            raise UnavailableError("DeleteItem", "ReadTimeoutError", "no reply.")

    with pytest.raises(UnavailableError):
        Encryption(Lost(shared=storage._keys)).shred("ann")
    assert service.decrypt(*stored, STREAM, EVENT)["email"] == "[erased]"


# Masks


def test_the_mask_of_the_present_class_goes_before_the_one_noted(service):
    class Later(BaseModel):
        customer: Annotated[str, DataSubject]
        email: Annotated[str, Encrypted(mask_value="nobody@example.org")]

    class Without(BaseModel):
        email: str

    stored = encrypt(service, ANN)
    service.shred("ann")
    for event_type, mask in ((Later, "nobody@example.org"), (Without, "[erased]"), (None, None)):
        masked = service.decrypt(*stored, STREAM, EVENT, event_type=event_type)
        assert masked["email"] == (mask or "[erased]")


def test_a_mask_is_the_readers_own_to_change(service):
    data, notes = encrypt(service, Whatever(value=1, values={"a": 1, "b": 2}))
    service.shred("ann")
    first = service.decrypt(data, notes, STREAM, EVENT, event_type=Whatever)
    first["values"]["a"].append("changed")
    assert first["values"]["b"] == ["gone"]
    again = service.decrypt(data, notes, STREAM, EVENT, event_type=Whatever)
    assert again["values"]["a"] == ["gone"]


# What was altered or moved


def test_a_value_that_was_altered_is_an_error(service):
    data, notes = encrypt(service, ANN)
    with pytest.raises(DecryptionError) as caught:
        service.decrypt(data | {"email": data["email"][:-4] + "AAAA"}, notes, STREAM, EVENT)
    assert (caught.value.stream_id, caught.value.field) == (str(STREAM), "/email")


@pytest.mark.parametrize(
    "moved",
    [
        (StreamId(name="customer 2", category="Customer"), EVENT),
        (StreamId(name="customer 1"), EVENT),
        (STREAM, UUID(int=6)),
    ],
)
def test_a_value_that_was_moved_to_another_event_is_an_error(service, moved):
    data, notes = encrypt(service, ANN)
    with pytest.raises(DecryptionError):
        service.decrypt(data, notes, *moved)


def test_values_that_changed_places_are_an_error(service):
    data, notes = encrypt(service, Whatever(value=1, values={"a": 1, "b": 2}))
    data["values"] = {"a": data["values"]["b"], "b": data["values"]["a"]}
    with pytest.raises(DecryptionError):
        service.decrypt(data, notes, STREAM, EVENT)


def test_a_value_and_its_key_moved_to_another_tenant_are_an_error(service, storage):
    data, notes = encrypt(service, ANN)
    storage.scoped_for_tenant("other").get_or_create("ann", storage.get("ann"))
    with pytest.raises(DecryptionError):
        service.scoped_for_tenant("other").decrypt(data, notes, STREAM, EVENT)


@pytest.mark.parametrize(
    "notes",
    [
        "x",
        [["ann"]],
        [["ann", "id", []]],
        [["ann", "id", {"email": ""}]],
        [["ann", "id", {"/nothing": ""}]],
        [["ann", "id", {"/email/0": ""}]],
        [["ann", "id", {"/plan/x": ""}]],
    ],
)
def test_notes_that_do_not_fit_are_an_error(service, notes):
    with pytest.raises(DecryptionError):
        service.decrypt(encrypt(service, ANN)[0], notes, STREAM, EVENT)


# Tenants


def test_tenants_have_keys_of_their_own(storage):
    service = Encryption(storage)
    acme, other = service.scoped_for_tenant("acme"), service.scoped_for_tenant("other")
    stored = encrypt(acme, ANN)
    encrypt(other, ANN)
    other.shred("ann")
    cold = Encryption(storage, tenant_id="acme")
    assert cold.decrypt(*stored, STREAM, EVENT) == json_of(ANN)
    assert storage.scoped_for_tenant("acme").get("ann") is not None
    assert storage.get("ann") is None


# Costs


def test_a_key_is_asked_for_once_until_it_is_forgotten(storage):
    clock = [1000.0]
    service = Encryption(storage, clock=lambda: clock[0])
    events = [(encrypt(service, ANN, uuid=uuid), uuid) for uuid in (uuid4() for _ in range(100))]
    for stored, uuid in events:
        service.decrypt(*stored, STREAM, uuid)
    assert CountingStorage.requests == [("create", "ann")]

    clock[0] += 300
    for stored, uuid in events:
        service.decrypt(*stored, STREAM, uuid)
    assert CountingStorage.requests == [("create", "ann"), ("get", "ann")]


def test_a_load_of_a_thousand_shredded_events_asks_once(service):
    events = [(encrypt(service, ANN, uuid=uuid), uuid) for uuid in (uuid4() for _ in range(1000))]
    service.shred("ann")
    CountingStorage.requests = []

    keys = service.reading()
    for stored, uuid in events:
        masked = service.decrypt(*stored, STREAM, uuid, keys=keys)
        assert masked["email"] == "[erased]"

    assert CountingStorage.requests == [("get", "ann")]


def test_a_key_is_new_only_where_there_was_none(storage):
    first = SubjectKey.random()
    storage.get_or_create("ann", first)
    _, notes = encrypt(Encryption(storage), ANN)
    assert notes[0][1] == first.id
