"""EventSourceMapping delivers records by the rules of Lambda's documentation."""

from __future__ import annotations

import threading
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import MemoryBackend, StreamId
from dynamo_es.aws_lambda import project_streams, sequence_events
from dynamo_es.exceptions import AsynchronousFunctionError, InputError
from dynamo_es.testing import (
    EventSourceMapping,
    FrozenClock,
    Killed,
    LambdaContext,
    lambda_events,
)
from tests.event_store.accounts import Deposited

if TYPE_CHECKING:
    from dynamo_es import DynamoBackend, Recorded


def a_record(number: int, stream: str = "ann") -> dict[str, Any]:
    keys = {"stream_key": {"S": stream}, "version": {"N": str(number)}}
    return {"eventID": str(number), "dynamodb": {"SequenceNumber": str(number), "Keys": keys}}


RECORDS = [a_record(number) for number in range(1, 11)]


class Function:
    """Remembers the batches, and answers as planned; at the end of the plan, all is well."""

    def __init__(self, *answers: Any) -> None:
        self.batches: list[list[int]] = []
        self._answers = list(answers)

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        self.batches.append([int(one["dynamodb"]["SequenceNumber"]) for one in event["Records"]])
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, BaseException):
            raise answer
        return answer


def failing(*numbers: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": str(number)} for number in numbers]}


ERROR = ValueError("no")


def test_records_come_in_batches_and_in_order():
    function = Function()
    delivery = EventSourceMapping(function, batch_size=4).deliver(RECORDS)

    assert function.batches == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert [call.result for call in delivery.invocations] == ["done"] * 3


def test_a_batch_is_tried_again_from_its_lowest_failed_record():
    function = Function(failing(4, 3), failing(4))
    EventSourceMapping(function, batch_size=5).deliver(RECORDS)

    assert function.batches == [[1, 2, 3, 4, 5], [3, 4, 5], [4, 5], [6, 7, 8, 9, 10]]


@pytest.mark.parametrize("failure", [ERROR, Killed()])
def test_after_an_error_the_whole_batch_comes_again_before_any_other(failure):
    function = Function(failure, failure)
    delivery = EventSourceMapping(function, batch_size=5).deliver(RECORDS)

    assert function.batches == [[1, 2, 3, 4, 5]] * 3 + [[6, 7, 8, 9, 10]]
    assert [call.result for call in delivery.invocations] == ["failed", "failed", "done", "done"]
    assert delivery.invocations[0].error is failure


@pytest.mark.parametrize(
    "answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"state": {}}]
)
def test_an_answer_without_failures_is_a_success(answer):
    function = Function(answer)
    EventSourceMapping(function).deliver(RECORDS)

    assert len(function.batches) == 1


@pytest.mark.parametrize(
    "failure",
    [
        {"itemIdentifier": ""},
        {"itemIdentifier": None},
        {"itemIdentifer": "3"},
        {"itemIdentifier": "99"},
        {"itemIdentifier": 3},
        "3",
    ],
)
def test_a_failure_that_names_no_record_fails_the_whole_batch(failure):
    function = Function({"batchItemFailures": [failure]})
    EventSourceMapping(function).deliver(RECORDS)

    assert [len(batch) for batch in function.batches] == [10, 10]


@pytest.mark.parametrize("answer", ["ok", 200, [], True])
def test_an_answer_that_is_no_object_is_refused(answer):
    with pytest.raises(InputError, match="must return a dict or None"):
        EventSourceMapping(Function(answer)).deliver(RECORDS)


def test_a_report_is_ignored_unless_the_mapping_reads_it():
    function = Function(failing(1), "ok")
    EventSourceMapping(function, report_batch_item_failures=False).deliver(RECORDS)

    assert len(function.batches) == 1


def test_a_failed_batch_may_be_halved_until_the_bad_record_is_alone():
    def poisoned(event: dict[str, Any], context: Any) -> None:
        seen.append([int(one["dynamodb"]["SequenceNumber"]) for one in event["Records"]])
        if 3 in seen[-1]:
            raise ERROR

    seen: list[list[int]] = []
    gone: list[dict[str, Any]] = []
    EventSourceMapping(
        poisoned,
        batch_size=8,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=1,
        on_failure=gone,
    ).deliver(RECORDS)

    whole = [1, 2, 3, 4, 5, 6, 7, 8]
    assert seen == [whole, [1, 2, 3, 4], [1, 2], [3, 4], [3], [3], [4], [5, 6, 7, 8], [9, 10]]
    assert [one["DDBStreamBatchInfo"]["startSequenceNumber"] for one in gone] == ["3"]


def test_halving_splits_at_the_reported_record_and_takes_no_retry():
    function = Function(failing(3), failing(4), failing(5))
    EventSourceMapping(
        function, bisect_batch_on_function_error=True, maximum_retry_attempts=0
    ).deliver(RECORDS[:6])

    assert function.batches == [[1, 2, 3, 4, 5, 6], [3, 4, 5, 6], [4, 5, 6], [5, 6]]


def test_a_batch_is_given_up_after_the_last_retry_and_the_shard_goes_on():
    function = Function(ERROR, ERROR, ERROR)
    gone: list[dict[str, Any]] = []
    delivery = EventSourceMapping(
        function, batch_size=5, maximum_retry_attempts=2, on_failure=gone
    ).deliver(RECORDS)

    assert function.batches == [[1, 2, 3, 4, 5]] * 3 + [[6, 7, 8, 9, 10]]
    (told,) = gone
    assert delivery.discarded == gone
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 3
    assert told["DDBStreamBatchInfo"]["endSequenceNumber"] == "5"
    assert told["DDBStreamBatchInfo"]["batchSize"] == 5


def test_without_a_destination_a_batch_that_is_given_up_fails_the_test():
    with pytest.raises(AssertionError, match="discards 10 records after 1 calls") as failure:
        EventSourceMapping(Function(ERROR), maximum_retry_attempts=0).deliver(RECORDS)
    assert failure.value.__cause__ is ERROR


def test_a_destination_may_be_a_function():
    gone: list[Any] = []
    EventSourceMapping(Function(ERROR), maximum_retry_attempts=0, on_failure=gone.append).deliver(
        RECORDS
    )
    assert len(gone) == 1


def test_a_batch_is_given_up_when_its_records_are_too_old():
    clock = FrozenClock()
    before = clock()
    function = Function(*[ERROR] * 100)
    gone: list[dict[str, Any]] = []
    EventSourceMapping(function, maximum_record_age=60, on_failure=gone, clock=clock).deliver(
        RECORDS
    )

    assert len(function.batches) == 6  # after 0, 1, 3, 7, 15 and 31 seconds; the next is at 63
    assert clock() == before + 63
    assert gone[0]["requestContext"]["condition"] == "RecordAgeExceeded"


def test_without_limits_a_record_blocks_its_shard_for_a_day():
    function = Function(*[ERROR] * 2000)
    clock = FrozenClock()
    before = clock()
    with pytest.raises(AssertionError, match="RecordAgeExceeded"):
        EventSourceMapping(function, clock=clock).deliver(RECORDS)

    assert clock() - before == pytest.approx(86_400, abs=100)


def test_a_batch_that_was_done_may_come_again():
    function = Function()
    delivery = EventSourceMapping(function, batch_size=1, duplicates=0.5, seed=1).deliver(RECORDS)

    counts = Counter(number for (number,) in function.batches)
    assert set(counts) == set(range(1, 11))
    assert max(counts.values()) > 1
    assert [int(call.numbers[0]) for call in delivery.invocations] == sorted(counts.elements())


def test_the_same_seed_gives_the_same_deliveries():
    records = [a_record(number, stream) for number in range(1, 30) for stream in "abcdefgh"]

    def batches(seed: int) -> list[list[int]]:
        function = Function(*[None, ERROR] * 3)
        EventSourceMapping(function, batch_size=3, shards=4, duplicates=0.3, seed=seed).deliver(
            records
        )
        return function.batches

    assert batches(1) == batches(1)
    assert batches(1) != batches(2)


def test_shards_do_not_wait_for_each_other():
    records = [a_record(number, stream) for number in range(1, 5) for stream in "abcdefgh"]
    stuck: list[str] = []

    def function(event: dict[str, Any], context: Any) -> None:
        streams = {one["dynamodb"]["Keys"]["stream_key"]["S"] for one in event["Records"]}
        if "a" in streams:
            stuck.append("a")
            raise ERROR

    gone: list[Any] = []
    delivery = EventSourceMapping(
        function, batch_size=2, shards=4, maximum_retry_attempts=50, on_failure=gone
    ).deliver(records)

    lanes = {call.lane for call in delivery.invocations}
    done = {call.lane for call in delivery.invocations if call.result == "done"}
    assert len(lanes) > 1
    assert len(lanes - done) <= 1
    first_give_up = [call.result for call in delivery.invocations].index("done")
    assert first_give_up < len(stuck)


def test_parallel_batches_keep_the_order_of_an_item_and_not_of_a_stream():
    records = [a_record(version, "ann") for version in range(1, 40)]
    later = [
        {**one, "dynamodb": {**one["dynamodb"], "SequenceNumber": str(100 + at)}}
        for at, one in enumerate(records)
    ]
    function = Function()
    EventSourceMapping(function, batch_size=1, parallelization_factor=10, seed=3).deliver(
        records + later
    )

    order = [number for (number,) in function.batches]
    versions = [number for number in order if number < 100]
    assert versions != sorted(versions)
    for at in range(39):
        assert order.index(at + 1) < order.index(100 + at)


def test_shards_may_be_called_at_the_same_time():
    records = [a_record(1, stream) for stream in "abcdefgh"]
    together = threading.Barrier(2, timeout=10)

    def function(event: dict[str, Any], context: Any) -> None:
        together.wait()

    def of_lanes(count: int) -> list[dict[str, Any]]:
        mapping = EventSourceMapping(lambda event, context: None, shards=2)
        lanes = mapping.deliver(records).invocations
        assert len(lanes) == count
        return records

    EventSourceMapping(function, shards=2, concurrent=True).deliver(of_lanes(2))


def test_a_filter_leaves_records_out():
    function = Function()
    EventSourceMapping(
        function, wanted=lambda record: int(record["dynamodb"]["SequenceNumber"]) % 2 == 0
    ).deliver(RECORDS)

    assert function.batches == [[2, 4, 6, 8, 10]]


def test_each_call_gets_a_context():
    left: list[int] = []
    EventSourceMapping(
        lambda event, context: left.append(context.get_remaining_time_in_millis()),
        context=lambda: LambdaContext(1234),
    ).deliver(RECORDS)
    assert left == [1234]


@settings(max_examples=50)
@given(
    size=st.integers(1, 12),
    bisect=st.booleans(),
    shards=st.integers(1, 3),
    plan=st.lists(st.sampled_from([None, "error", 0, 1, 2]), max_size=30),
)
def test_every_record_is_done_and_none_before_the_one_before_it(size, bisect, shards, plan):
    records = [a_record(number, "abc"[number % 3]) for number in range(1, 25)]
    done: list[tuple[str, int]] = []
    answers = iter(plan)

    def function(event: dict[str, Any], context: Any) -> Any:
        found = [
            (one["dynamodb"]["Keys"]["stream_key"]["S"], int(one["dynamodb"]["SequenceNumber"]))
            for one in event["Records"]
        ]
        assert len(found) <= size
        answer = next(answers, None)
        if answer == "error":
            raise ERROR
        if isinstance(answer, int) and answer < len(found):
            done.extend(found[:answer])
            return failing(found[answer][1])
        done.extend(found)
        return None

    EventSourceMapping(
        function, batch_size=size, bisect_batch_on_function_error=bisect, shards=shards
    ).deliver(records)

    assert sorted(number for _, number in done) == list(range(1, 25))
    for stream in "abc":
        numbers = [number for name, number in done if name == stream]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"batch_size": True},
        {"shards": 0},
        {"parallelization_factor": 11},
        {"parallelization_factor": 0},
        {"maximum_retry_attempts": -2},
        {"duplicates": 1.0},
        {"duplicates": -0.1},
        {"clock": 5},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong):
    with pytest.raises(InputError):
        EventSourceMapping(Function(), **wrong)


