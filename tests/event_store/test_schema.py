"""Loading events that earlier and later releases stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dynamo_es import (
    Event,
    ExplicitVersioning,
    Snapshot,
    UnknownEvent,
    WrappedEvent,
    upcaster,
)
from dynamo_es.exceptions import (
    AsynchronousFunctionError,
    EventDefinitionError,
    NewerSchemaError,
    RedactedError,
    UnknownEventError,
    UnreadableEventError,
)
from dynamo_es.testing.conformance.language import an_event
from tests.event_store.accounts import Address, Balance, Deposited, Moved, Opened

MOVED = Moved(address=Address(street="Main 1", lines=("Rome",)))


@pytest.fixture
def stored(backend, stream):
    """Stores an event as an earlier or a later release would have."""

    def store(name: str, data: dict[str, Any], schema: int | None = None) -> None:
        version = len(backend.storage.fetch_events(stream, 1))
        context = {} if schema is None else {"$schema": schema}
        event = an_event(stream, name=name, data=data, context=context)
        backend.storage.insert_events(stream, ExplicitVersioning(version), [event])

    return store


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        (None, {"to": "Main 1, Rome"}),
        (1, {"to": "Main 1, Rome"}),
        (2, {"street": "Main 1", "city": "Rome"}),
        (3, {"address": {"street": "Main 1", "lines": ["Rome"]}}),
    ],
)
@pytest.mark.parametrize("name", ["account.moved", "bank.Moved"])
def test_events_are_lifted_from_every_schema(store, stream, stored, name, schema, data):
    stored(name, data, schema)

    assert [one.event for one in store.load_stream(stream)] == [MOVED]


def test_an_append_writes_the_present_schema_and_name(backend, stream):
    backend.event_store.append(MOVED, stream_id=stream)

    (raw,) = backend.storage.fetch_events(stream)
    assert raw.name == "account.moved"
    assert raw.context == {"$schema": 3}
    assert raw.data == {"address": {"street": "Main 1", "lines": ["Rome"]}}


def test_what_is_stored_is_not_changed_by_an_upcaster(backend, stream, stored):
    stored("account.moved", {"street": "Main 1", "city": "Rome"}, 2)
    raws = backend.storage.fetch_events(stream)

    backend.event_store.read(raws)

    assert raws[0].data == {"street": "Main 1", "city": "Rome"}


def test_an_event_of_a_newer_release_is_an_error_that_says_so(store, stream, stored):
    stored("account.opened", {"owner": "Ann"})
    stored("account.moved", {"address": 7}, 4)

    with pytest.raises(NewerSchemaError, match=r"version 2, account\.moved: .* deploy") as caught:
        store.load_stream(stream)

    error = caught.value
    assert (error.stream_id, error.version, error.stored, error.known) == (str(stream), 2, 4, 3)


@pytest.mark.parametrize("schema", ["2", 0, -1, 1.0, True, [], {}, "s3cr3t"])
def test_a_schema_version_that_is_no_count_makes_an_event_unreadable(store, stream, stored, schema):
    stored("account.deposited", {"amount": 1})
    stored("account.moved", {"to": "Main 1, Rome"}, schema)

    with pytest.raises(UnreadableEventError, match=r"2, account\.moved: its \$schema") as caught:
        store.load_stream(stream)

    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("schema", ["x", 0, True])
def test_a_snapshot_whose_schema_version_is_no_count_is_passed_over(backend, store, stream, schema):
    store.append(Deposited(amount=3), stream_id=stream)
    snapshot = an_event(stream, name="account.balance", data={"balance": 9}, version=1)
    backend.storage.save_snapshot(replace(snapshot, context={"$schema": schema}))

    assert [one.event for one in store.load_stream(stream)] == [Deposited(amount=3)]


def test_an_unknown_name_is_an_error_that_says_where(store, stream, stored):
    stored("account.opened", {"owner": "Ann"})
    stored("account.forgotten", {"x": 1})

    with pytest.raises(UnknownEventError, match="no event class has this name") as caught:
        store.load_stream(stream)

    error = caught.value
    assert (error.stream_id, error.version, error.name) == (str(stream), 2, "account.forgotten")


def test_an_unknown_event_is_kept_as_it_is_on_request(store, stream, stored):
    stored("account.forgotten", {"x": 1})
    stored("account.deposited", {"amount": 3})

    found = store.load_stream(stream, keep_unknown=True)

    assert [one.event for one in found] == [
        UnknownEvent("account.forgotten", {"x": 1}),
        Deposited(amount=3),
    ]


def test_data_that_does_not_fit_names_event_and_field(store, stream, stored):
    stored("account.deposited", {"amount": 3, "currency": "EUR"})

    with pytest.raises(UnreadableEventError, match=r"Deposited: currency: Extra inputs"):
        store.load_stream(stream)


@pytest.mark.parametrize("data", [{"no": "to"}, {"to": None}])
def test_an_upcaster_that_fails_is_named(store, stream, stored, data):
    stored("account.moved", data)

    with pytest.raises(UnreadableEventError, match="upcaster from schema version 1 failed") as it:
        store.load_stream(stream)

    assert isinstance(it.value.__cause__, RedactedError)
    assert "accounts.py" in str(it.value.__cause__)


def test_an_upcaster_has_to_return_a_dict(store, stream, stored):
    class Wrong(Event):
        __event_name__ = "wrong.upcaster"
        __schema_version__ = 2

        @upcaster(from_version=1)
        @staticmethod
        def nothing(data: dict[str, Any]) -> dict[str, Any]:
            data.clear()
            return None  # type: ignore[return-value]

    stored("wrong.upcaster", {})

    with pytest.raises(UnreadableEventError, match="must return a dict, not NoneType"):
        store.load_stream(stream)


def test_a_step_that_is_missing_is_an_error_before_anything_is_stored(store, stream):
    class Gap(Event):
        __event_name__ = "gap"
        __schema_version__ = 3

        @upcaster(from_version=1)
        @staticmethod
        def one(data: dict[str, Any]) -> dict[str, Any]:
            return data

    with pytest.raises(EventDefinitionError, match="no upcaster from 2"):
        store.append(Gap(), stream_id=stream)
    assert store.load_stream(stream) == []


def test_a_step_beyond_the_schema_version_is_an_error(store, stream):
    class Beyond(Event):
        __event_name__ = "beyond"

        @upcaster(from_version=1)
        @staticmethod
        def one(data: dict[str, Any]) -> dict[str, Any]:
            return data

    with pytest.raises(EventDefinitionError, match="raise __schema_version__"):
        store.append(Beyond(), stream_id=stream)


@pytest.mark.parametrize("version", [0, "2", True, None])
def test_a_schema_version_is_a_number(store, stream, version):
    odd = type("Odd", (Event,), {"__schema_version__": version, "__module__": __name__})

    with pytest.raises(EventDefinitionError, match="__schema_version__ must be"):
        store.append(odd(), stream_id=stream)


def test_a_snapshot_of_another_schema_is_passed_over_and_replaced(backend, stream):
    class Totals(Snapshot):
        __event_name__ = "account.totals"
        total: int

    store = backend.event_store
    store.append(Opened(owner="Ann"), Deposited(amount=3), stream_id=stream)
    store.save_snapshot(stream, WrappedEvent.wrap(Totals(total=3), version=2))
    assert [one.event for one in store.load_stream(stream)] == [Totals(total=3)]

    # The next release.
    Totals.__schema_version__ = 2
    later = type(backend).in_tenant(backend, "").event_store
    later._serde.registry.__init__()

    assert [one.version for one in later.load_stream(stream)] == [1, 2]
    later.append(Deposited(amount=4), stream_id=stream, expected_version=2)
    later.save_snapshot(stream, WrappedEvent.wrap(Totals(total=7), version=3))
    assert [one.event for one in later.load_stream(stream)] == [Totals(total=7)]


def test_a_snapshot_whose_class_is_gone_is_passed_over(backend, stream):
    store = backend.event_store
    store.append(Opened(owner="Ann"), Deposited(amount=3), stream_id=stream)
    backend.storage.save_snapshot(an_event(stream, name="gone", version=2))

    assert [one.version for one in store.load_stream(stream)] == [1, 2]
    assert [one.version for one in store.load_stream(stream, None, 2)] == [1]


def test_so_is_one_of_version_1(backend, stream):
    store = backend.event_store
    store.append(Opened(owner="Ann"), stream_id=stream)
    backend.storage.save_snapshot(an_event(stream, name="gone", version=1))

    assert [one.event for one in store.load_stream(stream)] == [Opened(owner="Ann")]
    store.append(Deposited(amount=3), stream_id=stream, expected_version=1)
    assert [one.version for one in store.load_stream(stream)] == [1, 2]


def test_a_range_of_a_stream_with_a_snapshot_has_events_only(store, stream):
    store.append(Opened(owner="Ann"), Deposited(amount=3), stream_id=stream)
    store.save_snapshot(stream, WrappedEvent.wrap(Balance(balance=3), version=2))

    assert [one.event for one in store.load_stream(stream, 1)] == [
        Opened(owner="Ann"),
        Deposited(amount=3),
    ]


def test_an_asynchronous_upcaster_is_refused_when_it_is_marked():
    async def later(data):
        raise AssertionError("it never runs")

    with pytest.raises(AsynchronousFunctionError, match="An upcaster is asynchronous"):
        upcaster(from_version=1)(later)  # type: ignore[arg-type]
