"""``dynamo-es tail``: the log's events, and those that come."""

import time

import pytest

from dynamo_es import StreamId
from tests.cli.stores import append, lines


def test_tail_shows_the_log_to_its_end(run, stored):
    ended = run("tail", "--once")

    assert ended.status == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == ["1", "2", "3", "4"]
    assert "account/ann 1 NumberDrawn" in ended.out
    assert "acme/account/bob\\x1b[0m" in ended.out
    assert "\x1b" not in ended.out


@pytest.mark.parametrize(
    ("options", "positions"),
    [
        (["--after", 2], [3, 4]),
        (["--category", "account"], [1, 2, 4]),
        (["--tenant", "acme"], [4]),
        (["--event", "Never"], []),
        (["--event", "Never", "--event", "NumberDrawn", "--after", 3], [4]),
    ],
)
def test_tail_takes_filters(run, stored, options, positions):
    found = lines(run("tail", "--once", "--json", *options))

    assert [document["position"] for document in found] == positions


@pytest.mark.ci
def test_tail_goes_on_from_the_end_until_it_is_interrupted(run, stored, monkeypatch):
    def sleep(_):
        if not calls:
            append(stored, StreamId(name="late"), 1)
        calls.append(time.monotonic())
        if calls[-1] - calls[0] > 1:
            raise KeyboardInterrupt

    calls: list[float] = []
    monkeypatch.setattr("dynamo_es.cli.log.tail._sleep", sleep)

    ended = run("tail")

    assert ended.status == 130
    assert [line.split()[0] for line in ended.out.splitlines()] == ["5"]


def test_tail_of_a_position_from_the_future(run, stored):
    ended = run("tail", "--after", 99)

    assert ended.status == 1
    assert "the log ends at 4" in ended.err
