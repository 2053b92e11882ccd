"""A read model in DynamoDB gets each event exactly once, whatever crashes or is lost."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from uuid import uuid4

import pytest

from dynamo_es import MemoryBackend, StreamId, Writes
from dynamo_es.exceptions import (
    EventStoreError,
    InvalidEnlistedWriteError,
    InvalidSubscriptionError,
    ProjectionWriteRefusedError,
    ServiceError,
)
from dynamo_es.testing.faults import Fault, Network
from tests.engine import Capability, Crash, needs
from tests.projections.balances import (
    TABLE,
    Deposited,
    add_to_balance,
    balance_of,
    create_table,
    deposit,
)
from tests.projections.test_kills import Fatal
from tests.projections.workers import LEASE, Team, advance

pytestmark = [pytest.mark.inline, needs(Capability.CRASHES)]


@pytest.fixture
def backend(world, engine):
    create_table(engine.client)
    return world.backend()


@pytest.fixture
def account():
    return f"account {uuid4().hex}"


@pytest.fixture
def team(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return a_team(backend)


def a_team(backend, **options):
    after = backend.log.last_position or 0
    return Team(backend, f"balances {uuid4().hex}", after=after, writes=True, **options)


def finish(team):
    """Let another worker finish, once the lease of a dead one is over."""
    worker = team.worker(add_to_balance)
    for _ in range(2):
        advance(worker)
        team.clock.now += LEASE
    advance(worker)
    worker.close()
    assert team.backend.checkpoints.position(team.name) == team.backend.log.last_position


def writes_of(engine, requests):
    """Collect the numbers of writes of the transactions that are sent."""

    def sent(params, **_):
        requests.append(len(params["TransactItems"]) - 1)

    engine.client.meta.events.register("provide-client-params.dynamodb.TransactWriteItems", sent)
    return lambda: engine.client.meta.events.unregister(
        "provide-client-params.dynamodb.TransactWriteItems", sent
    )


def test_events_are_applied_and_the_checkpoint_moves_with_them(team, engine, account):
    deposit(team.backend, account, 1, 2, 3)

    report = team.projection(add_to_balance).run_once()

    assert (report.handled, report.lag) == (3, 0)
    assert balance_of(engine.client, account) == (6, 3)
    assert team.backend.checkpoints.position(team.name) == team.backend.log.last_position


def test_changes_of_one_item_go_out_as_one_write(backend, engine, account):
    team = a_team(backend, batch_size=50)
    deposit(backend, account, *range(30))
    deposit(backend, f"{account} two", 7)
    sent = []
    end = writes_of(engine, sent)
    team.projection(add_to_balance).run_once()
    end()

    assert sent == [2]
    assert balance_of(engine.client, account) == (sum(range(30)), 30)


def test_a_transaction_takes_99_writes_and_the_next_one_the_rest(backend, engine, account):
    team = a_team(backend, batch_size=1000)
    deposit(backend, account, 1, 2, 3)

    def forty(recorded):
        writes, number = Writes(), recorded.position
        for each in range(40):
            writes.put(TABLE, {"account": f"{account} {number} {each}"}, {"balance": each})
        return writes

    sent = []
    end = writes_of(engine, sent)
    assert team.projection(forty).run_once().handled == 3
    end()

    assert sent == [80, 40]


def test_an_event_with_too_many_writes_is_refused_before_any_request(team, engine, account):
    deposit(team.backend, account, 5, 6)

    def too_many(recorded):
        if recorded.wrapped_event.event.amount == 5:
            return add_to_balance(recorded)
        writes = Writes()
        for each in range(100):
            writes.delete(TABLE, {"account": f"{account} {each}"})
        return writes

    with pytest.raises(InvalidEnlistedWriteError, match="One event makes 100 writes"):
        team.projection(too_many).run_once()

    assert balance_of(engine.client, account) == (5, 1), "the event before it was applied"
    assert team.backend.checkpoints.position(team.name) == team.backend.log.last_position - 1


def test_writes_in_the_form_of_boto3(team, engine, account):
    def put(recorded):
        amount = recorded.wrapped_event.event.amount
        item = {"account": {"S": account}, "balance": {"N": str(amount)}, "deposits": {"N": "1"}}
        return [{"Put": {"TableName": TABLE, "Item": item}}]

    deposit(team.backend, account, 1, 2, 3)

    assert team.projection(put).run_once().handled == 3
    assert balance_of(engine.client, account) == (3, 1)


def test_events_without_writes_only_move_the_checkpoint(team, account):
    deposit(team.backend, account, 1, 2)

    for nothing in (None, [], Writes()):
        team.projection(lambda _, nothing=nothing: nothing).run_once()
        assert team.backend.checkpoints.position(team.name) == team.backend.log.last_position
        deposit(team.backend, account, 1)


def test_a_write_that_is_refused_stops_before_its_event(team, engine, account):
    deposit(team.backend, account, 1, 2, 3, 4)

    def once_refused(recorded):
        event = recorded.wrapped_event.event
        if event.amount != 3:
            return add_to_balance(recorded)
        check = {
            "TableName": TABLE,
            "Key": {"account": {"S": f"{account} missing"}},
            "ConditionExpression": "attribute_exists(account)",
        }
        return [{"ConditionCheck": check}]

    start = team.backend.log.last_position - 4
    with pytest.raises(ProjectionWriteRefusedError) as refused:
        team.projection(once_refused).run_once()

    assert refused.value.position == start + 3
    assert balance_of(engine.client, account) == (3, 2)
    (found,) = [one for one in team.backend.checkpoints.all() if one.name == team.name]
    assert (found.position, found.failure.place) == (start + 2, start + 3)


def test_a_write_that_dynamodb_refuses_stops_before_its_event(team, engine, account):
    text = f"{account} text"
    key = {"account": {"S": text}}
    engine.client.put_item(TableName=TABLE, Item={**key, "balance": {"S": "much"}})
    deposit(team.backend, account, 1)
    deposit(team.backend, text, 2)

    with pytest.raises(ServiceError):
        team.projection(add_to_balance).run_once()

    assert balance_of(engine.client, account) == (1, 1)
    assert team.backend.checkpoints.position(team.name) == team.backend.log.last_position - 1


def test_a_paused_worker_that_wakes_up_adds_nothing(team, engine, account):
    deposit(team.backend, account, 1, 2, 3, 4)
    second = team.worker(add_to_balance)

    def paused(recorded):
        if recorded.wrapped_event.event.amount == 2:
            advance(second)
            team.clock.now += LEASE
            advance(second)
        return add_to_balance(recorded)

    first = team.worker(paused)
    advance(first)
    advance(first)

    assert balance_of(engine.client, account) == (10, 4)


@pytest.mark.parametrize("tokens", [True, False], ids=["held", "taken over"])
def test_a_late_transaction_changes_nothing(team, engine, account, tokens):
    deposit(team.backend, account, 1, 2)
    worker = team.worker(add_to_balance)
    worker.try_take()
    checkpoints, claim = team.backend.checkpoints, worker.holding._claim
    late = checkpoints.new_writes()
    late.add(1, Writes().add(TABLE, {"account": account}, {"balance": 100, "deposits": 1}))
    if tokens:
        advance(worker)
    else:
        team.clock.now += LEASE
        other = team.worker(add_to_balance)
        other.advance()
        team.clock.now += LEASE
        advance(other)

    saved = checkpoints.apply(team.name, claim, 10**6, 10**15, None, late)

    assert saved.held is tokens
    assert balance_of(engine.client, account) == (3, 2)


def test_a_process_that_dies_in_the_place_of_any_of_its_requests(backend, engine, given):
    given.stream(StreamId()).with_commits_of(1)
    for requests in count():
        account = f"account {uuid4().hex}"
        team = a_team(backend)
        deposit(backend, account, 1, 2, 4)
        crashed = False
        with engine.crash_after(requests) as dying:
            mine = Team(dying, team.name, writes=True, **_after(team))
            try:
                mine.projection(add_to_balance).run_once()
            except Crash:
                crashed = True

        finish(team)

        assert balance_of(engine.client, account) == (7, 3)
        if not crashed:
            return


def _after(team):
    return {"after": team._options["after"]}


def test_a_process_that_dies_after_any_of_its_writes(backend, engine, given):
    given.stream(StreamId()).with_commits_of(1)
    for left in count():
        account = f"account {uuid4().hex}"
        team = a_team(backend)
        deposit(backend, account, 1, 2, 4)
        fatal = Fatal(backend.checkpoints)
        fatal.arm(left, after=True)
        crashed = False
        try:
            team.projection(add_to_balance, checkpoints=fatal).run_once()
        except Crash:
            crashed = True

        finish(team)

        assert balance_of(engine.client, account) == (7, 3)
        if not crashed:
            return


OFTEN = [Fault.LOST_REPLY, Fault.PAST_THE_DEADLINE]
FAULTS = [
    pytest.param(one, marks=[] if one in OFTEN else pytest.mark.ci)
    for one in Fault
    if one is not Fault.PARTLY_THROTTLED
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_request(backend, engine, given, fault):
    given.stream(StreamId()).with_commits_of(1)
    for at in count():
        account = f"account {uuid4().hex}"
        team = a_team(backend)
        deposit(backend, account, 1, 2, 4)
        network = Network(engine.client)
        network.plan({at: fault}.get)
        with network.between():
            with suppress(EventStoreError):
                team.projection(add_to_balance).run_once()
            network.heal()
        sent = network.sent

        finish(team)

        assert balance_of(engine.client, account) == (7, 3)
        if at >= sent:
            return


def test_memory_has_no_tables_and_says_so():
    with pytest.raises(InvalidEnlistedWriteError, match="MemoryBackend does not take writes"):
        MemoryBackend().projection("balances", add_to_balance, writes=True)


def test_only_a_function_returns_writes(backend):
    projector = backend.projector("cursors", print)
    with pytest.raises(InvalidSubscriptionError, match="A projector has cursors of its own"):
        backend.projection("balances", projector, writes=True)
    with pytest.raises(InvalidSubscriptionError, match="writes must be True or False, not 1"):
        backend.projection("balances", add_to_balance, writes=1)


def test_writes_that_would_not_be_made_are_refused(backend, team, account):
    deposit(backend, account, 1)
    forgotten = backend.projection(
        f"{account} forgotten", add_to_balance, after=_after(team)["after"]
    )
    with pytest.raises(InvalidSubscriptionError, match="would not be made"):
        forgotten.run_once()

    stream = StreamId()
    backend.event_store.append(Deposited(account=account, amount=1), stream_id=stream)
    projector = backend.projector(account, lambda *_: Writes())
    with pytest.raises(InvalidSubscriptionError, match="would not be made"):
        projector.project(backend.event_store.load_stream(stream)[0], stream)
    assert balance_of(backend.client, account) == (0, 0)


@pytest.mark.parametrize("wrong", ["text", 7, [{"Put": {}}], [7]])
def test_what_are_no_writes_is_refused(team, account, wrong):
    deposit(team.backend, account, 1)

    with pytest.raises(InvalidEnlistedWriteError):
        team.projection(lambda _: wrong).run_once()

    assert team.backend.checkpoints.position(team.name) is None


def test_the_stores_own_tables_are_refused(team, engine, account):
    deposit(team.backend, account, 1)
    own = engine.config_with().log_table

    with pytest.raises(InvalidEnlistedWriteError, match="a table of the store"):
        team.projection(lambda _: Writes().delete(own, {"log_key": "x"})).run_once()
