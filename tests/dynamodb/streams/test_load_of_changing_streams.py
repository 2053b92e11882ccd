"""A load never takes an append or a deletion that comes between its requests for a lost event.

It is a gap only if two reads show it in one generation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from dynamo_es import ExplicitVersioning
from dynamo_es.dynamodb.streams.appending.append import Append
from dynamo_es.dynamodb.streams.delete import delete_stream
from dynamo_es.dynamodb.streams.loading import load as loading
from dynamo_es.dynamodb.streams.loading.chain import Chain
from dynamo_es.dynamodb.streams.loading.load import load, newest_commit
from dynamo_es.dynamodb.streams.loading.pages import Pages
from dynamo_es.dynamodb.wire.errors import ConditionRefused
from dynamo_es.dynamodb.wire.steps import Pause, Request
from dynamo_es.exceptions import StreamGapError
from dynamo_es.testing.conformance.language import an_event
from tests.dynamodb.machine import KEY, STREAM, TABLE, a_stream
from tests.linearizability.tiny_dynamo import TinyDynamo
from tests.parts import parts_of, reply_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.dynamodb.streams.items import Commit
    from dynamo_es.dynamodb.wire.steps import Steps

RANGES: Final = [(None, None), (1, None), (3, None), (1, 15), (4, 9)]
LONG: Final = 14
"""Commits, which are more than the first page of a process that never saw the stream."""
OFTEN: Final = 6

each_range = pytest.mark.parametrize(("start", "stop"), RANGES)
both_kinds = pytest.mark.parametrize("consistent", [True, False])


class World:
    """A table, and what happens to it before requests of a read."""

    def __init__(self, page: int | None = None) -> None:
        self.dynamo = TinyDynamo(lambda: page)
        self.states: list[list[str]] = [[]]
        """Events of each state of the stream, so far."""

    def run(self, steps: Steps[Any], before: Callable[[Request], None] = lambda _: None) -> Any:
        reply: Any = None
        while True:
            try:
                sent = steps.throw(reply) if isinstance(reply, Exception) else steps.send(reply)
            except StopIteration as end:
                return end.value
            if isinstance(sent, Pause):
                reply = {}
                continue
            answers: list[Any] = []
            for part in parts_of(sent):
                before(part)
                try:
                    answers.append(self.dynamo.answer(part))
                except ConditionRefused as refused:
                    answers.append(refused)
            reply = reply_to(sent, answers)

    def append(self, *sizes: int) -> None:
        for size in sizes:
            expected = len(self.states[-1])
            new = [an_event(STREAM) for _ in range(size)]
            self.run(Append.of(a_stream(), ExplicitVersioning(expected), new).run())
            self.states.append([*self.states[-1], *(str(event.uuid) for event in new)])

    def delete(self) -> None:
        self.run(delete_stream(a_stream()))
        self.states.append([])

    def lose(self, version: int) -> None:
        key = {"stream_key": {"S": KEY}, "version": {"N": str(version)}}
        self.dynamo.answer(Request("delete_item", {"TableName": TABLE, "Key": key}))


def uuids(events: list[Any]) -> list[str]:
    return [str(event.uuid) for event in events]


def ranges_of(states: list[list[str]], start: int | None, stop: int | None) -> list[list[str]]:
    return [state[(start or 1) - 1 : None if stop is None else stop - 1] for state in states]


def each_time(most: int, act: Callable[[int], None], of: Callable[[Request], bool]) -> Any:
    """Return what acts before each of the first requests of a kind."""
    done = 0

    def before(request: Request) -> None:
        nonlocal done
        if done < most and of(request):
            done += 1
            act(done)

    return before


def is_later_page(request: Request) -> bool:
    values = request.params.get("ExpressionAttributeValues", {})
    return (
        bool(values.keys() & {":below", ":highest"})
        and int(values.get(":below", values.get(":highest"))["N"]) < 10**9
    )


def is_single(request: Request) -> bool:
    return request.operation == "get_item"


def recreated(world: World) -> None:
    world.append(*[1] * LONG)
    world.delete()
    world.append(1, 1)


@each_range
@both_kinds
def test_appends_while_a_load_looks_above_the_newest_commit_are_no_gap(start, stop, consistent):
    world = World()
    recreated(world)
    begun = len(world.states) - 1
    before = each_time(OFTEN, lambda _: world.append(1), is_single)

    steps = load(a_stream(), start, stop, consistent=consistent)
    found = world.run(steps, before)

    assert uuids(found) in ranges_of(world.states[begun:], start, stop)


@each_range
@both_kinds
def test_deletions_while_a_load_looks_above_the_newest_commit_are_no_gap(start, stop, consistent):
    world = World()
    recreated(world)
    begun = len(world.states) - 1

    def act(_: int) -> None:
        world.delete()
        world.append(1, 2)

    steps = load(a_stream(), start, stop, consistent=consistent)
    found = world.run(steps, each_time(OFTEN, act, is_single))

    assert uuids(found) in ranges_of(world.states[begun:], start, stop)


@pytest.mark.parametrize("page", [None, 1, 3])
@each_range
@both_kinds
def test_deletions_between_the_pages_of_a_load_are_no_gap(page, start, stop, consistent):
    world = World(page)
    world.append(*[1] * LONG)
    begun = len(world.states) - 1

    def act(_: int) -> None:
        world.delete()
        world.append(*[1] * LONG)

    steps = load(a_stream(), start, stop, consistent=consistent)
    found = world.run(steps, each_time(OFTEN, act, is_later_page))

    assert uuids(found) in ranges_of(world.states[begun:], start, stop)


@pytest.mark.parametrize("newest_first", [False, True])
@both_kinds
def test_deletions_while_the_first_page_is_read_are_no_gap(newest_first, consistent):
    world = World(3)
    recreated(world)
    begun = len(world.states) - 1

    def act(_: int) -> None:
        world.delete()
        world.append(*[1] * 2)

    pages = Pages(a_stream(), 1, None, newest_first=newest_first, size=5, consistent=consistent)
    before = each_time(OFTEN, act, lambda request: is_single(request) or is_later_page(request))
    found: list[Any] = []
    while not pages.is_complete:
        for part in world.run(pages.next_page(), before if not found else lambda _: None):
            found += pages.events_of(part)

    assert uuids(found[::-1] if newest_first else found) in world.states[begun:]


@pytest.mark.parametrize("lost", [1, 5, LONG - 1])
@pytest.mark.parametrize("page", [None, 1, 3])
@both_kinds
def test_a_lost_event_is_an_error_after_two_reads(lost, page, consistent):
    world = World(page)
    world.append(*[1] * LONG)
    world.lose(lost)

    with pytest.raises(StreamGapError) as caught:
        world.run(load(a_stream(), 1, None, consistent=consistent))

    assert caught.value.version == lost


def test_a_lost_event_is_found_although_a_deletion_came_between_the_reads():
    world = World()
    world.append(*[1] * LONG)

    def act(_: int) -> None:
        world.delete()
        world.append(*[1] * LONG)
        world.lose(2)

    with pytest.raises(StreamGapError) as caught:
        world.run(load(a_stream(), None, None), each_time(1, act, is_later_page))

    assert caught.value.version == 2


def test_the_newest_commit_is_found_while_others_append():
    world = World(3)
    recreated(world)

    found = world.run(
        newest_commit(a_stream()), each_time(OFTEN, lambda _: world.append(1), is_single)
    )

    assert found.last == len(world.states[-1])


# Broken on purpose


def a_gap_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    """A load returns the stream without the missing events."""

    def take(chain: Chain, commit: Commit | None) -> None:
        if commit is None:
            chain.wanted = 0
            return
        chain.commits.append(commit)
        chain.begun, chain.wanted = True, commit.version - 1

    patch.setattr(Chain, "take", take)


def the_generation_does_not_count(patch: pytest.MonkeyPatch) -> None:
    """The second gap is an error, whatever came between."""
    made = loading.GapError.__init__
    patch.setattr(
        loading.GapError, "__init__", lambda self, _, gap: made(self, 1, gap), raising=True
    )


@pytest.mark.parametrize(
    ("variant", "check"),
    [
        (
            a_gap_is_passed_over,
            lambda: test_a_lost_event_is_an_error_after_two_reads(5, None, True),
        ),
        (
            a_gap_is_passed_over,
            lambda: test_deletions_between_the_pages_of_a_load_are_no_gap(None, None, None, True),
        ),
        (
            the_generation_does_not_count,
            lambda: test_deletions_between_the_pages_of_a_load_are_no_gap(3, 1, None, True),
        ),
    ],
)
def test_a_load_that_is_broken_is_found(variant, check, monkeypatch):
    variant(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception, StreamGapError)):
        check()
