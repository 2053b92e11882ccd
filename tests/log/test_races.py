"""What sequencers cost that race for one log, as the shards of an on-demand table do."""

from __future__ import annotations

import pytest

from tests.log.races import race
from tests.log.worlds import check
from tests.variants import loser_marks_without_a_look

SEEDS = (1, 2, 3)


def test_one_alone_takes_five_requests_a_page_and_none_is_refused():
    alone = race(1, 6, seed=1)
    # New streams have two pages: their markers are read. And once the end of the log is read.
    assert (alone.requests, alone.refused) == (1 + 6 * 5 + 2, 0)
    check(alone.world)


@pytest.mark.ci
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("shards", "requests", "refused"), [(2, 0.08, 0.01), (4, 0.10, 0.02), (8, 0.13, 0.04)]
)
def test_several_have_few_writes_refused(shards, requests, refused, seed):
    ended = race(shards, 5, seed)
    assert ended.requests / ended.commits <= requests
    assert ended.refused / ended.commits <= refused
    check(ended.world)
    assert sum(len(page.pointers) for page in ended.world.pages) == ended.commits


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loser_that_marks_the_winners_page_again_is_caught(monkeypatch, seed):
    loser_marks_without_a_look(monkeypatch)

    ended = race(4, 5, seed)

    assert ended.refused / ended.commits > 0.05
