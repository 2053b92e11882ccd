"""Read models of single streams get each event once, in order, however Lambda delivers them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import ANY_VERSION, NO_VERSIONING, DynamoBackend, StreamId, UnknownEvent
from dynamo_es.aws_lambda import project_log, project_streams, publish_outbox, sequence_events
from dynamo_es.aws_lambda.batch import Deadline
from dynamo_es.contracts import Followed
from dynamo_es.exceptions import (
    AsynchronousFunctionError,
    ConfigurationError,
    CursorBusyError,
    InvalidConsumerError,
    InvalidSubscriptionError,
)
from dynamo_es.testing.conformance.language import a_snapshot, an_event
from tests.aws_lambda.lambdas import Context, Died, Spent, deliver, numbers, records_of
from tests.event_store.accounts import Deposited, Opened
from tests.log.stores import emulated

if TYPE_CHECKING:
    from dynamo_es import Recorded

ANN = StreamId(name="ann", category="account")
BOB = StreamId(name="bob", category="account")


class ReadModel:
    """Remembers what it was given, and fails when told to."""

    def __init__(self) -> None:
        self.seen: list[Recorded] = []
        self.failing: set[int] = set()

    def __call__(self, recorded: Recorded) -> None:
        event = recorded.wrapped_event.event
        if isinstance(event, Deposited) and event.amount in self.failing:
            raise RuntimeError(f"no {event.amount} today")
        self.seen.append(recorded)

    @property
    def amounts(self) -> list[int]:
        return [
            recorded.wrapped_event.event.amount
            for recorded in self.seen
            if isinstance(recorded.wrapped_event.event, Deposited)
        ]


@pytest.fixture
def model() -> ReadModel:
    return ReadModel()


def deposit(backend: DynamoBackend, stream: StreamId, *amounts: int) -> None:
    events = [Deposited(amount=amount) for amount in amounts]
    backend.event_store.append(*events, stream_id=stream, expected_version=ANY_VERSION)


def events_of(backend: DynamoBackend) -> list[dict[str, Any]]:
    return records_of(backend, backend.config.events_table)


def test_events_come_typed_with_all_that_is_known_of_them(backend, model):
    tenant = backend.in_tenant("a#b")
    tenant.event_store.append(Opened(owner="Ann"), Deposited(amount=5), stream_id=ANN)
    handler = project_streams(backend, "model")(model)

    assert handler({"Records": events_of(backend)}) == {"batchItemFailures": []}

    opened, deposited = model.seen
    assert opened.wrapped_event.event == Opened(owner="Ann")
    assert deposited.wrapped_event.event == Deposited(amount=5)
    assert [one.wrapped_event.version for one in model.seen] == [1, 2]
    assert (opened.stream_id, opened.stream_id.name, opened.tenant_id) == (ANN, "ann", "a#b")
    assert opened.position == 0
    assert opened.generation > 0


def test_a_large_commit_is_compressed_and_comes_whole(backend, model):
    deposit(backend, ANN, *range(1000, 1200))
    records = events_of(backend)
    assert isinstance(records[0]["dynamodb"]["NewImage"]["events"]["B"], str)

    project_streams(backend, "model")(model)({"Records": records})

    assert model.amounts == list(range(1000, 1200))


def test_a_batch_costs_two_requests_a_stream(backend, model):
    for amount in range(1, 6):
        deposit(backend, ANN, amount)
        deposit(backend, BOB, amount)
    told = []
    counting = DynamoBackend(backend.config, client=backend.client, observer=told.append)

    project_streams(counting, "model")(model)({"Records": events_of(backend)})

    assert Counter(report.operation for report in told) == {"take_cursor": 2, "release_cursor": 2}
    # The first lease of a cursor finds no cursor, and makes it.
    assert sum(report.requests for report in told) == 6


def test_what_is_no_commit_is_skipped_and_counted(backend, model):
    deposit(backend, ANN, 1)
    backend.storage.save_snapshot(a_snapshot(ANN, 1))
    backend.storage.delete_stream(ANN)
    deposit(backend, ANN, 2)  # in the place of a fence: a MODIFY
    backend.client.put_item(
        TableName="events",
        Item={"stream_key": {"S": "mine"}, "version": {"N": "1"}, "note": {"S": "x"}},
    )
    records = events_of(backend)
    assert {record["eventName"] for record in records} == {"INSERT", "MODIFY", "REMOVE"}
    handler = project_streams(backend, "model")(model)

    assert numbers(handler({"Records": records})) == []

    assert model.amounts == [1, 2]
    assert model.seen[0].generation < model.seen[1].generation
    assert handler.totals.foreign == 1
    assert handler.totals.applied == 2
    assert handler.totals.skipped == len(records) - 3


def test_a_commit_of_a_newer_release_waits_and_other_streams_go_on(backend, model):
    for amount in (1, 2, 3):
        deposit(backend, ANN, amount)
    deposit(backend, BOB, 10)
    records = events_of(backend)
    image = records[1]["dynamodb"]["NewImage"]
    stored = image.copy()
    image["item_format"] = {"N": "2"}
    backend.client.put_item(TableName="events", Item=image)
    handler = project_streams(backend, "model")(model)

    answer = handler({"Records": records})

    assert model.amounts == [1, 10]
    assert numbers(answer) == [records[1]["dynamodb"]["SequenceNumber"]]
    assert (handler.totals.foreign, handler.totals.damaged) == (0, 0)
    assert handler.totals.failed == 2  # the commit, and the one after it
    # The newer release reads it.
    del image["item_format"]
    backend.client.put_item(TableName="events", Item=stored)
    assert numbers(handler({"Records": records[1:]})) == []
    assert model.amounts == [1, 10, 2, 3]


def test_the_last_commit_of_a_stream_waits_too_if_a_newer_release_wrote_it(backend, model):
    deposit(backend, ANN, 1)
    records = events_of(backend)
    records[0]["dynamodb"]["NewImage"]["item_format"] = {"N": "2"}
    handler = project_streams(backend, "model")(model)

    assert numbers(handler({"Records": records})) == [records[0]["dynamodb"]["SequenceNumber"]]

    assert model.amounts == []
    assert (handler.totals.failed, handler.totals.foreign) == (1, 0)


def test_a_commit_of_a_newer_release_does_not_wait_in_a_stream_that_is_not_selected(backend, model):
    deposit(backend, ANN, 1)
    records = events_of(backend)
    records[0]["dynamodb"]["NewImage"]["item_format"] = {"N": "2"}
    handlers = [
        project_streams(backend, "model", category="order")(model),
        project_streams(backend.in_tenant("other"), "model")(model),
        project_streams(backend.in_tenant("other"), "model", category="account")(model),
    ]

    for handler in handlers:
        assert numbers(handler({"Records": records})) == []
        assert (handler.totals.skipped, handler.totals.failed) == (1, 0)


def test_a_damaged_commit_has_a_count_of_its_own(backend, model):
    deposit(backend, ANN, 1)
    records = events_of(backend)
    records[0]["dynamodb"]["NewImage"]["event_count"] = {"N": "0"}
    handler = project_streams(backend, "model")(model)

    assert numbers(handler({"Records": records})) == []

    assert (handler.totals.damaged, handler.totals.foreign, handler.totals.failed) == (1, 0, 0)


def test_the_rest_of_a_stream_waits_after_a_failure_and_others_go_on(backend, model):
    for amount in (1, 2, 3):
        deposit(backend, ANN, amount)
        deposit(backend, BOB, 10 * amount)
    records = events_of(backend)
    model.failing = {2}
    handler = project_streams(backend, "model")(model)

    answer = handler({"Records": records})

    assert model.amounts == [1, 10, 20, 30]
    assert numbers(answer) == [records[2]["dynamodb"]["SequenceNumber"]]
    model.failing.clear()
    assert numbers(handler({"Records": records[2:]})) == []
    assert model.amounts == [1, 10, 20, 30, 2, 3]


def test_the_part_of_a_commit_before_a_failure_is_not_applied_again(backend, model):
    deposit(backend, ANN, 1, 2, 3)
    model.failing = {3}
    handler = project_streams(backend, "model")(model)
    assert len(numbers(handler({"Records": events_of(backend)}))) == 1
    model.failing.clear()

    handler({"Records": events_of(backend)})

    assert model.amounts == [1, 2, 3]


def test_an_event_without_a_class_stops_its_stream_only(backend, model):
    deposit(backend, ANN, 1)
    backend.storage.insert_events(ANN, ANY_VERSION, [replace(an_event(ANN), name="Unheard")])
    deposit(backend, ANN, 3)
    deposit(backend, BOB, 10)
    records = events_of(backend)

    handler = project_streams(backend, "model")(model)
    for _ in range(2):
        assert numbers(handler({"Records": records})) == [records[1]["dynamodb"]["SequenceNumber"]]
    assert model.amounts == [1, 10]

    keeping = ReadModel()
    answer = project_streams(backend, "other", keep_unknown=True)(keeping)({"Records": records})
    assert numbers(answer) == []
    assert isinstance(keeping.seen[1].wrapped_event.event, UnknownEvent)


@pytest.mark.parametrize("delivered", ["all records", "the last one only"])
def test_an_event_that_was_not_chosen_needs_no_class(backend, model, delivered):
    deposit(backend, ANN, 1)
    unheard = [replace(an_event(ANN), name="Unheard"), replace(an_event(ANN), name="Unheard")]
    backend.storage.insert_events(ANN, ANY_VERSION, unheard)
    backend.event_store.append(
        Opened(owner="Ann"), Deposited(amount=2), stream_id=ANN, expected_version=3
    )
    records = events_of(backend)
    if delivered != "all records":
        records = records[-1:]

    handler = project_streams(backend, "model", events=[Deposited])(model)

    assert numbers(handler({"Records": records})) == []
    assert model.amounts == [1, 2]
    assert len(model.seen) == 2


def test_a_chosen_class_stands_for_its_aliases_and_its_subclasses(backend, model):
    class Given(Deposited):
        __event_name__ = "streams.Given"
        __event_aliases__ = ("streams.Donated",)

    raw = replace(an_event(ANN), name="streams.Donated", data={"amount": 2})
    deposit(backend, ANN, 1)
    backend.storage.insert_events(ANN, ANY_VERSION, [raw])
    backend.event_store.append(Given(amount=3), stream_id=ANN, expected_version=2)
    records = events_of(backend)

    project_streams(backend, "base", events=[Deposited])(model)({"Records": records})
    assert model.amounts == [1, 2, 3]
    derived = ReadModel()
    project_streams(backend, "derived", events=[Given])(derived)({"Records": records})
    assert derived.amounts == [2, 3]
    with pytest.raises(InvalidSubscriptionError, match="events is empty"):
        project_streams(backend, "none", events=[])


def test_what_would_never_run_is_refused_and_its_streams_wait(backend, model, caplog):
    async def handle(recorded):
        raise AssertionError("it never runs")

    deposit(backend, ANN, 1)
    records = events_of(backend)
    with pytest.raises(AsynchronousFunctionError):
        project_streams(backend, "model")(handle)
    with pytest.raises(AsynchronousFunctionError):
        project_log(backend, "model")(handle)
    with pytest.raises(AsynchronousFunctionError):
        project_log(backend, "model", on_progress=handle)  # type: ignore[arg-type]
    with pytest.raises(AsynchronousFunctionError):
        publish_outbox(backend, handle)

    hidden = project_streams(backend, "model")(lambda recorded: [handle(recorded)][0])
    assert len(numbers(hidden({"Records": records}))) == 1
    assert "would never run" in caplog.text
    project_streams(backend, "model")(model)({"Records": records})
    assert model.amounts == [1]


def test_a_lease_that_ran_out_before_the_first_event_leaves_the_batch_undone(backend, model):
    """What is missing takes longer to load than the lease lasts, and another takes it over."""
    for amount in (1, 2):
        deposit(backend, ANN, amount)
    records = events_of(backend)
    now = [1_800_000_000.0]
    slow = DynamoBackend(backend.config, client=backend.client, clock=lambda: now[0])
    other = DynamoBackend(backend.config, client=backend.client)._shared_log().cursors
    generation = int(records[0]["dynamodb"]["NewImage"]["generation"]["N"])
    followed = Followed("model", ANN, generation=generation)
    handler = project_streams(slow, "model")(model)
    real = handler._projector.load

    def load(*args):
        ms = int(now[0] * 1000)
        with pytest.raises(CursorBusyError):
            other.take(followed, 2, "other", ms, ms + 60_000)
        now[0] += 60
        assert other.take(followed, 2, "other", ms + 60_000, ms + 120_000) == 0
        return real(*args)

    handler._projector.load = load
    assert len(numbers(handler({"Records": records[1:]}))) == 1
    assert model.amounts == []

    other.release(followed, 0, "other")
    handler._projector.load = real
    assert numbers(handler({"Records": records[1:]})) == []
    assert model.amounts == [1, 2]


def test_gaps_are_filled_from_the_table(backend, model):
    for amount in (1, 2, 3, 4):
        deposit(backend, ANN, amount)
    first, _, _, fourth = events_of(backend)
    handler = project_streams(backend, "model")(model)

    handler({"Records": [fourth]})
    handler({"Records": [first]})

    assert model.amounts == [1, 2, 3, 4]


def test_a_batch_out_of_order_is_applied_in_order_without_a_load(backend, model):
    for amount in (1, 2, 3, 4):
        deposit(backend, ANN, amount)
    told = []
    counting = DynamoBackend(backend.config, client=backend.client, observer=told.append)

    project_streams(counting, "model")(model)({"Records": events_of(backend)[::-1]})

    assert model.amounts == [1, 2, 3, 4]
    assert [report.operation for report in told] == ["take_cursor", "release_cursor"]


def test_streams_without_versions_are_followed_too(backend, model):
    for amount in (1, 2):
        backend.event_store.append(
            Deposited(amount=amount), stream_id=ANN, expected_version=NO_VERSIONING
        )
    handler = project_streams(backend, "model")(model)

    for _ in range(2):
        assert numbers(handler({"Records": events_of(backend)})) == []

    assert model.amounts == [1, 2]
    assert {recorded.wrapped_event.version for recorded in model.seen} == {None}


def test_only_what_was_chosen_is_applied(backend, model):
    other = StreamId(name="ann", category="other")
    backend.event_store.append(Opened(owner="Ann"), stream_id=ANN)
    deposit(backend, ANN, 1)
    deposit(backend, other, 2)
    tenant = backend.in_tenant("acme")
    tenant.event_store.append(Deposited(amount=3), stream_id=ANN)
    records = events_of(backend)

    project_streams(backend, "1", category="account", events=[Deposited])(model)(
        {"Records": records}
    )
    assert model.amounts == [1, 3]
    assert len(model.seen) == 2

    own = ReadModel()
    project_streams(tenant, "2")(own)({"Records": records})
    assert own.amounts == [3]


def test_it_stops_in_time_to_say_what_is_left(backend, model):
    for amount in (1, 2, 3):
        deposit(backend, ANN, amount)
        deposit(backend, BOB, 10 * amount)
    records = events_of(backend)
    context = Spent(1150)
    handler = project_streams(backend, "model", margin=1)(context.taking(100, model))

    # It looks before the run, and before each event: after two of them it is time.
    answer = handler({"Records": records}, context)

    assert model.amounts == [1, 2]
    assert numbers(answer) == [
        records[1]["dynamodb"]["SequenceNumber"],
        records[4]["dynamodb"]["SequenceNumber"],
    ]
    assert numbers(handler({"Records": records[1:]}, Context(60_000))) == []
    assert model.amounts == [1, 2, 10, 20, 30, 3]


def test_what_was_not_begun_in_time_is_left(backend, model):
    deposit(backend, ANN, 1)
    records = events_of(backend)
    handler = project_streams(backend, "model", margin=1)(model)

    # In time when the batch begins, and no more before its first event.
    answer = handler({"Records": records}, Context(1050, step_ms=100))

    assert (model.amounts, numbers(answer)) == ([], [records[0]["dynamodb"]["SequenceNumber"]])


def test_the_state_of_a_tumbling_window_is_handed_back(backend, model):
    handler = project_streams(backend, "model")(model)
    window = {"window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:01:00Z"}}

    assert handler({"Records": [], "state": {"sum": 1}, **window})["state"] == {"sum": 1}
    assert handler({"Records": [], **window})["state"] == {}


def test_batches_that_cannot_be_are_refused(backend, model):
    deposit(backend, ANN, 1)
    (record,) = events_of(backend)
    del record["dynamodb"]["NewImage"]
    handler = project_streams(backend, "model")(model)

    with pytest.raises(ConfigurationError, match="NEW_IMAGE"):
        handler({"Records": [record]})
    with pytest.raises(ConfigurationError, match="aws:sqs"):
        handler({"Records": [{"eventSource": "aws:sqs", "body": "x"}]})


def test_what_cannot_be_a_handler_is_refused_when_it_is_made(backend, model):
    with pytest.raises(InvalidSubscriptionError):
        project_streams(backend, "model")("function")  # type: ignore[arg-type]
    with pytest.raises(InvalidConsumerError):
        project_streams(backend, "a#b")(model)
    with pytest.raises(InvalidSubscriptionError):
        project_streams(backend, "model", category=3)(model)  # type: ignore[arg-type]


def test_the_function_keeps_its_name(backend):
    @project_streams(backend, "model")
    def balances(recorded: Recorded) -> None:
        """Apply it."""

    assert (vars(balances)["__name__"], balances.__doc__) == ("balances", "Apply it.")


class Mortal:
    """Cursors of a process that may be dead: it gives nothing back, and its lease runs out."""

    def __init__(self, cursors: Any) -> None:
        self._cursors = cursors
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        if self.dead:
            raise Died
        return getattr(self._cursors, name)


def once(amounts: list[int], deaths: int) -> list[int]:
    """Return what was applied, without what came again from one point on after a death."""
    restarts = sum(later <= before for before, later in pairwise(amounts))
    assert restarts <= deaths
    return sorted(set(amounts)) if deaths else amounts


@pytest.mark.ci
@settings(max_examples=15)
@given(data=st.data())
def test_after_redelivery_until_success_every_event_was_applied_once_in_order(data):
    """Commits of three streams, deleted and made again now and then; any failures, any batches."""
    with emulated() as store:
        now = 1_800_000_000.0
        backend = DynamoBackend(
            store.config, store.client, streams_client=store.streams, clock=lambda: now
        )
        streams = [ANN, BOB, StreamId(name="eve", category="account")]
        stored: dict[StreamId, list[list[int]]] = {stream: [[]] for stream in streams}
        for number in range(1, data.draw(st.integers(1, 12), "commits") + 1):
            stream = streams[data.draw(st.integers(0, 2), "stream")]
            if data.draw(st.integers(0, 9), "delete") == 9:
                backend.storage.delete_stream(stream)
                stored[stream].append([])
            amounts = [10 * number + index for index in range(data.draw(st.integers(1, 3), "size"))]
            deposit(backend, stream, *amounts)
            stored[stream][-1] += amounts
        kinds = st.sampled_from([None, None, "raises", "dies"])
        failures = iter(data.draw(st.lists(kinds, max_size=20), "failures"))
        seen: dict[StreamId, dict[int, list[int]]] = {stream: {} for stream in streams}

        def apply(recorded: Recorded) -> None:
            failure = next(failures, None)
            if failure == "raises":
                raise RuntimeError("no")
            if failure == "dies":
                raise Died
            generation = seen[recorded.stream_id].setdefault(recorded.generation, [])
            generation.append(recorded.wrapped_event.event.amount)

        deaths: list[Mortal] = []

        def call(event: Any) -> Any:
            nonlocal now
            now += 100  # a lease of a dead one has run out
            handler = project_streams(backend, "model")(apply)
            mortal = handler._projector._cursors = Mortal(handler._projector._cursors)

            def function(recorded: Recorded) -> None:
                try:
                    apply(recorded)
                except Died:
                    deaths.append(mortal)
                    mortal.dead = True
                    raise

            handler._function = function
            return handler(event)

        deliver(call, events_of(backend), data.draw(st.lists(st.integers(1, 6)), "batches"))

        for stream, generations in seen.items():
            told = [once(generations[key], deaths=len(deaths)) for key in sorted(generations)]
            last = stored[stream][-1]
            assert not last or told[-1] == last
            # Of a generation that is over, what was applied is its beginning.
            over = told[:-1] if last else told
            assert all(
                any(generation[: len(part)] == part for generation in stored[stream])
                for part in over
            )


def test_a_gap_inside_a_batch_is_filled_before_what_comes_after_it(backend, model):
    for amount in (1, 2, 3, 4):
        deposit(backend, ANN, amount)
    first, _, _, fourth = events_of(backend)
    handler = project_streams(backend, "model")(model)

    assert numbers(handler({"Records": [first, fourth]})) == []

    assert model.amounts == [1, 2, 3, 4]
    assert [one.wrapped_event.version for one in model.seen] == [1, 2, 3, 4]


def test_what_is_missing_may_have_no_class_where_that_is_allowed(backend, model):
    backend.storage.insert_events(ANN, ANY_VERSION, [replace(an_event(ANN), name="Unheard")])
    deposit(backend, ANN, 2)
    _, second = events_of(backend)

    strict, keeping = ReadModel(), ReadModel()
    assert numbers(project_streams(backend, "strict")(strict)({"Records": [second]}))
    handler = project_streams(backend, "keeping", keep_unknown=True)(keeping)
    assert numbers(handler({"Records": [second]})) == []

    assert strict.seen == []
    assert isinstance(keeping.seen[0].wrapped_event.event, UnknownEvent)
    assert keeping.amounts == [2]


@pytest.mark.parametrize(("left", "margin"), [(3_000, 600), (60_000, 5_000)])
def test_without_a_margin_it_is_a_fifth_of_the_time_and_five_seconds_at_most(left, margin):
    context = Context(left)
    deadline = Deadline(context)
    assert not deadline.is_set()

    context._left = margin + 1
    assert not deadline.is_set()
    context._left = margin
    assert deadline.is_set()


def test_a_margin_is_a_timedelta_or_seconds(backend, model):
    context = Context(1001)
    for margin in (1, timedelta(seconds=1)):
        context._left = 1001
        deadline = Deadline(context, margin)
        assert not deadline.is_set()
        context._left = 1000
        assert deadline.is_set()

    for handler in (
        project_streams(backend, "model", margin=-1),
        project_log(backend, "m", margin=-1),
    ):
        with pytest.raises(
            InvalidSubscriptionError, match="margin must be a timedelta or a number"
        ):
            handler(model)
    with pytest.raises(InvalidSubscriptionError, match="margin must be"):
        sequence_events(backend, margin=-1)
    with pytest.raises(InvalidSubscriptionError, match="margin must be"):
        publish_outbox(backend, print, margin=-1)
