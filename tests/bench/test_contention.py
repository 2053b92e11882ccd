"""One boundary, many writers: what is counted, and what is judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import contention, offered_load
from benchmarks.billing import Bill, Billing
from benchmarks.contention import Found, Rate
from benchmarks.offered_load import Load

# It tests the benchmarks.
pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def found(emulator):
    from benchmarks.scale import QUICK

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contention, "LATENCY", 0.0)
        patch.setattr(contention, "WRITERS", 3)
        patch.setattr(contention, "PROCESSES", 2)
        patch.setattr(contention, "_WARM_UP", 0.0)
        tiny = replace(
            QUICK, contention_seconds=0.2, contention_rounds=1, offered_appends=20, installs=True
        )
        return contention.measure(emulator, tiny)


def test_one_writer_sends_one_request_an_append(found):
    [alone] = found.alone
    assert alone.bill == Bill(alone.appends, 0, alone.appends)


def test_groups_cost_less_than_an_append_of_each(found):
    [grouped] = found.grouped
    assert found.apart is not None
    assert grouped.write_units < 1 <= found.apart.write_units


def test_the_load_of_independent_processes_is_the_same_each_time(emulator):
    first, again = (offered_load.measure(emulator, 100, 40) for _ in range(2))
    assert first == again


def test_of_independent_processes_each_decision_is_stored_once(found):
    for load in found.loads.values():
        assert load.appends == 20
        assert load.bill.requests >= 2 * load.appends
        assert load.bill.write_units == load.appends + load.bill.refused


def test_a_refused_put_is_billed_by_the_larger_of_the_two_items(emulator):
    client = emulator.connect()
    billing = Billing(client)
    key = {"stream_key": {"S": "billing"}, "version": {"N": "1"}}
    put = {
        "TableName": emulator.config.events_table,
        "ConditionExpression": "attribute_not_exists(version)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    client.put_item(Item={**key, "events": {"S": "x" * 2_500}}, **put)
    assert billing.take() == Bill(1, 0, 3)
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        client.put_item(Item=key, **put)
    assert billing.take() == Bill(1, 1, 3)
    client.transact_write_items(
        TransactItems=[
            {
                "Put": {
                    "TableName": emulator.config.events_table,
                    "Item": {**key, "version": {"N": version}},
                }
            }
            for version in "23"
        ]
    )
    assert billing.take() == Bill(1, 0, 4)


def test_the_rate_of_one_writer_by_its_parts_is_that_of_its_requests_and_the_cpu_between_them():
    assert Rate(100, 9.0, 0.8, Bill(100, 0, 100), within=0.3).by_parts == pytest.approx(100)


def test_goals_that_are_missed_say_so():
    slow = Rate(100, 1.0, 0.5, Bill(100, 0, 100))
    fast = Rate(1_600, 1.0, 0.5, Bill(100, 0, 480))
    loads = {25: Load(100, Bill(200, 0, 114), 0.01), 100: Load(1000, Bill(3000, 0, 2010), 0.01)}
    goals = contention.section(Found([slow], None, [fast], None, loads)).goals
    assert [goal.exact for goal in goals] == [False, False, False, False, True]
    assert [goal.name for goal in goals if not goal.met] == [
        "ms an append of a boundary's one writer",
        "write units an append at 100 decisions a second",
    ]
