"""Each tenant's log is sequenced by itself; a log that fails does not stop the others."""

from __future__ import annotations

import logging
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from dynamo_es import DynamoBackend, StreamId
from dynamo_es.aws_lambda import project_log, publish_outbox, sequence_events
from dynamo_es.dynamodb.log import inline_sequencer, logs
from dynamo_es.dynamodb.log.inline_sequencer import InlineSequencers
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.logs import Logs
from dynamo_es.dynamodb.log.pointers import Pointer, find_pointers
from dynamo_es.dynamodb.log.sequencing_by_log import Sequencing
from dynamo_es.dynamodb.maintenance.repair import read_set_aside, repair
from dynamo_es.dynamodb.maintenance.verify import verify
from dynamo_es.dynamodb.wire.gateway import Gateway
from dynamo_es.exceptions import CredentialsError, InputError, ThrottledError
from dynamo_es.testing.conformance.language import events
from dynamo_es.values import ANY_VERSION
from tests.aws_lambda.lambdas import records_of
from tests.log.hostile import a_victim

if TYPE_CHECKING:
    from collections.abc import Iterator

TENANTS = ("", "acme", "umbrella")


@pytest.fixture(scope="module")
def shared() -> Iterator[DynamoBackend]:
    with DynamoBackend.local(log_scope="tenant", sequencing="stream") as backend:
        yield backend


@pytest.fixture
def backend(shared: DynamoBackend) -> DynamoBackend:
    shared.clear()
    return shared


def fill(backend: DynamoBackend, times: int = 1, tenants: tuple[str, ...] = TENANTS) -> None:
    for _ in range(times):
        for tenant in tenants:
            stream = StreamId(category="order")
            backend.in_tenant(tenant).storage.insert_events(stream, ANY_VERSION, events(stream, 1))


def ends(backend: DynamoBackend) -> dict[str, int | None]:
    return {tenant: backend.in_tenant(tenant).log.last_position for tenant in TENANTS}


def a_sequencing(backend: DynamoBackend, errors: dict[str, Exception] | None = None) -> Sequencing:
    """A sequencing where requests about a tenant's log raise an error."""
    gateway = Gateway(lambda: backend.client, backend.config)

    def guarded(steps: Any) -> Any:
        reply = None
        while True:
            try:
                request = steps.send(reply)
            except StopIteration as end:
                return end.value
            for tenant, error in (errors or {}).items():
                if f"'{tenant}#log'" in str(request):
                    raise error
            reply = yield request

    def run(operation: str, tenant_id: str, steps: Any) -> Any:
        return gateway.run(operation, tenant_id, None, guarded(steps))

    return Sequencing(Logs.of(backend.config), run)


def hints(backend: DynamoBackend) -> Any:
    return find_pointers(backend.client.scan(TableName="events")["Items"]).pointers


def test_hints_of_several_tenants_go_into_their_logs(backend):
    fill(backend, 2)

    done = a_sequencing(backend).sequence(hints(backend))

    assert ends(backend) == dict.fromkeys(TENANTS, 2)
    assert (len(done.pages), done.positions, done.left) == (3, 6, [])


def test_a_log_that_is_throttled_does_not_stop_the_others(backend):
    fill(backend, 2)
    error = ThrottledError("sequence", "Throttling", "too many")

    done = a_sequencing(backend, {"acme": error}).sequence(hints(backend))

    assert ends(backend) == {"": 2, "acme": None, "umbrella": 2}
    assert done.failure is error
    assert {hint.stream_key.partition("#")[0] for hint in done.left} == {"acme"}
    assert a_sequencing(backend).sequence(done.left).positions == 2


def test_several_logs_are_written_at_once():
    meeting = Barrier(3, timeout=10)
    left = []

    def run(operation: str, tenant_id: str, steps: Any) -> Any:
        meeting.wait()  # none goes on before all three have begun
        left.append(tenant_id)
        return []

    sequencing = Sequencing(Logs("events", "log", per_tenant=True), run, parallel=3)
    commits = [a_commit_of_tenant(tenant) for tenant in TENANTS]

    assert sequencing.sequence(commits).failure is None
    assert set(left) == set(TENANTS)


def a_commit_of_tenant(tenant: str) -> Pointer:
    return Pointer(f"{tenant}#order#{StreamId()}", None, 1, 1, 1, ("a",), False, False)