def test_a_coroutine_is_refused():
    async def handler(event: Any, context: Any) -> None: ...

    with pytest.raises(AsynchronousFunctionError):
        EventSourceMapping(handler)
    with pytest.raises(AsynchronousFunctionError):
        EventSourceMapping(lambda *call: handler(*call)).deliver(RECORDS)  # noqa: PLW0108


ANN, BOB = (StreamId(name=name, category="account") for name in ("ann", "bob"))


def deposit(backend: DynamoBackend, stream: StreamId, *amounts: int) -> None:
    for amount in amounts:
        version = backend.event_store.version(stream) or 0
        backend.event_store.append(
            Deposited(amount=amount), stream_id=stream, expected_version=version
        )


def test_a_backend_s_events_come_in_batches(dynamo_backend):
    deposit(dynamo_backend, ANN, 1, 2, 3)

    events = lambda_events(dynamo_backend, batch_size=2)

    assert [len(event["Records"]) for event in events] == [2, 1]
    record = events[0]["Records"][0]
    assert record["eventSource"] == "aws:dynamodb"
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"]["version"] == {"N": "1"}
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], float)


def test_a_batch_has_records_of_one_shard(dynamo_backend):
    for name in "abcdefghijkl":
        deposit(dynamo_backend, StreamId(name=name), 1, 2)

    events = lambda_events(dynamo_backend, shards=4)

    streams = [
        {one["dynamodb"]["Keys"]["stream_key"]["S"] for one in event["Records"]} for event in events
    ]
    assert sum(len(event["Records"]) for event in events) == 24
    assert 1 < len(events) <= 4
    assert sum(map(len, streams)) == len(set.union(*streams)) == 12


