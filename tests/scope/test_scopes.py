"""A log table is used with one scope: a process that is set to another is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamo_es import DynamoBackend, Event, MemoryBackend, StreamId
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.registry import (
    check_scope,
    get_scope,
    put_log,
    put_scope,
    register,
)
from dynamo_es.dynamodb.maintenance.repair import repair
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.exceptions import ConfigurationError, LogScopeError
from dynamo_es.testing.conformance.language import events
from dynamo_es.values import ANY_VERSION
from tests.dynamodb.machine import DONE, play, refused
from tests.infra.policies import calls_of

ACME = LogKeys("log", "acme#")
OF_EACH = {"Item": {"log_scope": {"S": "tenant"}}}
A_PAGE = {"Item": {"log_key": {"S": "log"}, "place": {"S": "1"}}}


class Put(Event):
    __event_name__ = "scopes.Put"


@pytest.fixture(scope="module", params=["table", "tenant"])
def written(request):
    """A store with a log of each scope in turn, and the other scope."""
    other = {"table": "tenant", "tenant": "table"}[request.param]
    with DynamoBackend.local(log_scope=request.param) as backend:
        backend.in_tenant("acme").event_store.append(Put(), stream_id=StreamId())
        yield backend, other


@pytest.mark.parametrize(
    "use",
    [
        lambda other: other.in_tenant("acme").log.last_position,
        lambda other: other.in_tenant("acme").log.reader(0).read(),
        lambda other: other.in_tenant("acme").log.reader(1),
        lambda other: other.projection("p", print).run_once(),
        lambda other: next(other.subscriber.build_iter(0.1)),
        lambda other: other.outbox.run_once(print),
        lambda other: other.storage.current_position,
        lambda other: verify(other.config, lambda: other.client),
        lambda other: repair(other.config, lambda: other.client),
        lambda other: other.in_tenant("acme").projection("p", print).run_once(),
    ],
)
def test_every_use_of_the_log_with_another_scope_is_refused(written, use):
    backend, scope = written
    other = DynamoBackend(replace(backend.config, log_scope=scope), client=backend.client)

    with pytest.raises(LogScopeError) as caught:
        use(other)

    assert (caught.value.stored, caught.value.configured) == (backend.config.log_scope, scope)
    assert f'Set log_scope="{backend.config.log_scope}"' in str(caught.value)


def test_an_append_keeps_its_events_and_its_position_is_not_given(written, caplog):
    backend, scope = written
    other = DynamoBackend(replace(backend.config, log_scope=scope), client=backend.client)
    stream = StreamId()
    before = backend.in_tenant("acme").log.last_position

    other.in_tenant("acme").storage.insert_events(stream, ANY_VERSION, events(stream, 1))

    assert "the events are stored, but have no position yet" in caplog.text
    assert "LogScopeError" in caplog.text
    assert backend.in_tenant("acme").log.last_position == before


def test_in_a_log_with_pages_the_scope_costs_nothing():
    for scope, most in (("table", set()), ("tenant", {"acme#log"})):
        with DynamoBackend.local(log_scope=scope) as backend:  # type: ignore[arg-type]
            backend.in_tenant("acme").event_store.append(Put(), stream_id=StreamId())
            process = DynamoBackend(backend.config, client=backend.client)
            with calls_of(process) as calls:
                process.in_tenant("acme").event_store.append(Put(), stream_id=StreamId())
                assert process.in_tenant("acme").log.last_position == 2
                process.in_tenant("acme").log.reader(0).read()
            assert not {call.key for call in calls} & {"logs", *({"log"} if most else ())}


def test_the_tables_are_reserved_when_they_are_created():
    with DynamoBackend.local(log_scope="tenant") as backend:
        table_scope = DynamoBackend(
            replace(backend.config, log_scope="table"), client=backend.client
        )
        with pytest.raises(LogScopeError):
            _ = table_scope.log.last_position
        backend.create_tables()
    with DynamoBackend.local() as backend:
        backend.event_store.append(Put(), stream_id=StreamId())
        config = replace(backend.config, log_scope="tenant")
        with pytest.raises(LogScopeError):
            DynamoBackend(config, client=backend.client).create_tables()


def test_a_log_is_registered_before_its_first_page():
    assert play(register(ACME), (get_scope("log"), OF_EACH), (put_log(ACME), DONE)) is None
    assert (
        play(
            register(ACME),
            (get_scope("log"), {}),
            (put_scope("log"), DONE),
            (put_log(ACME), DONE),
        )
        is None
    )


def test_another_process_may_be_faster_with_either_scope():
    assert (
        play(
            register(ACME),
            (get_scope("log"), {}),
            (put_scope("log"), refused()),
            (get_scope("log"), OF_EACH),
            (put_log(ACME), DONE),
        )
        is None
    )
    with pytest.raises(LogScopeError, match='was written with log_scope="table"'):
        play(
            register(ACME),
            (get_scope("log"), {}),
            (put_scope("log"), refused()),
            (get_scope("log"), A_PAGE),
        )


def test_the_log_of_all_tenants_is_not_registered():
    assert play(register(LogKeys("log"))) is None
    assert play(check_scope(LogKeys("log"))) is False


def test_a_storage_in_memory_has_one_scope_too():
    storage = MemoryBackend(log_scope="tenant").storage
    with pytest.raises(LogScopeError, match='written with log_scope="tenant"'):
        MemoryBackend(storage)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="must be one of table, tenant"):
        MemoryBackend(log_scope="stream")  # type: ignore[arg-type]
