"""Each measurement gives plausible figures on an emulator that reports constant units."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest

from benchmarks import (
    append_cpu,
    codec_cpu,
    cold_start,
    commit_size,
    eventsourcing_rival,
    load_cpu,
    log_cpu,
    operations,
    read_costs,
    stream_length,
    threads,
    whole_history,
)
from benchmarks.environments import NotRunError
from benchmarks.operations import OURS, PER_EVENT, TEXTBOOK

# It tests the benchmarks.
pytestmark = pytest.mark.ci


def test_operations_are_compared_by_requests_and_units(emulator) -> None:
    costs = operations.measure(emulator)

    budget = operations.budget()
    appends = [
        cost for name, cost in costs[OURS].items() if name.startswith(("create", "append, 1"))
    ]
    assert [cost.requests for cost in appends] == [1] * len(appends)
    assert costs[OURS]["append, cold, 3 events"].requests == 2
    assert costs[OURS]["conflict on append, 3 events"].refused
    assert costs[TEXTBOOK]["append, 3 events"].requests == 1
    assert costs[TEXTBOOK]["conflict on append, 3 events"].refused
    assert costs[PER_EVENT]["conflict on append, 3 events"].note == "not refused: overwrites"
    for ways in costs.values():
        assert ways.keys() == budget.keys()
    text = operations.section(costs, ["A remark."]).markdown("")
    assert "| create, 1 event | 1 · 1 · 0 | 1 · 1 · 0 |" in text
    assert "A remark." in text


def test_a_history_takes_a_request_a_commit_and_comes_back_whole(emulator) -> None:
    costs = whole_history.measure(emulator, 40)

    written, read = costs[OURS, 10]
    assert 4 <= written.requests < costs[OURS, 3][0].requests < 40
    assert read.requests > 0
    assert "dynamo_es, up to 10 a commit" in whole_history.section(costs, 40).markdown("")


def test_cpu_ratios_of_an_append_are_near_one(emulator, tiny) -> None:
    found = append_cpu.measure(emulator, tiny)

    assert [(one.units, one.text_units) for one in found.values()] == [(1, None), (1, None), (1, 2)]
    section = append_cpu.section(found)
    assert len(section.goals) == len(append_cpu.COMMIT_SIZES)
    assert all(0.3 < goal.figure < 5 for goal in section.goals)
    assert "saves write units, 1 instead of 2" in section.remarks


def test_work_that_an_append_is_spared_for_once_comes_back() -> None:
    module = ModuleType("module")
    vars(module)["work"] = "real"
    seen: list[str] = []
    spared = append_cpu.spared(lambda: seen.append(module.work), module, {"work": "none"})

    spared()

    assert (seen, module.work) == (["none"], "real")


def test_a_load_takes_less_cpu_than_a_query_of_one_item_per_event(emulator, tiny) -> None:
    found = load_cpu.measure(emulator, tiny)

    plain, with_ids = found
    assert plain.requests == with_ids.requests == (1, 1)
    assert plain.reply_bytes[0] < plain.reply_bytes[1]
    assert plain.reply_bytes < with_ids.reply_bytes
    goals = load_cpu.section(found).goals
    assert len(goals) == 2
    assert all(0.01 < goal.figure < 1 for goal in goals)


def test_a_log_is_read_to_its_end(emulator, tiny) -> None:
    found = log_cpu.measure(emulator, replace(tiny, loaded_events=33))

    # For each hundred of the 110 and the 33 commits, one for the pages and one for the commits;
    # and one at the end.
    requests = {size: (one.events, one.requests) for size, one in found.items()}
    assert requests == {3: (330, 5), 10: (330, 3)}
    assert all(0 < goal.figure < 1000 for goal in log_cpu.section(found).goals)


def test_coding_takes_microseconds(tiny) -> None:
    found = codec_cpu.measure(tiny)

    assert all(0 < times < 0.1 for one in found.values() for times in one.times["decode"])
    assert "from an item" in codec_cpu.section(found).markdown("")


def test_an_append_costs_the_same_at_every_length(emulator) -> None:
    found = stream_length.measure(emulator, [10, 400], rounds=2)

    section = stream_length.section(found)
    assert [goal.met for goal in section.goals] == [True]
    assert [one.append.requests for one in found.values()] == [1, 1]
    assert [one.cold.requests for one in found.values()] == [2, 2]
    assert [one.load.requests for one in found.values()] == [1, 1]
    assert [one.snapshot_load.requests for one in found.values()] == [1, 1]


def test_reads_take_few_requests(emulator) -> None:
    found = read_costs.measure(emulator, 600, 3)

    limits = {**read_costs.LIMITS, read_costs.middle_of(600): read_costs.Row(2, 3)}
    assert found.rows.keys() == limits.keys()
    assert all(row.requests <= limits[name].requests for name, row in found.rows.items())
    section = read_costs.section(found, 600)
    assert "A million events cost" in section.remarks
    assert len(section.goals) == 2


def test_more_events_a_commit_are_fewer_units_an_event(emulator) -> None:
    found = commit_size.measure(emulator, [1, 10, 100])

    assert [one.price.write_units for one in found.values()] == [1, 1, 6]
    assert [one.textbook_units is None for one in found.values()] == [False, False, True]
    assert "| 10 |" in commit_size.section(found).markdown("")


def test_threads_append_through_one_client(emulator, tiny) -> None:
    found = threads.measure(emulator, tiny)

    assert all(rate > 0 for rates in found.values() for rate in (*rates.appends, *rates.puts))
    assert "| 2 |" in threads.section(found, tiny.thread_seconds).markdown("")


def test_importing_loads_nothing_of_aws_and_a_cold_start_is_near_that_of_boto3() -> None:
    found = cold_start.measure(1)

    assert not found.imported
    assert 0 < found.import_seconds[0] < 5
    assert 10_000 < found.ours[0].peak_kilobytes < 500_000
    assert 0.2 < found.ours[0].cpu_seconds / found.bare[0].cpu_seconds < 5


def test_what_an_emulator_in_this_process_cannot_be_asked_is_said(emulator) -> None:
    try:
        eventsourcing_rival.run(emulator, 10)
    except NotRunError as error:
        assert "the engine is in this process" in str(error)
    else:
        raise AssertionError("it cannot have run")