def test_what_concerns_all_logs_ends_the_call(backend):
    fill(backend)

    with pytest.raises(CredentialsError):
        a_sequencing(backend, {"acme": CredentialsError("sequence", "Denied", "no")}).sequence(
            hints(backend)
        )


def spoil(backend: DynamoBackend, tenant: str) -> None:
    key = {"log_key": {"S": LogKeys("log", f"{tenant}#").pages}, "place": {"S": f"{1:020}"}}
    backend.client.put_item(TableName="log", Item={**key, "count": {"N": "1"}})


def test_a_process_remembers_some_logs_and_forgets_idle_ones(backend, monkeypatch):
    monkeypatch.setattr(inline_sequencer, "_MOST_LOGS", 3)
    monkeypatch.setattr(logs, "_MOST_REMEMBERED", 3)
    every = Logs.of(backend.config)
    inline = InlineSequencers(every, Gateway(lambda: backend.client, backend.config))
    first = inline.of("0")
    memories = logs.Memories()
    memory = memories.of(every.of_tenant("0"))

    for number in range(1, 5):
        inline.of(str(number))
        memories.of(every.of_tenant(str(number)))

    assert inline.of("4") is inline.of("4")
    assert inline.of("0") is not first
    assert memories.of(every.of_tenant("0")) is not memory


def test_a_log_that_is_damaged_is_passed_over_and_named(backend, caplog):
    fill(backend)
    spoil(backend, "acme")

    with caplog.at_level(logging.ERROR):
        done = a_sequencing(backend).sequence(hints(backend))

    assert (done.positions, done.failure, done.left) == (2, None, [])
    assert "1 commits of a tenant have no position" in caplog.text
    assert "'acme#log'" in caplog.text


def test_the_function_sequences_a_batch_of_several_tenants(backend):
    fill(backend, 2)
    handler = sequence_events(backend)

    assert handler({"Records": records_of(backend, "events")}) == {"batchItemFailures": []}

    assert ends(backend) == dict.fromkeys(TENANTS, 2)
    assert handler.sequenced == 6


def test_the_function_returns_the_first_record_of_the_log_that_failed(backend, monkeypatch):
    fill(backend, 2)
    handler = sequence_events(backend)
    failing = a_sequencing(backend, {"acme": ThrottledError("sequence", "Throttling", "too many")})
    monkeypatch.setattr(handler, "_sequencing", failing)
    batch = records_of(backend, "events")

    reply = handler({"Records": batch})

    first = next(one for one in batch if "acme#" in str(one["dynamodb"]["Keys"]))
    number = first["dynamodb"]["SequenceNumber"]
    assert reply == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert ends(backend) == {"": 2, "acme": None, "umbrella": 2}


def test_reports_name_the_tenant_of_the_log(backend):
    fill(backend)
    reports: list[Any] = []
    observed = DynamoBackend(backend.config, client=backend.client, observer=reports.append)

    sequence_events(observed)({"Records": records_of(backend, "events")})
    observed.in_tenant("acme").log.reader(0).read()

    named = [(report.operation, report.tenant_id) for report in reports]
    assert {name for name in named if name[0] == "sequence"} == {
        ("sequence", tenant) for tenant in TENANTS
    }
    assert ("read_log", "acme") in named


@pytest.mark.ci
def test_a_worker_that_polls_sequences_all_logs(backend):
    fill(backend, 2)

    assert backend.sequencer.run_once().handled >= 6

    assert ends(backend) == dict.fromkeys(TENANTS, 2)


def test_log_handlers_read_the_logs_whose_pages_came(backend):
    fill(backend)
    a_sequencing(backend).sequence(hints(backend))
    batch = {"Records": records_of(backend, "log")}
    only = [one for one in batch["Records"] if "umbrella#log" in str(one["dynamodb"]["Keys"])]
    applied: list[Any] = []
    handler = project_log(backend, "some", keep_unknown=True)(applied.append)

    assert handler({"Records": only}) == {"batchItemFailures": []}
    assert [one.tenant_id for one in applied] == ["umbrella"]
    handler(batch)
    assert {one.tenant_id for one in applied} == set(TENANTS)
    assert len(applied) == 3


