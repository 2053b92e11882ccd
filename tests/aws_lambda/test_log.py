"""Read models of the whole log, on the log table's stream and on a schedule."""

from __future__ import annotations

import pytest

from dynamo_es import ANY_VERSION, StreamId, Writes
from dynamo_es.aws_lambda import project_log, sequence_events
from dynamo_es.exceptions import ConfigurationError, ProjectionBusyError
from tests.aws_lambda.lambdas import Context, Spent, deliver, numbers, records_of
from tests.event_store.accounts import Deposited
from tests.projections.balances import TABLE, balance_of, create_table

ANN = StreamId(name="ann", category="account")
BOB = StreamId(name="bob", category="account")


@pytest.fixture
def filled(backend):
    """A log of five pages of one commit each."""
    sequencer = sequence_events(backend)
    for amount in range(1, 6):
        stream = ANN if amount % 2 else BOB
        backend.event_store.append(
            Deposited(amount=amount), stream_id=stream, expected_version=ANY_VERSION
        )
        sequencer({"Records": records_of(backend, "events")})
    return backend


def collecting(failing=()):
    seen = []

    def handle(recorded):
        if recorded.position in failing:
            raise RuntimeError("not today")
        seen.append(recorded.position)

    return seen, handle


def pages_of(backend):
    return [
        record
        for record in records_of(backend, "log")
        if record["dynamodb"]["Keys"]["log_key"]["S"] == "log"
    ]


def test_all_of_the_log_is_applied_in_its_order_whatever_woke_it(filled):
    seen, handle = collecting()
    handler = project_log(filled, "model")(handle)

    assert handler({"Records": pages_of(filled)[-1:]}) == {"batchItemFailures": []}
    assert handler({"Records": pages_of(filled)}) == {"batchItemFailures": []}

    assert seen == [1, 2, 3, 4, 5]


def test_a_schedule_does_as_well(filled):
    seen, handle = collecting()
    handler = project_log(filled, "model", category="account", events=[Deposited])(handle)

    assert handler({"source": "aws.events", "detail": {}}) == {"batchItemFailures": []}

    assert seen == [1, 2, 3, 4, 5]


def test_its_own_writes_do_not_make_it_run(filled):
    told = []
    filled.storage  # noqa: B018 - made before it is watched
    seen, handle = collecting()
    handler = project_log(filled, "model")(handle)
    handler({})
    others = [record for record in records_of(filled, "log") if record not in pages_of(filled)]
    assert any("checkpoint" in str(record["dynamodb"]["Keys"]) for record in others)
    filled.client.meta.events.register("before-call.dynamodb", lambda **_: told.append(1))

    assert handler({"Records": others}) == {"batchItemFailures": []}

    assert (seen, told) == ([1, 2, 3, 4, 5], [])


def test_a_failure_names_the_first_page_that_is_not_done(filled):
    seen, handle = collecting(failing={4})
    handler = project_log(filled, "model")(handle)
    pages = pages_of(filled)

    answer = handler({"Records": pages})

    assert seen == [1, 2, 3]
    assert numbers(answer) == [pages[3]["dynamodb"]["SequenceNumber"]]
    assert handler.projection.position == 3
    # What failed is before the batch: then the batch has to come again.
    assert numbers(handler({"Records": pages[4:]})) == [pages[4]["dynamodb"]["SequenceNumber"]]


def test_without_a_batch_to_answer_for_a_failure_is_raised(filled):
    _, handle = collecting(failing={2})

    with pytest.raises(RuntimeError, match="not today"):
        project_log(filled, "model")(handle)({})


def test_it_goes_on_until_all_is_done(filled):
    failing = {2, 4}
    seen, handle = collecting(failing)

    def forgiving(recorded):
        try:
            handle(recorded)
        finally:
            failing.discard(recorded.position)

    deliver(project_log(filled, "model")(forgiving), pages_of(filled), [3])

    assert seen == [1, 2, 3, 4, 5]


def test_it_stops_in_time_to_say_what_is_left(filled):
    seen, handle = collecting()
    context = Spent(1350)
    handler = project_log(filled, "model", margin=1)(context.taking(100, handle))
    pages = pages_of(filled)

    answer = handler({"Records": pages}, context)

    assert len(seen) == 4
    assert numbers(answer) == [pages[len(seen)]["dynamodb"]["SequenceNumber"]]
    assert numbers(handler({"Records": pages[len(seen) :]}, Context(60_000))) == []
    assert seen == [1, 2, 3, 4, 5]


def test_the_lag_is_told(filled):
    told = []
    handler = project_log(filled, "model", batch_size=2, on_progress=told.append)(lambda _: None)

    handler({})

    assert [progress.lag for progress in told] == [3, 1, 0] or told[-1].lag == 0
    assert told[0].lag == 3


def test_another_sources_batch_is_refused(filled):
    with pytest.raises(ConfigurationError, match="aws:sqs"):
        project_log(filled, "model")(lambda _: None)({"Records": [{"eventSource": "aws:sqs"}]})


def test_a_second_call_at_the_same_time_handles_nothing_and_is_tried_again(filled):
    seen, handle = collecting()
    pages = pages_of(filled)
    answers = []

    def handle_slowly(recorded):
        if not answers:
            second = project_log(filled, "model")(handle)
            answers.append(second({"Records": pages}))
            with pytest.raises(ProjectionBusyError):
                second({})
        handle(recorded)

    first = project_log(filled, "model")(handle_slowly)

    assert first({"Records": pages}) == {"batchItemFailures": []}
    number = pages[0]["dynamodb"]["SequenceNumber"]
    assert answers == [{"batchItemFailures": [{"itemIdentifier": number}]}]
    assert seen == [1, 2, 3, 4, 5]


def test_writes_are_carried_out_with_the_checkpoint(filled):
    create_table(filled.client)

    @project_log(filled, "model", writes=True)
    def handler(recorded):
        amount = recorded.wrapped_event.event.amount
        return Writes().add(TABLE, {"account": "all"}, {"balance": amount, "deposits": 1})

    for _ in range(2):
        assert handler({"Records": pages_of(filled)}) == {"batchItemFailures": []}

    assert balance_of(filled.client, "all") == (15, 5)
    assert filled.checkpoints.position("model") == 5
    filled.client.delete_table(TableName=TABLE)