def test_handlers_of_the_library_work_on_it(dynamo_backend):
    balances: Counter[str | None] = Counter()

    def apply(recorded: Recorded) -> None:
        event: Any = recorded.wrapped_event.event
        balances[recorded.stream_id.name] += event.amount

    deposit(dynamo_backend, ANN, 1, 2, 3)
    deposit(dynamo_backend, BOB, 10)
    mapping = EventSourceMapping(
        project_streams(dynamo_backend, "balances")(apply), batch_size=2, duplicates=0.5, seed=4
    )
    mapping.deliver(dynamo_backend)
    assert balances == {"ann": 6, "bob": 10}

    deposit(dynamo_backend, BOB, 5)
    mapping.deliver(dynamo_backend)
    assert balances == {"ann": 6, "bob": 15}


def test_what_a_handler_appends_is_delivered_too(dynamo_backend):
    def double(recorded: Recorded) -> None:
        event: Any = recorded.wrapped_event.event
        if recorded.stream_id.name == "ann":
            deposit(dynamo_backend, BOB, event.amount * 2)

    deposit(dynamo_backend, ANN, 1, 2)
    delivery = EventSourceMapping(project_streams(dynamo_backend, "doubles")(double)).deliver(
        dynamo_backend
    )

    assert len(delivery.invocations) == 2
    assert delivery.invocations[1].result == "done"
    assert [one.event.amount for one in dynamo_backend.event_store.load_stream(BOB)] == [2, 4]


