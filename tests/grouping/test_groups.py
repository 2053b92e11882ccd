"""What waits for one key goes as one group, in order, and each caller gets its own result."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest

from dynamo_es.exceptions import ContentionError, InputError, ServiceError
from dynamo_es.grouping import groups as grouping
from dynamo_es.grouping import queues
from dynamo_es.grouping.groups import Groups, Work
from tests.grouping.stage import Stage, StuckError


class Putting(Work[Any, Any]):
    """Notes each group, and returns each item in capitals; gives the stage back in the middle."""

    def __init__(self, stage, *, repeats=True):
        self.stage = stage
        self.repeats = repeats
        self.groups = []
        self.under_way = 0
        self.failures = {}

    def carry_out(self, items):
        assert self.under_way == 0, "two groups at once"
        self.under_way += 1
        self.groups.append(list(items))
        try:
            self.stage.give_back()
        finally:
            self.under_way -= 1
        for item in items:
            if item in self.failures:
                raise self.failures[item]
        return [item.upper() for item in items]

    def after_interrupt(self, item):
        return None if self.repeats else ServiceError("PutItem", "Lost", f"{item} may be stored")

    def left_unknown(self, item):
        return ServiceError("PutItem", "Left", f"{item} may be stored")


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def work(stage):
    return Putting(stage)


@pytest.fixture
def groups(stage):
    return Groups(monotonic=stage.clock, new_waiter=stage.new_waiter)


@pytest.fixture
def enter(stage, groups, work):
    def enter(*items, key="stream", **options):
        for item in items:
            stage.enter(item, lambda item=item: groups.submit(key, item, work, **options))

    return enter


def results(stage):
    return {name: actor.error or actor.result for name, actor in stage.actors.items()}


def begin(stage, *names):
    for name in names:
        stage.act(name)


def lead(stage, name):
    """Let a caller act until its group is under way: before that, it waits for others."""
    while stage.act(name).waits:
        pass


def test_a_lone_item_is_carried_out_at_once(stage, work, enter):
    enter("a")
    stage.act("a")
    assert (work.groups, stage.now) == ([["a"]], 100.0)
    assert stage.act("a").result == "A"


def test_what_comes_while_a_group_is_under_way_is_the_next_group(stage, work, enter):
    enter("a", "b", "c")
    begin(stage, "a", "b", "c")
    stage.finish()
    assert work.groups == [["a"], ["b", "c"]]
    assert results(stage) == {"a": "A", "b": "B", "c": "C"}


def test_items_of_different_keys_do_not_wait_for_each_other(stage, groups):
    works = [Putting(stage), Putting(stage)]
    for name, work in zip("ab", works, strict=True):
        stage.enter(name, lambda name=name, work=work: groups.submit(name, name, work))
    begin(stage, "a", "b")
    assert [work.groups for work in works] == [[["a"]], [["b"]]]
    stage.finish()


def test_a_group_has_25_items_at_most_in_the_order_of_arrival(stage, work, enter):
    names = [f"n{number}" for number in range(60)]
    enter(*names)
    begin(stage, *names)
    stage.finish()
    assert [len(group) for group in work.groups] == [1, 25, 25, 9]
    assert [name for group in work.groups for name in group] == names


def test_a_leader_waits_a_millisecond_for_those_that_were_there_lately(stage, work, enter):
    enter("a", "b", "c")
    begin(stage, "a", "b", "c")
    stage.finish()  # b and c were one group
    enter("d")
    stage.act("d")
    assert stage.actors["d"].waits
    before = stage.now
    stage.act("d")
    assert stage.now - before == pytest.approx(0.001)
    assert work.groups[-1] == ["d"]
    stage.finish()


def test_a_leader_goes_as_soon_as_as_many_are_there(stage, work, enter):
    enter("a", "b", "c")
    begin(stage, "a", "b", "c")
    stage.finish()
    enter("d", "e")
    before = stage.now
    begin(stage, "d", "e")
    assert stage.actors["d"].woken
    stage.finish()
    assert (work.groups[-1], stage.now) == (["d", "e"], before)


def test_whoever_was_alone_lately_waits_for_nobody(stage, work, enter):
    for name in "abc":
        enter(name)
        begin(stage, name)
    stage.finish()
    enter("d")
    stage.finish()
    before = stage.now
    enter("e")
    stage.finish()
    assert work.groups[-2:] == [["d"], ["e"]]
    assert stage.now == before


def test_a_group_weighs_no_more_than_its_work_takes(stage, groups, work):
    work.heaviest = 10
    for name, weight in {"a": 1, "b": 6, "c": 4, "d": 1, "e": 50, "f": 1}.items():
        stage.enter(
            name, lambda name=name, weight=weight: groups.submit("s", name, work, weight=weight)
        )
        stage.act(name)
    stage.finish()
    assert work.groups == [["a"], ["b", "c"], ["d"], ["e"], ["f"]]


def test_an_item_that_has_to_go_alone_goes_alone(stage, work, enter):
    enter("a", "b")
    enter("c", alone=True)
    enter("d", "e")
    begin(stage, *"abcde")
    stage.finish()
    assert work.groups == [["a"], ["b"], ["c"], ["d", "e"]]


def test_a_failure_of_a_group_is_each_callers_own(stage, work, enter):
    enter("a", "b", "c")
    work.failures["b"] = ServiceError("PutItem", "Down", "no reply")
    begin(stage, "a", "b", "c")
    stage.finish()
    first, second = stage.actors["b"].error, stage.actors["c"].error
    assert stage.actors["a"].result == "A"
    assert isinstance(first, ServiceError)
    assert isinstance(second, ServiceError)
    assert first is not second
    assert str(first) == str(second)


def test_a_wrong_item_is_refused_alone(stage, work, enter):
    enter("a", "b", "c", "d")
    work.failures["c"] = InputError("too large")
    begin(stage, "a", "b", "c", "d")
    stage.finish()
    assert work.groups == [["a"], ["b", "c", "d"], ["b"], ["c"], ["d"]]
    assert {name: str(value) for name, value in results(stage).items()} == {
        "a": "A",
        "b": "B",
        "c": "too large",
        "d": "D",
    }


def test_whoever_waits_too_long_leaves_and_the_others_go_on(stage, work, enter):
    enter("a", "b", "c")
    begin(stage, "a", "b", "c")
    stage.act("b")  # its time runs out
    assert isinstance(stage.actors["b"].error, ContentionError)
    stage.finish()
    assert work.groups == [["a"], ["c"]]


def test_an_item_under_way_has_its_result_however_long_it_takes(stage, work, enter):
    enter("a", "b", "c")
    begin(stage, "a", "b", "c", "a")
    lead(stage, "b")
    stage.now += 1_000
    stage.act("c")
    assert stage.actors["c"].waits
    assert stage.actors["c"].until is None
    stage.finish()
    assert stage.actors["c"].result == "C"


def test_an_interrupted_leader_hands_on_and_its_group_is_carried_out_again(stage, work, enter):
    enter("a", "b", "c", "d")
    begin(stage, "a", "b", "c", "a")
    lead(stage, "b")
    stage.act("d")
    assert work.groups[-1] == ["b", "c"]
    stage.act("b", KeyboardInterrupt())
    stage.finish()
    assert work.groups == [["a"], ["b", "c"], ["c", "d"]]
    assert isinstance(stage.actors["b"].error, KeyboardInterrupt)
    assert (stage.actors["c"].result, stage.actors["d"].result) == ("C", "D")


def test_an_interrupted_caller_learns_that_another_one_may_have_stored_its_item(stage, work, enter):
    enter("a", "b", "c", "d")
    begin(stage, "a", "b", "c")
    stage.act("a")  # leaves; the others are a group
    lead(stage, "b")
    begin(stage, "d")
    interrupts = {name: KeyboardInterrupt() for name in "bcd"}
    for name in "dcb":  # one that waits, one in the group, and the leader of the group
        stage.act(name, interrupts[name])
    causes = {name: interrupt.__cause__ for name, interrupt in interrupts.items()}
    assert isinstance(causes["c"], ServiceError)
    assert (causes["b"], causes["d"]) == (None, None)
    assert work.groups == [["a"], ["b", "c"]]


def test_what_cannot_be_repeated_has_an_error_if_its_leader_is_interrupted(stage, groups):
    work = Putting(stage, repeats=False)
    for name in "abcd":
        stage.enter(name, lambda name=name: groups.submit("s", name, work))
    begin(stage, *"abca")
    lead(stage, "b")
    stage.act("d")
    stage.act("b", KeyboardInterrupt())
    stage.finish()
    assert str(stage.actors["c"].error).startswith("PutItem")
    assert stage.actors["d"].result == "D"
    assert work.groups == [["a"], ["b", "c"], ["d"]]


def test_a_leader_that_is_interrupted_while_it_waits_for_others_hands_on(stage, work, enter):
    enter("a", "b", "c")
    begin(stage, "a", "b", "c")
    stage.finish()
    enter("d")
    stage.act("d")
    stage.act("d", KeyboardInterrupt())
    enter("e")
    stage.finish()
    assert work.groups[-1] == ["e"]


def test_a_waiting_caller_that_is_interrupted_takes_its_item_away(stage, work, enter):
    enter("a", "b", "c")
    begin(stage, "a", "b", "c")
    stage.act("b", KeyboardInterrupt())
    stage.finish()
    assert work.groups == [["a"], ["c"]]


def test_a_caller_interrupted_when_it_is_to_lead_hands_on(stage, work, enter):
    enter("a", "b", "c")
    begin(stage, "a", "b", "c", "a")
    stage.act("b", KeyboardInterrupt())
    stage.finish()
    assert work.groups == [["a"], ["c"]]
    assert stage.actors["c"].result == "C"


def test_the_item_of_a_caller_that_is_gone_is_not_carried_out_again(stage, work, enter):
    enter("a", "b", "c", "d")
    begin(stage, *"abcd", "a")
    lead(stage, "b")
    stage.act("c", KeyboardInterrupt())
    stage.act("b", KeyboardInterrupt())
    stage.finish()
    assert work.groups == [["a"], ["b", "c", "d"], ["d"]]


def test_code_inside_a_group_does_not_wait_for_a_group(stage, groups, work):
    class Nesting(Putting):
        def carry_out(self, items):
            results = super().carry_out(items)
            return [f"{each}/{groups.submit('s', 'inner', inner)}" for each in results]

    inner, outer = Putting(stage), Nesting(stage)
    stage.enter("a", lambda: groups.submit("s", "a", outer))
    stage.finish()
    assert stage.actors["a"].result == "A/INNER"
    assert groups.submit  # and its key is free again:
    stage.enter("b", lambda: groups.submit("s", "b", work))
    stage.finish()
    assert work.groups == [["b"]]


def test_a_forked_child_waits_for_nobody(stage, groups, work, enter):
    enter("a", "b")
    begin(stage, "a", "b")
    groups.after_fork()  # in the child, neither of them runs
    child = Putting(stage)
    stage.enter("c", lambda: groups.submit("stream", "c", child))
    stage.act("c")
    assert child.groups == [["c"]]
    assert stage.act("c").result == "C"


def test_nothing_is_kept_of_a_stream_with_one_writer(stage, groups, enter):
    enter("a")
    stage.finish()
    assert not groups._busy
    assert not groups._idle


def test_only_so_many_idle_streams_are_remembered(stage, groups, work, monkeypatch):
    monkeypatch.setattr(grouping, "_IDLE_QUEUES", 2)
    for key in "pqr":
        for name in "abc":
            stage.enter(key + name, lambda key=key, name=name: groups.submit(key, name, work))
            stage.act(key + name)
        stage.finish()
    assert list(groups._idle) == ["q", "r"]


def _submit_twice(groups, work, key, number):
    return [groups.submit(key, f"{key}{number}-{turn}", work) for turn in range(2)]


def play(seed, *, interrupts):
    """Play a random order of steps; return the callers, the work, and who was interrupted."""
    chance = random.Random(seed)
    stage = Stage()
    groups = Groups(monotonic=stage.clock, new_waiter=stage.new_waiter, most=3, patience=1e9)
    works = {key: Putting(stage) for key in "pq"}
    for number in range(chance.randint(3, 9)):
        key = chance.choice("ppq")
        stage.enter(f"{key}{number}", partial(_submit_twice, groups, works[key], key, number))

    def act_or_interrupt(names):
        name = chance.choice(names)
        begun = stage.actors[name].waits or any(work.under_way for work in works.values())
        if begun and chance.random() < interrupts:
            stage.act(name, KeyboardInterrupt())
        else:
            stage.act(name)

    while names := stage.able():
        act_or_interrupt(names)
    assert all(actor.finished for actor in stage.actors.values()), "somebody waits for ever"
    assert not groups._busy
    return stage.actors, works


def judge(seed, *, interrupts):
    actors, works = play(seed, interrupts=interrupts)
    carried_out = [item for work in works.values() for group in work.groups for item in group]
    assert all(len(group) <= 3 for work in works.values() for group in work.groups)
    for name, actor in actors.items():
        if isinstance(actor.error, KeyboardInterrupt):
            continue
        assert actor.error is None
        assert actor.result == [f"{name}-{turn}".upper() for turn in range(2)]
        if not interrupts:
            assert [carried_out.count(f"{name}-{turn}") for turn in range(2)] == [1, 1]


@pytest.mark.parametrize("seed", range(60))
def test_in_every_order_each_caller_gets_its_own_result_once(seed):
    judge(seed, interrupts=0)


@pytest.mark.parametrize("seed", range(60))
def test_whoever_is_interrupted_nobody_else_loses_anything(seed):
    judge(seed, interrupts=0.15)


def found(**options):
    for seed in range(60):
        try:
            judge(seed, **options)
        except (AssertionError, StuckError):
            return True
    return False


def test_results_given_to_another_are_noticed(monkeypatch):
    outcomes = grouping._outcomes
    monkeypatch.setattr(grouping, "_outcomes", lambda *given: outcomes(*given)[::-1])
    assert found(interrupts=0)


def test_a_group_that_is_lost_with_its_leader_is_noticed(monkeypatch):
    monkeypatch.setattr(queues.Queue, "give_back", lambda queue, _: queue.group.clear())
    assert found(interrupts=0.15)


def test_a_leader_that_does_not_hand_on_is_noticed(monkeypatch):
    monkeypatch.setattr(queues.Queue, "lead_next", lambda queue: setattr(queue, "leader", None))
    assert found(interrupts=0)