def test_a_tenants_handler_passes_over_the_pages_of_others(backend):
    fill(backend)
    a_sequencing(backend).sequence(hints(backend))
    records = records_of(backend, "log")
    others = [one for one in records if "umbrella#log" in str(one["dynamodb"]["Keys"])]
    applied: list[Any] = []
    scoped = backend.in_tenant("acme")
    handler = project_log(scoped, "ours", keep_unknown=True)(applied.append)

    assert handler({"Records": others}) == {"batchItemFailures": []}
    assert applied == []
    handler({"Records": records})
    assert [one.tenant_id for one in applied] == ["acme"]


def test_a_handler_that_fails_gets_the_batch_again(backend):
    fill(backend)
    a_sequencing(backend).sequence(hints(backend))
    records = [one for one in records_of(backend, "log") if "#log'" in str(one["dynamodb"]["Keys"])]

    def fail(recorded: Any) -> None:
        if recorded.tenant_id == "acme":
            raise RuntimeError("down")

    reply = project_log(backend, "failing", keep_unknown=True)(fail)({"Records": records})

    (failed,) = reply["batchItemFailures"]
    assert failed["itemIdentifier"] in {one["dynamodb"]["SequenceNumber"] for one in records}


def test_the_outboxs_function_publishes_from_the_logs_whose_pages_came(shared):
    shared.clear()
    backend = shared.with_outbox()
    fill(backend)
    a_sequencing(backend).sequence(hints(backend))
    records = records_of(backend, "log")
    only = [one for one in records if "umbrella#log" in str(one["dynamodb"]["Keys"])]
    published: list[Any] = []
    handler = publish_outbox(backend, published.append, keep_unknown=True)

    handler({"Records": only})
    assert [one.tenant_id for one in published] == ["umbrella"]
    handler({})
    assert {one.tenant_id for one in published} == set(TENANTS)


def test_a_repair_rebuilds_the_logs_of_all_tenants_from_the_streams(backend):
    fill(backend, 2)

    done = repair(backend.config, lambda: backend.client)

    assert (done.positions, done.complete) == (6, True)
    assert ends(backend) == dict.fromkeys(TENANTS, 2)
    assert set(backend.log.tenants()) == set(TENANTS)
    assert verify(backend.config, lambda: backend.client).sound


def test_a_repair_may_be_of_one_tenants_log(backend):
    fill(backend, 2)

    done = repair(backend.config, lambda: backend.client, tenant_id="acme")

    assert (done.positions, ends(backend)) == (2, {"": None, "acme": 2, "umbrella": None})
    with DynamoBackend.local() as one_log, pytest.raises(InputError, match="without a tenant"):
        repair(one_log.config, lambda: one_log.client, tenant_id="acme")


def test_what_cannot_be_read_is_set_aside_in_its_tenants_log(backend):
    fill(backend, tenants=("umbrella",))
    damaged = a_victim(event_count={"N": "0"})
    backend.client.put_item(TableName="events", Item=damaged)
    hostile = {**damaged, "stream_key": {"S": "no stream"}}
    backend.client.put_item(TableName="events", Item=hostile)

    done = repair(backend.config, lambda: backend.client)

    assert done.set_aside == 2
    listed = {one.stream_key for one in read_set_aside(backend.config, lambda: backend.client)}
    assert listed == {damaged["stream_key"]["S"], "no stream"}
    assert set(backend.log.tenants()) == {"", "umbrella"}
    for item in (damaged, hostile):
        key = {name: item[name] for name in ("stream_key", "version")}
        backend.client.delete_item(TableName="events", Key=key)
    repair(backend.config, lambda: backend.client)
    assert read_set_aside(backend.config, lambda: backend.client) == []


def test_a_verification_finds_faults_in_each_log(backend):
    fill(backend, 2)
    repair(backend.config, lambda: backend.client)
    page = {"log_key": {"S": "acme#log"}, "place": {"S": f"{1:020}"}}
    backend.client.delete_item(TableName="log", Key=page)
    registered = {"log_key": {"S": "logs"}, "place": {"S": "umbrella#"}}
    backend.client.delete_item(TableName="log", Key=registered)

    report = verify(backend.config, lambda: backend.client)

    assert any("umbrella#log has markers but is not in the registry" in f for f in report.faults)
    assert any("acme#streams" in fault for fault in report.faults)
    assert not any("##" in fault for fault in report.faults), "the default tenant's log is sound"
