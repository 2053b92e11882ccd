"""The cost of giving positions and reading the log, counted from the requests."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from math import ceil
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import log_costs, log_section
from benchmarks.log_costs import Found, Read, Sequenced
from benchmarks.logged_history import append_history
from benchmarks.metering import ClientMeter, Cost
from benchmarks.report import Section
from benchmarks.runs import sections
from benchmarks.sample import Sample
from benchmarks.scale import QUICK

# It tests the benchmarks.
pytestmark = pytest.mark.ci

EVENTS = 600


@pytest.fixture(scope="module")
def found(emulator):
    return log_costs.measure(emulator, Sample(), EVENTS)


@pytest.fixture
def history(tmp_path):
    """Two files that change in turns: the one that is changed first is committed last."""
    path = tmp_path / "history.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        for minute, name in enumerate(["a.py", "b.md", "b.md", "a.py"]):
            line = {
                "tenant": "t",
                "stream": name,
                "type": "FileModified",
                "at": f"2026-01-01T00:0{minute}:00+00:00",
                "data": {"commit": str(minute)},
            }
            lines.write(json.dumps(line) + "\n")
    return path


def test_an_append_is_one_request_while_a_sequencer_gives_the_positions(found, emulator) -> None:
    assert emulator.config.sequencing == "stream"
    assert (found.events, found.appended.requests) == (EVENTS, found.commits)
    assert found.commits == sum(map(len, Sample().commits(3, EVENTS).values()))


def test_a_sequencer_is_counted_with_its_pages_its_markers_and_the_look_at_them(found) -> None:
    # This emulator reports one unit for every write.
    for batch, one in found.sequenced.items():
        markers = one.cost.write_units - one.page_units
        assert one.pages == one.page_units == ceil(found.commits / batch)
        assert one.budget >= 1 + 2 * one.pages + markers / 25
        # It remembers the markers of streams that were in a page before.
        assert one.budget - one.pages <= one.cost.requests <= one.budget
    alone, tens, hundreds = found.sequenced.values()
    assert alone.budget == 1 + 3 * found.commits
    assert found.commits > tens.budget - 1 - 2 * tens.pages > hundreds.budget - 1


def test_a_replay_is_counted_with_what_reads_the_pages_and_the_commits(found) -> None:
    replay = found.replay

    assert (replay.events, replay.chosen, replay.fetched) == (EVENTS, found.commits, found.commits)
    assert replay.budget == 2 * ceil(found.commits / 100)
    # All pages come in one reply, and before the last commits are read it looks for more;
    # after the last event it does not.
    assert replay.cost.requests == 2 + ceil(found.commits / 100)


def test_a_filter_reads_the_commits_of_its_category_and_no_other(found) -> None:
    share = found.filtered.chosen / found.commits

    assert 0 < share < 0.02
    assert found.filtered.fetched == found.filtered.chosen
    assert found.filtered.cost.requests == 2
    assert found.filtered.budget == ceil(found.commits / 100) + 1


def test_commits_that_are_left_out_are_a_request_more_and_no_commit_more(emulator) -> None:
    left_out = 0

    def connect():
        nonlocal left_out
        client = emulator.connect()
        done = False

        def leave_out(parsed, **_):
            nonlocal done, left_out
            items = parsed["Responses"].get(emulator.config.events_table, [])
            if done or len(items) < 2:
                return
            done = True
            left_out += 1
            keys = [{name: item[name] for name in ("stream_key", "version")} for item in items[1:]]
            del items[1:]
            parsed["UnprocessedKeys"] = {emulator.config.events_table: {"Keys": keys}}

        client.meta.events.register_first("after-call.dynamodb.BatchGetItem", leave_out)
        return client

    other = _other_streams(Sample(), "left out ")
    counted = log_costs.measure(replace(emulator, connect=connect), other, 100)

    assert left_out == (1 if counted.filtered.chosen == 1 else 2)
    assert counted.replay.fetched == counted.commits
    assert counted.replay.cost.requests == 1 + ceil(counted.commits / 100) + 1


def test_a_meter_begins_again_when_it_was_read(emulator) -> None:
    client = emulator.connect()
    meter = ClientMeter(client)
    table = emulator.config.events_table
    key = {"stream_key": {"S": "metered"}, "version": {"N": "1"}}
    client.put_item(TableName=table, Item=key)
    client.batch_get_item(RequestItems={table: {"Keys": [key]}})
    assert (meter.units_of, meter.items_read) == ({"PutItem": 1}, {"BatchGetItem": 1})

    assert meter.take().requests == 2

    assert (meter.units_of, meter.items_read) == ({}, {})
    assert meter.take() == Cost(0, 0, 0)


def test_a_history_is_appended_in_the_order_of_time_all_of_it(emulator, history) -> None:
    hints = append_history(emulator.config, emulator.connect(), Sample(history), 4)

    assert [(hint.stream_name, hint.event_count) for hint in hints] == [
        ("log t/b.md", 2),
        ("log t/a.py", 2),
    ]
    assert Counter(hint.stream_key.split("#")[1] for hint in hints) == {".md": 1, ".py": 1}


def test_the_command_takes_another_history(monkeypatch, history) -> None:
    given = []

    def sections(_engine, _scale, path):
        given.append(path)
        return [("log", lambda: Section("The log", "", []))]

    monkeypatch.setattr(command, "sections", sections)
    monkeypatch.setattr(command, "open_engine", lambda *_: pytest.MonkeyPatch.context())
    arguments = ["--endpoint", "http://no.where", "--engine", "none", "--quick"]

    assert command.main([*arguments, "--history", str(history)]) == 0
    assert command.main(arguments) == 0
    assert given == [history, None]
    assert len(Sample(history)) == 4


@pytest.mark.parametrize(("given", "events"), [(True, 4), (False, 2200)])
def test_the_history_that_is_given_goes_into_the_log(
    emulator, monkeypatch, history, given, events
) -> None:
    measured = []

    def measure(_engine, sample, most):
        measured.append((len(sample), most))
        return GOOD

    monkeypatch.setattr(log_costs, "measure", measure)
    section = dict(sections(emulator, QUICK, history if given else None))["log"]()

    assert measured == [(events, QUICK.log_events)]
    assert ("given to the command" in section.how) is given


GOOD = Found(
    events=1_000,
    commits=400,
    appended=Cost(400, 400, 0),
    sequenced={
        1: Sequenced(Cost(1_201, 740, 0), 370, 400, 1_201),
        10: Sequenced(Cost(431, 390, 0), 40, 40, 431),
        100: Sequenced(Cost(289, 290, 0), 10, 4, 289),
    },
    replay=Read(Cost(8, 0, 100), 400, 1_000, 400, 0.5, 8),
    category=".md",
    filtered=Read(Cost(5, 0, 1), 4, 10, 4, 0.1, 5),
)


def _sequenced(batch: int, **changes: Any) -> Found:
    one = replace(GOOD.sequenced[batch], **changes)
    return replace(GOOD, sequenced={**GOOD.sequenced, batch: one})


@pytest.mark.parametrize(
    ("found_", "missed"),
    [
        (GOOD, []),
        (replace(GOOD, appended=Cost(401, 400, 0)), ["requests of an append"]),
        (_sequenced(10, budget=430), ["requests of a sequencer"]),
        (_sequenced(1, cost=Cost(1_201, 751, 0)), ["write units per event of the log, 1 at"]),
        (_sequenced(10, cost=Cost(431, 391, 0)), ["write units per event of the log, 10 at"]),
        (_sequenced(100, cost=Cost(289, 291, 0)), ["write units per event of the log, 100"]),
        (replace(GOOD, replay=replace(GOOD.replay, cost=Cost(9, 0, 0))), ["requests of a replay"]),
        (
            replace(GOOD, filtered=replace(GOOD.filtered, cost=Cost(6, 0, 0))),
            ["requests for a category"],
        ),
        (replace(GOOD, filtered=replace(GOOD.filtered, fetched=5)), ["commits read for a"]),
    ],
)
def test_a_figure_above_its_limit_fails_a_quick_run(found_, missed) -> None:
    goals = [goal for goal in log_section.section(found_).goals if not goal.met_loosely]

    assert len(goals) == len(missed)
    for goal, name in zip(goals, missed, strict=True):
        assert goal.name.startswith(name)


def test_the_page_shows_pages_and_markers_apart_and_what_a_filter_reads() -> None:
    text = log_section.section(GOOD, given=True).markdown("")

    assert "| 10 | 431 | 431 | 0.43 | 0.04 | 0.35 | 0.00 |" in text
    assert "| all of it | 1,000 | 8 | 8 | 100 | 400 | 100.0% | 2,000 |" in text
    assert "| category `.md` | 10 | 5 | 5 | 1 | 4 | 1.0% | - |" in text
    assert "1,000 events of a history given to the command" in text


def _other_streams(sample: Sample, prefix: str) -> Sample:
    """Return the same events in streams that were not written yet."""
    for line in sample._lines:
        line["tenant"] = prefix + line["tenant"]
    return sample
