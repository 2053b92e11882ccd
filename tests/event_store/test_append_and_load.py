"""Appending events and loading them again."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    Context,
    StreamId,
    WrappedEvent,
)
from dynamo_es.exceptions import ConcurrentStreamWriteError, InvalidEventError
from tests.event_store.accounts import (
    Address,
    Balance,
    Closed,
    Deposited,
    Everything,
    Kind,
    Opened,
    Strict,
)

OPENED = Opened(owner="Ann")
FIVE = Deposited(amount=5)


def loaded(store, stream, *span):
    return [(one.version, one.event) for one in store.load_stream(stream, *span)]


def test_events_come_back_as_they_were(store, stream):
    version = store.append(OPENED, FIVE, stream_id=stream)

    assert version == 2
    assert loaded(store, stream) == [(1, OPENED), (2, FIVE)]


def test_every_kind_of_field_comes_back_as_it_was(store, stream):
    event = Everything.model_validate(
        {
            "day": date(2026, 2, 28),
            "amount": Decimal("12.3400"),
            "took": timedelta(days=2, microseconds=1),
            "id": UUID(int=7),
            "kind": Kind.DEBIT,
            "raw": b"\x00\xff",
            "tags": {"a", "b"},
            "address": Address(street="Main", lines=("1", "2")),
            "rows": [{"a": 1}, {}],
            "either": "007",
            "any": {"deep": [None, 1.5, "x"]},
            "Named-So": "x",
        }
    )

    store.append(event, stream_id=stream)

    assert loaded(store, stream) == [(1, event)]


def test_a_strict_class_loads_what_it_stored(store, stream):
    event = Strict(day=date(2026, 2, 28), id=UUID(int=7), names=("a", "b"))

    store.append(event, stream_id=stream)

    assert loaded(store, stream) == [(1, event)]


def test_a_second_append_without_an_expected_version_is_a_conflict(store, stream):
    store.append(OPENED, stream_id=stream)

    with pytest.raises(ConcurrentStreamWriteError) as caught:
        store.append(FIVE, stream_id=stream)

    assert (caught.value.expected, caught.value.actual) == (0, 1)
    assert loaded(store, stream) == [(1, OPENED)]


def test_the_expected_version_is_checked(store, stream):
    store.append(OPENED, FIVE, stream_id=stream)

    with pytest.raises(ConcurrentStreamWriteError):
        store.append(FIVE, stream_id=stream, expected_version=1)

    assert store.append(FIVE, stream_id=stream, expected_version=2) == 3


def test_any_version_goes_to_the_end(store, stream):
    assert store.append(OPENED, stream_id=stream, expected_version=ANY_VERSION) == 1
    assert store.append(FIVE, FIVE, stream_id=stream, expected_version=ANY_VERSION) == 3


def test_a_stream_may_have_no_versions(store, stream):
    assert store.append(OPENED, stream_id=stream, expected_version=NO_VERSIONING) is None
    store.append(FIVE, stream_id=stream, expected_version=NO_VERSIONING)

    assert loaded(store, stream) == [(None, OPENED), (None, FIVE)]


def test_an_append_of_nothing_is_none(store, stream):
    assert store.append(stream_id=stream) is None
    assert store.load_stream(stream) == []


def test_ranges_are_of_versions(store, stream):
    store.append(OPENED, FIVE, Deposited(amount=6), stream_id=stream)

    assert loaded(store, stream, 2, 3) == [(2, FIVE)]


def test_metadata_of_the_caller_s_choice_is_kept(store, stream):
    context = Context(correlation_id=uuid4(), causation_id=uuid4(), user="ann", try_no=2)
    wrapped = WrappedEvent.wrap(FIVE, version=1, context=context)

    store.append(wrapped, OPENED, stream_id=stream)

    first, second = store.load_stream(stream)
    assert first == wrapped
    assert first.context.user == "ann"
    assert first.get_context(Context) == context
    assert second.context == Context()
    assert second.created_at.tzinfo is not None


def test_appending_the_same_wrapped_events_again_is_a_success(store, stream):
    wrapped = [WrappedEvent.wrap(OPENED), WrappedEvent.wrap(FIVE)]

    assert store.append(*wrapped, stream_id=stream) == 2
    assert store.append(*wrapped, stream_id=stream) == 2
    assert len(store.load_stream(stream)) == 2


def test_tenants_do_not_share_streams(backend, stream):
    backend.in_tenant("acme").event_store.append(OPENED, stream_id=stream)

    assert backend.in_tenant("other").event_store.load_stream(stream) == []
    assert len(backend.in_tenant("acme").event_store.load_stream(stream)) == 1


def test_a_deleted_stream_is_gone(store, stream):
    store.append(OPENED, stream_id=stream)

    store.delete_stream(stream)

    assert store.load_stream(stream) == []


def test_a_snapshot_stands_for_the_events_before(store, stream):
    store.append(OPENED, FIVE, FIVE, stream_id=stream)

    store.save_snapshot(stream, WrappedEvent.wrap(Balance(balance=5), version=2))

    assert loaded(store, stream) == [(2, Balance(balance=5)), (3, FIVE)]


def test_a_snapshot_needs_a_version(store, stream):
    store.append(OPENED, stream_id=stream)

    with pytest.raises(InvalidEventError, match="version"):
        store.save_snapshot(stream, WrappedEvent.wrap(Balance(balance=5)))


def changed(event, **changes):
    for name, value in changes.items():
        setattr(event, name, value)
    return event


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (changed(Deposited(amount=5), amount="many"), "account.deposited: amount: "),
        (changed(Deposited(amount=5), amount=-1), "amount: Input should be greater than 0"),
        (Deposited.model_construct(), "account.deposited: amount: Field required"),
        (Opened.model_construct(owner=object()), "account.opened: .*object"),
        ({"owner": "Ann"}, "dict is not an event class"),
    ],
    ids=["type", "constraint", "missing", "no JSON", "no event"],
)
def test_what_could_not_be_loaded_again_is_refused(store, stream, event, told):
    with pytest.raises(InvalidEventError, match=told):
        store.append(OPENED, event, stream_id=stream)

    assert store.load_stream(stream) == []


def test_names_of_the_context_that_are_the_store_s_are_refused(store, stream):
    with pytest.raises(InvalidEventError, match=r"\$schema"):
        store.append(
            WrappedEvent.wrap(OPENED, context=Context.model_validate({"$schema": 3})),
            stream_id=stream,
        )


def test_the_name_is_that_of_module_and_class_by_default(backend, stream):
    backend.event_store.append(Closed(), stream_id=stream)

    (raw,) = backend.storage.fetch_events(stream)
    assert raw.name == "tests.event_store.accounts.Closed"
    assert (raw.data, raw.context) == ({}, {})


def test_the_store_tells_its_position(store):
    assert store.position is None or store.position >= 1


def test_the_stream_keeps_its_name(store):
    stream = StreamId(name="account/ann", category="account")

    store.append(OPENED, stream_id=stream)

    assert len(store.load_stream(StreamId(stream, category="account"))) == 1
