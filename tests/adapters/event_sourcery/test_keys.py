"""Keys of data subjects encrypt fields."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from event_sourcery import Event, StreamId
from event_sourcery.backend import InMemoryKeyStorage
from event_sourcery.encryption import Encryption
from event_sourcery.event import WrappedEvent
from event_sourcery.exceptions import KeyNotFoundError, NoSubjectIdFound
from event_sourcery.interfaces import EncryptionStrategy, StorageStrategy

from dynamo_es.adapters.event_sourcery import DynamoDBBackend, DynamoDBKeyStorage
from dynamo_es.dynamodb.subject_keys.wrapping import KmsKeyWrapping
from dynamo_es.exceptions import InvalidSubjectError, ServiceError, StoredItemError
from dynamo_es.testing.faults import Fault, Network
from tests.adapters.event_sourcery.orders import CustomerMoved, Heard, NoteTaken
from tests.engine import Capability, needs
from tests.recording import recording

ours = needs(Capability.REQUESTS)
KEY, OTHER = b"\x00\xff" * 5, b"another key, of any length"


@pytest.fixture
def keys(backend, config, request):
    if not isinstance(backend, DynamoDBBackend):
        return InMemoryKeyStorage()
    return DynamoDBKeyStorage(request.getfixturevalue("client"), config)


def test_a_subject_has_no_key_before_one_is_stored(keys):
    assert keys.get("anna") is None


@pytest.mark.parametrize("key", [KEY, b"k", b"x" * 4096])
def test_a_key_comes_back_as_it_was_stored(keys, key):
    keys.store("anna", key)

    assert keys.get("anna") == key
    assert type(keys.get("anna")) is bytes


def test_a_key_is_replaced(keys):
    keys.store("anna", KEY)
    keys.store("anna", OTHER)

    assert keys.get("anna") == OTHER


def test_a_deleted_key_is_gone_and_another_may_be_stored(keys):
    keys.store("anna", KEY)
    keys.delete("anna")
    keys.delete("anna")
    assert keys.get("anna") is None

    keys.store("anna", KEY)
    assert keys.get("anna") == KEY


def test_deleting_what_is_not_there_is_no_error(keys):
    keys.delete("nobody")

    assert keys.get("nobody") is None


def test_subjects_and_tenants_have_keys_of_their_own(keys):
    scoped = keys.scoped_for_tenant("acme")
    keys.store("anna", KEY)
    scoped.store("anna", OTHER)
    keys.store("bert", OTHER)

    scoped.delete("anna")

    assert (keys.get("anna"), keys.get("bert"), scoped.get("anna")) == (KEY, OTHER, None)


@ours
def test_another_process_sees_them(keys, client, config):
    DynamoDBKeyStorage(client, config, "acme").store("anna", KEY)

    assert keys.scoped_for_tenant("acme").get("anna") == KEY


@ours
def test_a_subject_may_be_a_uuid(keys):
    subject = uuid4()
    keys.store(subject, KEY)

    assert keys.get(str(subject)) == KEY
    keys.delete(subject)
    assert keys.get(subject) is None


@ours
@pytest.mark.parametrize("subject", ["x" * 1025, "\ud800"])
def test_a_subject_has_to_make_a_key(keys, subject):
    for use in (keys.get, keys.delete, lambda subject: keys.store(subject, KEY)):
        with pytest.raises(InvalidSubjectError):
            use(subject)


@ours
def test_nobody_has_no_key(keys):
    assert keys.get("") is None
    for use in (keys.delete, lambda subject: keys.store(subject, KEY)):
        with pytest.raises(InvalidSubjectError):
            use("")


@ours
def test_each_call_reads_first_and_reading_is_consistent(keys, client, config):
    with recording(client) as sent:
        keys.store("anna", KEY)
        keys.get("anna")
        keys.delete("anna")

    assert sent.operations == ["GetItem", "PutItem", "GetItem", "GetItem", "UpdateItem"]
    reads = [params for operation, params in sent.calls if operation == "GetItem"]
    assert all(params["ConsistentRead"] for params in reads)
    assert {params["TableName"] for _, params in sent.calls} == {config.keys_table}


@ours
def test_a_put_that_arrives_late_does_not_bring_a_deleted_key_back(keys, client):
    network = Network(client)
    network.plan(lambda number: Fault.LATE if number == 1 else None)  # the put, after a read
    with network.between():
        keys.store("anna", KEY)
    assert keys.get("anna") == KEY
    keys.delete("anna")

    network.deliver_late()

    assert keys.get("anna") is None


@ours
def test_a_lost_reply_is_no_error(keys, client):
    network = Network(client)
    network.plan(lambda number: Fault.LOST_REPLY if number == 1 else None)

    with network.between():
        keys.store("anna", KEY)
        assert keys.get("anna") == KEY


@ours
def test_a_key_that_is_deleted_while_it_is_stored_again_and_again_stays_deleted(keys, client):
    deleted = []

    def delete_before_the_retry(number):
        if number <= 1:  # a read, and the put
            return Fault.LOST_REPLY if number else None
        if not deleted:
            deleted.append("anna")
            with ThreadPoolExecutor(1) as another:
                another.submit(keys.delete, "anna").result()
        return None

    network = Network(client)
    network.plan(delete_before_the_retry)

    with network.between():
        keys.store("anna", KEY)

    assert deleted == ["anna"]
    assert keys.get("anna") is None


@ours
def test_an_outage_is_an_error(keys, client):
    network = Network(client)
    network.plan(lambda _: Fault.LOST_REQUEST)

    with network.between(), pytest.raises(ServiceError):
        keys.store("anna", KEY)


class Wrapping(KmsKeyWrapping):
    """In the place of KMS; tells which key wrapped what, for whom."""

    def __init__(self):
        self.key_id = "alias/keys"

    def wrap(self, secret, *, tenant, subject):
        return f"{tenant}/{subject}:".encode() + secret[::-1]

    def unwrap(self, wrapped, wrapped_by, *, tenant, subject):
        assert wrapped_by == "alias/keys"
        begin, _, secret = wrapped.partition(b":")
        if begin != f"{tenant}/{subject}".encode():
            raise StoredItemError(tenant, subject, "moved")
        return secret[::-1]


@ours
def test_keys_are_wrapped_if_so_configured(keys, client, config):
    wrapped = DynamoDBKeyStorage(client, config, wrapping=Wrapping()).scoped_for_tenant("acme")
    keys.scoped_for_tenant("acme").store("bert", OTHER)

    with recording(client) as sent:
        wrapped.store("anna", KEY)

    [item] = sent.items
    assert item["wrapped_by"] == {"S": "alias/keys"}
    assert item["key_bytes"]["B"] == b"acme#/anna:" + KEY[::-1]
    assert wrapped.get("anna") == KEY
    assert wrapped.get("bert") == OTHER


@ours
def test_the_configured_kms_key_wraps_them(client, config):
    keys = DynamoDBKeyStorage(client, config.model_copy(update={"kms_key_id": "alias/keys"}))

    assert keys._wrapping.key_id == "alias/keys"


# Fields of events


class Backwards(EncryptionStrategy):
    """No encryption, but one can tell with which key it was done."""

    def encrypt(self, data, key):
        return base64.b64encode(key + b"|" + data.encode()).decode()

    def decrypt(self, data, key):
        used, _, text = base64.b64decode(data).partition(b"|")
        assert used == key
        return text.decode()


@pytest.fixture
def store(backend, keys):
    backend.with_encryption(Backwards(), keys)
    return backend.event_store


def moved(street: str = "Main Street 1") -> CustomerMoved:
    return CustomerMoved(customer="anna", street=street)


def test_a_marked_field_is_stored_encrypted_and_read_in_clear(backend, store, keys):
    keys.store("anna", KEY)
    store.append(moved(), stream_id=(stream := StreamId()))

    [raw] = backend[StorageStrategy].fetch_events(stream)
    assert raw.data == {
        "customer": "anna",
        "street": Backwards().encrypt("Main Street 1", KEY),
    }
    assert store.load_stream(stream)[0].event == moved()


def test_without_a_key_nothing_is_stored(store):
    with pytest.raises(KeyNotFoundError):
        store.append(moved(), stream_id=(stream := StreamId()))

    assert store.load_stream(stream) == []


def test_what_was_shredded_is_masked_everywhere(backend, store, keys):
    keys.store("anna", KEY)
    backend.with_outbox()
    store = backend.event_store
    store.append(moved(), stream_id=(stream := StreamId(category="customers")))

    backend[Encryption].shred("anna")

    published = []
    backend.outbox.run(published.append)
    [record] = next(backend.subscriber.start_from(0).build_batch(1, 0.1))
    for event in (store.load_stream(stream)[0], published[0].wrapped_event, record.wrapped_event):
        assert event.event == moved("(erased)")


def test_the_stream_s_name_may_be_the_subject(backend, store, keys):
    keys.store("order 1", KEY)
    event = NoteTaken(text="call back")
    stream = StreamId(name="order 1", category="orders")
    heard = Heard()
    backend.in_transaction.register(heard, to=Event)

    backend.with_outbox().event_store.append(WrappedEvent.wrap(event, 1), stream_id=stream)

    published = []
    backend.outbox.run(published.append)
    [record] = next(backend.subscriber.start_from(0).build_batch(1, 0.1))
    assert heard.calls[0][0].event == event
    assert record.wrapped_event.event == event
    assert published[0].wrapped_event.event == event
    # The name is stored: who knows the UUID only can read it, too.
    by_uuid = StreamId(uuid=UUID(str(stream)), category="orders")
    assert backend.event_store.load_stream(by_uuid)[0].event == event


def test_nobody_is_no_subject(store):
    with pytest.raises(NoSubjectIdFound):
        store.append(NoteTaken(text="?"), stream_id=StreamId())


@ours
def test_each_tenant_has_keys_of_its_own(backend, store, keys):
    keys.store("anna", KEY)
    keys.scoped_for_tenant("acme").store("anna", OTHER)
    stream = StreamId()
    scoped = backend.in_tenant_mode("acme")
    scoped.event_store.append(moved(), stream_id=stream)
    store.append(moved(), stream_id=stream)

    scoped[Encryption].shred("anna")

    assert scoped.event_store.load_stream(stream)[0].event == moved("(erased)")
    assert store.load_stream(stream)[0].event == moved()
