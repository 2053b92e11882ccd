"""Values: what they accept, how they compare, and that they never change."""

import copy
import dataclasses
import pickle
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from dynamo_es import (
    ANY_VERSION,
    DEFAULT_TENANT,
    NO_VERSIONING,
    ExplicitVersioning,
    RecordedRaw,
    StreamId,
    StreamUUID,
    Versioning,
)
from dynamo_es.exceptions import (
    IncompatibleUuidAndName,
    InvalidStreamIdError,
    InvalidVersioningError,
)
from dynamo_es.testing.conformance.language import an_event

KINDS = [StreamUUID, StreamId]
NAMESPACE = UUID("3a24a3ee-d33d-4266-93ab-7d8e256a6d44")


def pickled(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


@pytest.mark.parametrize("kind", KINDS)
def test_without_arguments_ids_are_random(kind):
    assert kind() != kind()
    assert kind().version == 4
    assert kind().name is None


@pytest.mark.parametrize("kind", KINDS)
@forall(name=st.text())
def test_name_derives_the_uuid(kind, name):
    assert UUID(int=kind(name=name).int) == uuid5(NAMESPACE, name)
    assert kind(name=name).name == name


def test_derived_uuid_is_the_one_of_python_event_sourcery():
    assert str(StreamId(name="order-1")) == str(uuid5(NAMESPACE, "order-1"))
    assert str(StreamId(name="")) == str(uuid5(NAMESPACE, ""))


@pytest.mark.parametrize("kind", KINDS)
def test_uuid_and_hexadecimal_text_are_taken_as_they_are(kind):
    uuid = uuid4()

    assert kind(uuid).int == kind(uuid=uuid).int == uuid.int
    assert kind(from_hex=uuid.hex).int == kind(from_hex=str(uuid)).int == uuid.int
    assert kind(uuid).name is None


@pytest.mark.parametrize("kind", KINDS)
def test_uuid_of_zeros_is_a_uuid(kind):
    assert kind(UUID(int=0)).int == 0


@pytest.mark.parametrize("kind", KINDS)
def test_name_and_its_own_uuid_agree(kind):
    uuid = uuid5(NAMESPACE, "order-1")

    assert kind(uuid, name="order-1").name == "order-1"
    assert kind(from_hex=uuid.hex, name="order-1").int == uuid.int


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["order-1", ""])
def test_name_and_another_uuid_are_refused(kind, name):
    uuid = uuid4()

    with pytest.raises(IncompatibleUuidAndName) as caught:
        kind(uuid, name=name)

    assert caught.value.received == uuid
    assert caught.value.expected == uuid5(NAMESPACE, name)
    assert caught.value.name == name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "order\ud800"},
        {"name": 7},
        {"name": b"order"},
        {"uuid": "6b3ae2f1-7a38-4f0d-9d0f-6d3c3b0d8f60"},
        {"uuid": 7},
        {"from_hex": "no hex"},
        {"from_hex": ""},
        {"from_hex": 7},
    ],
    ids=str,
)
def test_what_makes_no_id_is_refused(kind, arguments):
    with pytest.raises(InvalidStreamIdError):
        kind(**arguments)


@pytest.mark.parametrize("category", [7, b"Order", ["Order"]])
def test_category_that_is_no_text_is_refused(category):
    with pytest.raises(InvalidStreamIdError):
        StreamId(category=category)


def test_stream_ids_are_equal_by_uuid_and_category():
    uuid = uuid5(NAMESPACE, "order-1")
    named = StreamId(name="order-1", category="Order")
    unnamed = StreamId(uuid, category="Order")

    assert named == unnamed
    assert hash(named) == hash(unnamed)
    assert named != StreamId(uuid, category="Invoice")
    assert named != StreamId(uuid)
    assert StreamId(uuid) != StreamId(uuid, category="")
    assert named != StreamId(category="Order")
    assert named != "order-1"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize(
    "value",
    [
        StreamId(name="order-1", category="Order"),
        StreamId(name="", category=""),
        StreamId(UUID(int=0), category="Order"),
        StreamUUID(name="order-1"),
        ExplicitVersioning(3),
        ANY_VERSION,
        NO_VERSIONING,
    ],
    ids=repr,
)
def test_copies_are_equal_and_whole(value, duplicate):
    twin = duplicate(value)

    assert twin == value
    assert type(twin) is type(value)
    assert repr(twin) == repr(value)


@pytest.mark.parametrize("value", [ANY_VERSION, NO_VERSIONING])
def test_the_two_constants_stay_single(value):
    assert pickled(value) is value
    assert copy.deepcopy(value) is value
    assert copy.copy(value) is value
    assert isinstance(value, Versioning)


def test_representations_show_what_there_is():
    assert "order-1" in repr(StreamId(name="order-1", category="Order"))
    assert "'Order'" in repr(StreamId(category="Order"))
    assert repr(ANY_VERSION) == "ANY_VERSION"
    assert repr(NO_VERSIONING) == "NO_VERSIONING"


@pytest.mark.parametrize("version", [0, 1, 2**63, 10**130])
def test_expected_version_of_0_or_more(version):
    assert ExplicitVersioning(version).expected_version == version


@pytest.mark.parametrize("version", [-1, 1.0, "1", None, True, False])
def test_expected_version_that_is_no_version_is_refused(version):
    with pytest.raises(InvalidVersioningError):
        ExplicitVersioning(version)


def test_versionings_compare_by_value():
    assert ExplicitVersioning(0) == ExplicitVersioning(0)
    assert ExplicitVersioning(0) != ExplicitVersioning(1)
    assert ANY_VERSION != NO_VERSIONING


def test_stream_ids_cannot_be_changed():
    stream = StreamId(name="order-1", category="Order")

    with pytest.raises(TypeError):
        stream.category = "Invoice"
    with pytest.raises(TypeError):
        stream.name = "order-2"


def test_records_cannot_be_changed():
    event = an_event(StreamId())
    recorded = RecordedRaw(event, 1)

    for value, field in (
        (event, "name"),
        (recorded, "position"),
        (ExplicitVersioning(1), "expected_version"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, None)
        assert not hasattr(value, "__dict__")
    assert recorded.tenant_id == DEFAULT_TENANT
    assert event.version is None
