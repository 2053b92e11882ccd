"""Appends of several callers of one process go in groups, and what each sees is linearizable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from dynamo_es.contracts.boundaries import candidates
from dynamo_es.grouping import groups as grouping
from dynamo_es.grouping.appends import append_in_group
from dynamo_es.grouping.groups import Groups
from tests.linearizability import callers
from tests.linearizability.callers import Task, call_together, in_moments, look
from tests.linearizability.histories import Outcome
from tests.linearizability.test_concurrency import OPERATIONS, WORKERS
from tests.linearizability.verdicts import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynamo_es import DynamoConfig, StreamId
    from dynamo_es.contracts.boundaries.strategy import BoundaryResult, ConditionalAppend

pytestmark = [pytest.mark.concurrent, pytest.mark.ci]

STREAMS: Final = 4
SEEDS: Final = (1, 2, 3)


class GroupingStorage:
    """A storage whose single conditional appends wait for those of other callers."""

    def __init__(self, storage: Any, groups: Groups) -> None:
        self._storage = storage
        self._groups = groups

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def insert_unless(
        self, stream_id: StreamId, appends: Sequence[ConditionalAppend]
    ) -> Sequence[BoundaryResult]:
        if len(appends) > 1:
            return self._storage.insert_unless(stream_id, appends)
        return [append_in_group(self._groups, self._storage, "", stream_id, appends[0])]


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let all callers of a process group their appends; return the sizes of the groups."""
    sizes: list[int] = []
    shared = Groups(linger=0.01)
    process, outcomes = callers._process, grouping._outcomes

    def together(*given: Any) -> Any:
        network, storage = process(*given)
        return network, GroupingStorage(storage, shared)

    def counted(work: Any, items: Any) -> Any:
        sizes.append(len(items))
        return outcomes(work, items)

    monkeypatch.setattr(callers, "_process", together)
    monkeypatch.setattr(grouping, "_outcomes", counted)
    return sizes


def run(config: DynamoConfig, seed: int) -> None:
    calls = OPERATIONS // len(WORKERS)
    tasks = [Task(config, seed, letter, STREAMS, calls, boundaries=True) for letter in WORKERS]
    history = call_together(tasks)
    history += look(config, STREAMS)
    assert {one.outcome for one in history} >= {Outcome.OK, Outcome.REFUSED, Outcome.UNKNOWN}
    verify(in_moments(history), seed)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_what_callers_in_groups_see_is_linearizable(
    config: DynamoConfig, groups: list[int], seed: int
) -> None:
    run(config, seed)
    assert sum(size > 1 for size in groups) > len(groups) / 10, "hardly anything was grouped"


def checked_before_the_group(patch: pytest.MonkeyPatch) -> None:
    """Conditions are checked against the state before the group."""
    patch.setattr(candidates.Candidate, "goes_with", lambda *_: True)


def results_in_reverse(patch: pytest.MonkeyPatch) -> None:
    """Each caller gets the result of another."""
    carried_out = grouping._carry_out
    patch.setattr(grouping, "_carry_out", lambda *given: carried_out(*given)[::-1])


@pytest.mark.parametrize("variant", [checked_before_the_group, results_in_reverse])
def test_a_broken_group_is_found(
    config: DynamoConfig,
    groups: list[int],
    monkeypatch: pytest.MonkeyPatch,
    variant: Callable[[pytest.MonkeyPatch], None],
) -> None:
    variant(monkeypatch)
    with pytest.raises(AssertionError):
        for seed in SEEDS:
            run(config, seed)
