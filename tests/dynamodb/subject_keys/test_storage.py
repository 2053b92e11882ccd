"""Keys on DynamoDB: the exact requests, and the effects of lost replies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from dynamo_es import DynamoBackend
from dynamo_es.contracts.stream_keys import subjects_key
from dynamo_es.dynamodb.emulator.emulator import emulated_client
from dynamo_es.dynamodb.subject_keys.requests import (
    StoredKey,
    get_key,
    key_item,
    put_new_key,
    read_key,
    replace_key,
    shred_key,
)
from dynamo_es.dynamodb.subject_keys.storage import (
    DynamoKeyStorage,
    drop_key,
    find_key,
    find_or_create_key,
)
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import (
    ContentionError,
    InvalidStreamIdError,
    StoredItemError,
    UnavailableError,
)
from dynamo_es.testing.faults import Fault, Network
from dynamo_es.values import SubjectKey
from tests.dynamodb.machine import DONE, lost, play, refused, timed_out
from tests.dynamodb.replies import requests_of

TABLE, TENANT, SUBJECT = "keys", "acme#", "ann"
KEY = StoredKey("0123456789abcdef", bytes(range(32)), None)
OTHER = StoredKey("fedcba9876543210", bytes(32), None)
ITEM = key_item(TENANT, SUBJECT, KEY, created_at=1_700_000_000)
OTHER_ITEM = key_item(TENANT, SUBJECT, OTHER, created_at=1_600_000_000)
PLACE = {"tenant": {"S": "acme#"}, "subject": {"S": "ann"}}
GET = get_key(TABLE, TENANT, SUBJECT)
PUT = put_new_key(TABLE, ITEM)
SHREDDED = PLACE | {"shreds": {"N": "2"}}
PUT_AGAIN = put_new_key(TABLE, ITEM, SHREDDED)
SHRED = shred_key(TABLE, TENANT, SUBJECT, KEY.id)


def create():
    return find_or_create_key(TABLE, TENANT, SUBJECT, ITEM)


# Requests


def test_the_item_of_a_key():
    built = key_item(TENANT, SUBJECT, KEY, created_at=1_700_000_000)
    assert built == PLACE | {
        "key_id": {"S": "0123456789abcdef"},
        "key_bytes": {"B": bytes(range(32))},
        "created_at": {"N": "1700000000"},
    }
    wrapped = replace(KEY, key_bytes=b"wrapped", wrapped_by="alias/subjects")
    item = key_item(TENANT, SUBJECT, wrapped, created_at=1)
    assert item["wrapped_by"] == {"S": "alias/subjects"}
    assert read_key(TENANT, SUBJECT, ITEM) == KEY
    assert read_key(TENANT, SUBJECT, item) == wrapped


GOLDEN = {
    "get": (GET, "get_item", {"TableName": "keys", "Key": PLACE, "ConsistentRead": True}),
    "put": (
        PUT,
        "put_item",
        {
            "TableName": "keys",
            "Item": ITEM,
            "ConditionExpression": "attribute_not_exists(subject)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    ),
    "put after a shredded one": (
        put_new_key(TABLE, ITEM, SHREDDED),
        "put_item",
        {
            "TableName": "keys",
            "Item": ITEM | {"shreds": {"N": "2"}},
            "ConditionExpression": "attribute_not_exists(key_id) AND shreds = :shreds",
            "ExpressionAttributeValues": {":shreds": {"N": "2"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    ),
    "replace": (
        replace_key(TABLE, ITEM, OTHER_ITEM),
        "put_item",
        {
            "TableName": "keys",
            "Item": ITEM,
            "ConditionExpression": "key_id = :key_id",
            "ExpressionAttributeValues": {":key_id": {"S": "fedcba9876543210"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    ),
    "shred": (
        SHRED,
        "update_item",
        {
            "TableName": "keys",
            "Key": PLACE,
            "UpdateExpression": (
                "SET shreds = if_not_exists(shreds, :none) + :one "
                "REMOVE key_id, key_bytes, wrapped_by, created_at"
            ),
            "ConditionExpression": "key_id = :key_id",
            "ExpressionAttributeValues": {
                ":key_id": {"S": "0123456789abcdef"},
                ":none": {"N": "0"},
                ":one": {"N": "1"},
            },
        },
    ),
}


@pytest.mark.parametrize(("built", "operation", "params"), GOLDEN.values(), ids=GOLDEN)
def test_requests_to_the_letter_and_as_the_service_has_them(built, operation, params):
    assert built == (operation, params)
    name = "".join(word.capitalize() for word in operation.split("_"))
    shape = Session().get_service_model("dynamodb").operation_model(name).input_shape
    assert shape is not None
    assert not ParamValidator().validate(params, shape).has_errors()


def test_no_name_in_an_expression_is_reserved():
    reserved = {word.upper() for word in ReservedKeywords.get_reserved_keywords()}
    names = {"SUBJECT", "SHREDS", "KEY_ID", "KEY_BYTES", "WRAPPED_BY", "CREATED_AT"}
    assert names.isdisjoint(reserved)


@pytest.mark.parametrize(
    ("tenant", "partition"), [("", "#"), ("acme", "acme#"), ("a#b", "a%23b#"), ("%", "%25#")]
)
def test_the_partition_of_a_tenant_is_never_empty(tenant, partition):
    assert subjects_key(tenant) == partition


def test_a_tenant_too_long_for_a_key_is_refused():
    assert len(subjects_key("t" * 2047)) == 2048
    with pytest.raises(InvalidStreamIdError, match="2,049 bytes"):
        subjects_key("t" * 2048)


# Steps


def test_getting_is_one_consistent_read():
    assert play(find_key(TABLE, TENANT, SUBJECT), (GET, {"Item": ITEM})) == KEY
    assert play(find_key(TABLE, TENANT, SUBJECT), (GET, {})) is None


def test_creating_is_one_put():
    assert play(create(), (PUT, DONE)) == KEY


def test_the_key_that_is_there_wins_without_another_request():
    assert play(create(), (PUT, refused(OTHER_ITEM))) == OTHER


def test_after_a_lost_reply_ones_own_key_is_the_one_that_is_there():
    assert play(create(), (PUT, refused(ITEM, maybe_landed=True))) == KEY


@pytest.mark.parametrize(("there", "key"), [(ITEM, KEY), (OTHER_ITEM, OTHER)])
def test_an_unknown_outcome_is_looked_up(there, key):
    assert play(create(), (PUT, lost()), (GET, {"Item": there})) == key


def test_an_unknown_outcome_that_left_nothing_is_a_failure_to_repeat():
    with pytest.raises(OutcomeUnknown):
        play(create(), (PUT, lost()), (GET, {}))


def test_an_engine_that_does_not_say_what_is_there_is_asked():
    assert play(create(), (PUT, refused(None)), (GET, {"Item": OTHER_ITEM})) == OTHER


def test_a_failed_look_up_is_a_failure():
    with pytest.raises(UnavailableError):
        play(create(), (PUT, lost()), (GET, timed_out("GetItem")))


def test_deleting_reads_the_key_and_names_it():
    assert play(drop_key(TABLE, TENANT, SUBJECT), (GET, {"Item": ITEM}), (SHRED, DONE)) is True


def test_deleting_a_key_that_another_has_just_deleted_leaves_the_next_one():
    refusal = refused(OTHER_ITEM)
    assert play(drop_key(TABLE, TENANT, SUBJECT), (GET, {"Item": ITEM}), (SHRED, refusal)) is True


def test_deleting_what_is_not_there_is_a_read_and_says_whether_there_ever_was_a_key():
    assert play(drop_key(TABLE, TENANT, SUBJECT), (GET, {})) is False
    assert play(drop_key(TABLE, TENANT, SUBJECT), (GET, {"Item": SHREDDED})) is True


def test_a_deletion_whose_reply_is_lost_is_a_failure_to_repeat():
    with pytest.raises(OutcomeUnknown):
        play(drop_key(TABLE, TENANT, SUBJECT), (GET, {"Item": ITEM}), (SHRED, lost()))


def test_a_shredded_key_is_none():
    assert play(find_key(TABLE, TENANT, SUBJECT), (GET, {"Item": SHREDDED})) is None


def test_after_a_shredded_key_a_new_one_counts_on():
    assert play(create(), (PUT, refused(SHREDDED)), (PUT_AGAIN, DONE)) == KEY
    assert play(create(), (PUT, refused(SHREDDED)), (PUT_AGAIN, refused(OTHER_ITEM))) == OTHER


def test_a_key_that_was_shredded_while_it_was_made_is_not_used():
    with pytest.raises(ContentionError, match="was shredded"):
        play(create(), (PUT, refused(SHREDDED, maybe_landed=True)))
    with pytest.raises(OutcomeUnknown):
        play(create(), (PUT, lost()), (GET, {"Item": SHREDDED}))


def test_who_always_comes_too_late_gives_up():
    later = [PLACE | {"shreds": {"N": str(count)}} for count in range(1, 6)]
    puts = [PUT, *(put_new_key(TABLE, ITEM, one) for one in later)]
    with pytest.raises(ContentionError):
        play(create(), *((put, refused(there)) for put, there in zip(puts, later, strict=False)))


@pytest.mark.parametrize("attribute", ["key_id", "key_bytes"])
def test_an_item_that_is_no_key_is_an_error(attribute):
    item = {name: value for name, value in ITEM.items() if name != attribute}
    with pytest.raises(StoredItemError, match=f"'{attribute}' is missing"):
        play(find_key(TABLE, TENANT, SUBJECT), (GET, {"Item": item}))


# On an engine


@pytest.fixture
def backend():
    with DynamoBackend.local() as backend:
        yield backend


@pytest.fixture
def storage(backend):
    gateway = Gateway(lambda: backend.client, backend.config, sleep=lambda _: None)
    return DynamoKeyStorage(backend.config, gateway, lambda: 1_700_000_000.9, "acme")


def test_each_call_is_one_request_or_two(backend, storage):
    sent = requests_of(backend.client)
    first = storage.get_or_create("ann", SubjectKey.random())
    assert sent == {"PutItem": 1}
    assert storage.get_or_create("ann", SubjectKey.random()) == first
    assert sent == {"PutItem": 2}
    assert storage.get("ann") == first
    storage.delete("ann")
    assert sent == {"PutItem": 2, "GetItem": 2, "UpdateItem": 1}
    storage.get_or_create("ann", SubjectKey.random())
    assert sent == {"PutItem": 4, "GetItem": 2, "UpdateItem": 1}


def test_a_late_put_does_not_bring_a_shredded_key_back(backend, storage):
    refused_put = backend.client.exceptions.ConditionalCheckFailedException
    sent = []
    backend.client.meta.events.register(
        "provide-client-params.dynamodb.PutItem", lambda params, **_: sent.append(params)
    )
    for _ in range(3):
        storage.get_or_create(SUBJECT, SubjectKey.random())
        storage.delete(SUBJECT)
    assert len(sent) == 5  # the first one finds nothing, the others what was left

    for params in tuple(sent):
        with pytest.raises(refused_put):
            backend.client.put_item(**params)

    assert storage.get(SUBJECT) is None
    again = storage.get_or_create(SUBJECT, SubjectKey.random())
    assert storage.get(SUBJECT) == again


def test_a_late_shred_does_not_destroy_the_next_key(backend, storage):
    first = storage.get_or_create(SUBJECT, SubjectKey.random())
    late = shred_key(TABLE, TENANT, SUBJECT, first.id)
    storage.delete(SUBJECT)
    following = storage.get_or_create(SUBJECT, SubjectKey.random())

    with pytest.raises(backend.client.exceptions.ConditionalCheckFailedException):
        backend.client.update_item(**late.params)

    assert storage.get(SUBJECT) == following


def test_what_is_stored(backend, storage):
    storage.get_or_create(SUBJECT, SubjectKey(KEY.id, KEY.key_bytes))
    assert backend.client.scan(TableName="keys")["Items"] == [ITEM]


@pytest.mark.parametrize("change", [{"key_id": {"S": "x"}}, {"key_bytes": {"B": b"short"}}])
def test_a_stored_key_of_another_form_is_an_error(backend, storage, change):
    backend.client.put_item(TableName="keys", Item=ITEM | change)
    with pytest.raises(StoredItemError):
        storage.get(SUBJECT)
    with pytest.raises(StoredItemError):
        storage.get_or_create(SUBJECT, SubjectKey.random())


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.ERROR_AFTER_WRITE, Fault.LOST_REQUEST])
@pytest.mark.parametrize("attempts", [1, 4])
def test_whatever_is_lost_the_caller_has_the_key_that_is_stored(backend, fault, attempts):
    config = replace(backend.config, max_attempts=attempts)
    client = emulated_client(config)
    DynamoBackend(config, client=client).create_tables()
    storage = DynamoKeyStorage(config, Gateway(lambda: client, config), lambda: 0.0)
    network = Network(client)
    new = SubjectKey.random()
    with network.between():
        network.plan(lambda number: fault if number == 0 else None)
        try:
            got = storage.get_or_create("ann", new)
        except UnavailableError:
            assert (fault, attempts) == (Fault.LOST_REQUEST, 1)
            got = storage.get_or_create("ann", new)
    assert got == storage.get("ann") == new