def test_the_failure_record_leads_back_to_the_records(dynamo_backend):
    deposit(dynamo_backend, ANN, 1, 2, 3)
    seen: list[int] = []
    broken = True

    def apply(recorded: Recorded) -> None:
        if broken:
            raise ERROR
        event: Any = recorded.wrapped_event.event
        seen.append(event.amount)

    handler = project_streams(dynamo_backend, "later")(apply)
    gone: list[dict[str, Any]] = []
    EventSourceMapping(handler, maximum_retry_attempts=1, on_failure=gone).deliver(dynamo_backend)
    broken = False

    for told in gone:
        handler(told)
    assert seen == [1, 2, 3]


def test_events_of_lambda_are_batches_as_they_are(dynamo_backend):
    deposit(dynamo_backend, ANN, 1, 2, 3)
    function = Function()
    EventSourceMapping(function, batch_size=100).deliver(
        lambda_events(dynamo_backend, batch_size=2)
    )
    assert [len(batch) for batch in function.batches] == [2, 1]


def test_the_log_table_has_a_stream_too(dynamo_backend):
    deposit(dynamo_backend, ANN, 1)
    table = dynamo_backend.config.log_table
    assert lambda_events(dynamo_backend, table=table)
    assert sequence_events(dynamo_backend)({"Records": []}) == {"batchItemFailures": []}


def test_a_backend_in_memory_has_no_stream(memory_backend):
    with pytest.raises(InputError, match="must be a DynamoBackend, not MemoryBackend"):
        lambda_events(memory_backend)


def test_an_answer_that_is_not_json_is_an_error():
    function = Function({"seen": {1}}, {"seen": 1})

    delivery = EventSourceMapping(function).deliver(RECORDS[:2])

    assert [call.result for call in delivery.invocations] == ["failed", "done"]
    assert isinstance(delivery.invocations[0].error, TypeError)
    assert function.batches == [[1, 2], [1, 2]]


def test_a_decimal_number_is_an_answer():
    delivery = EventSourceMapping(Function({"total": Decimal("1.5")})).deliver(RECORDS[:1])

    assert [call.result for call in delivery.invocations] == ["done"]


def test_each_call_gets_records_of_its_own():
    seen: list[dict[str, Any]] = []

    def emptying(event: dict[str, Any], _context: object) -> None:
        (record,) = event["Records"]
        seen.append(dict(record["dynamodb"]))
        record["dynamodb"].clear()
        if len(seen) == 1:
            raise ERROR

    EventSourceMapping(emptying).deliver([a_record(1)])

    assert seen == [a_record(1)["dynamodb"]] * 2


def test_failures_are_a_list():
    mapping = EventSourceMapping(Function({"batchItemFailures": 5}))

    with pytest.raises(InputError, match="batchItemFailures must be a list, not 5"):
        mapping.deliver(RECORDS[:1])


def test_a_backend_without_streams_is_refused():
    with pytest.raises(InputError, match="deliver needs a DynamoBackend"):
        EventSourceMapping(Function()).deliver(MemoryBackend())  # type: ignore[arg-type]
