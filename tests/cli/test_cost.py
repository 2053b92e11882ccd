"""``dynamo-es cost`` calculates and prints costs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from dynamo_es import RawEvent, StreamId, append_cost
from dynamo_es.cli.application import application
from dynamo_es.cli.costs.bill import SECONDS_A_MONTH, Load, Prices, bill, textbook

MONTH = SECONDS_A_MONTH


def lines_of(load):
    return {line.name: line for line in bill(load)}


@pytest.mark.parametrize(("events", "size"), [(1, 50), (1, 2_000), (3, 400), (10, 170)])
def test_a_commit_is_as_large_as_the_store_would_make_it(events, size):
    stream = StreamId(category="category")
    random = Random(1)
    # Text that cannot be compressed to advantage, of so many bytes of JSON.
    batch = [
        RawEvent(
            uuid4(),
            stream,
            datetime.now(UTC),
            "category.happened",
            {"t": "".join(chr(random.randrange(33, 126)) for _ in range(size - 8))},
            {},
        )
        for _ in range(events)
    ]
    batch = [
        replace(one, data={"t": one.data["t"].replace('"', "x").replace("\\", "x")})
        for one in batch
    ]

    there = append_cost(stream, batch)

    estimated = Load(1, size, events).commit_bytes
    if there.compressed:  # the bill does not know how much compression saves
        assert there.size < estimated < 1.6 * there.size
    else:
        assert estimated == pytest.approx(there.size, rel=0.02)


def test_an_append_is_billed_by_the_kilobyte():
    small = lines_of(Load(10, 300, 3))
    large = lines_of(Load(10, 2_000, 3))

    kilobytes = -(-Load(10, 300, 3).commit_bytes // 1024)
    assert small["appends"].writes == pytest.approx(10 / 3 * MONTH * kilobytes)
    assert large["appends"].writes > 3 * small["appends"].writes


def test_the_log_is_cheaper_the_more_commits_share_a_page():
    alone = lines_of(Load(0.1, 100))["log"]
    hundreds = lines_of(Load(200, 100))["log"]

    assert alone.writes == pytest.approx(0.1 * MONTH * 2)
    assert hundreds.writes == pytest.approx(200 * MONTH * 1.04)


def test_what_is_not_used_is_not_billed():
    assert lines_of(Load(1, 100)).keys() == {"appends", "log", "storage"}
    used = Load(1, 100, loads=2, stream_projections=1, log_projections=2, published=0.5)
    assert lines_of(used).keys() == {
        "appends",
        "loads",
        "log",
        "projections of streams",
        "projections of the log",
        "outbox",
        "storage",
    }
    assert lines_of(used)["loads"].reads == pytest.approx(
        2 * MONTH * -(-10 * used.commit_bytes // 4096)
    )
    assert lines_of(used)["projections of streams"].writes == pytest.approx(2 * MONTH)
    assert lines_of(used)["outbox"].writes > 0.5 * MONTH


def test_the_usual_layout_pays_for_each_event_twice():
    assert textbook(Load(1, 100)).writes == pytest.approx(4 * MONTH)
    assert textbook(Load(3, 100, 3)).writes == pytest.approx(8 * MONTH)


def test_dollars_are_units_by_their_prices():
    (appends, *_) = bill(Load(1, 100))

    assert Prices().of(appends) == pytest.approx(0.625 * MONTH / 1e6)
    assert Prices(writes=1.25).of(appends) == pytest.approx(1.25 * MONTH / 1e6)


def run(*arguments):
    return CliRunner().invoke(application, ["cost", *arguments])


def test_it_prints_a_bill():
    done = run("--events-per-second", "10", "--size", "200", "--events-per-commit", "3")

    assert done.exit_code == 0
    assert "appends" in done.output
    assert "total" in done.output
    assert "in the same transaction" in done.output


def test_loads_that_need_not_be_consistent_cost_half():
    for commits in (1, 10, 99):
        full = Load(1, 300, loads=2, commits_per_load=commits)
        half = replace(full, consistent_loads=False)
        assert lines_of(half)["loads"].reads == lines_of(full)["loads"].reads / 2 > 0
        assert lines_of(half)["appends"] == lines_of(full)["appends"]


def test_or_json():
    done = run("--events-per-second", "10", "--size", "200", "--json")

    document = json.loads(done.stdout)
    assert document["dollars"] == pytest.approx(sum(one["dollars"] for one in document["lines"]))
    assert document["load"]["events"] == 10


@pytest.mark.parametrize(
    "wrong",
    [
        ("--size", "1"),
        ("--compression", "2"),
        ("--events-per-second", "0"),
        ("--events-per-second", "inf"),
        ("--events-per-second", "1e308"),
        ("--window", "inf"),
        ("--read-price", "nan"),
        ("--size", "1" + "0" * 400),
    ],
)
def test_what_cannot_be_is_wrong_usage(wrong):
    given = {"--events-per-second": "1", "--size": "100", **dict([wrong])}

    assert run(*[text for pair in given.items() for text in pair]).exit_code == 2
