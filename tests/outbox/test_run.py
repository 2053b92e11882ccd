"""A run publishes events in order, and tries failed ones again."""

from __future__ import annotations

import re
from dataclasses import replace
from unittest.mock import ANY

import pytest

from dynamo_es.exceptions import (
    InvalidPositionError,
    UnavailableError,
    UnknownOutboxEntryError,
)
from dynamo_es.outbox import OutboxReport
from tests.outbox.worlds import Hooked, deserialized


class NoMailError(Exception):
    """What the receiver fails with."""


def report(handled=0, failed=0, dead=0, dropped=0, *, busy=False, position):
    return OutboxReport(
        name=ANY,
        handled=handled,
        failed=failed,
        dead=dead,
        dropped=dropped,
        busy=busy,
        position=position,
    )


def test_events_of_all_tenants_are_published_in_the_order_of_positions(world):
    world.log.add_others(2)
    for tenant in ("", "acme", "b#c", "acme", ""):
        world.log.add(tenant=tenant)
    world.log.add_others(1)
    got = []

    done = world.outbox().run_once(got.append)

    assert [(r.position, r.tenant_id) for r in got] == [
        (3, ""),
        (4, "acme"),
        (5, "b#c"),
        (6, "acme"),
        (7, ""),
    ]
    assert got == [deserialized(entry) for entry in world.log.entries if entry]
    assert done == report(handled=5, position=8)
    assert world.outbox().run_once(got.append) == report(position=8)
    assert len(got) == 5


def test_the_limit_is_that_of_tries_and_the_next_run_goes_on(world):
    world.log.add(7)
    world.receiver.fails = {2: NoMailError()}
    assert world.run(3) == report(handled=2, failed=1, position=3)
    assert world.run(limit=3) == report(handled=3, position=6)
    assert world.run(limit=3) == report(handled=1, position=7)
    assert world.receiver.calls == [1, 2, 3, 4, 5, 6, 7]


def test_up_to_100_are_published_by_default(in_memory):
    in_memory.log.add(101)
    assert in_memory.run() == report(handled=100, position=100)


def test_a_poisonous_event_does_not_hold_up_the_others_and_dies(world):
    world.log.add(4)
    world.receiver.fails = {2: NoMailError("no route")}

    terms = {"attempts": 3, "retry_delay": 0}
    assert world.run(**terms) == report(handled=3, failed=1, position=4)
    (entry,) = world.outbox().entries()
    assert (entry.position, entry.attempts, entry.dead) == (2, 1, False)
    world.log.add()
    assert world.run(**terms) == report(handled=1, failed=1, position=5)
    assert world.outbox().entries()[0].attempts == 2
    assert world.run(**terms) == report(failed=1, dead=1, position=5)
    (entry,) = world.outbox().entries()
    event = world.log.entries[1].entry
    assert (entry.attempts, entry.dead) == (3, True)
    assert (entry.tenant_id, entry.stream_id) == ("", event.stream_id)
    assert entry.event_name == event.name
    assert re.fullmatch(r"NoMailError at worlds\.py:\d+ in __call__", entry.last_error)
    world.clock.now += 10**6
    assert world.run(retry_delay=0) == report(position=5)

    assert world.receiver.calls == [1, 2, 3, 4, 2, 5, 2]


def test_with_one_attempt_an_event_is_dead_at_once(world):
    world.log.add()
    world.receiver.fails = {1: NoMailError()}
    assert world.run(attempts=1) == report(failed=1, dead=1, position=1)
    assert [entry.dead for entry in world.outbox().entries()] == [True]


def test_the_dead_are_put_back_by_hand_and_tried_as_often_again(world):
    world.log.add(3)
    world.receiver.fails = dict.fromkeys((1, 2, 3), NoMailError())
    world.run(attempts=1)

    world.outbox().retry(2)
    again = [(e.position, e.attempts, e.dead) for e in world.outbox().entries()]
    assert again == [(1, 1, True), (2, 0, False), (3, 1, True)]
    assert world.run(attempts=2, retry_delay=0) == report(failed=1, position=3)
    world.receiver.fails = {}
    assert world.run() == report(handled=1, position=3)
    assert world.outbox().retry_all() == 2
    assert world.outbox().retry_all() == 0
    assert world.run() == report(handled=2, position=3)

    assert world.receiver.taken == [2, 1, 3]
    assert world.outbox().entries() == []
    with pytest.raises(UnknownOutboxEntryError):
        world.outbox().retry(2)


def test_retry_all_leaves_those_that_wait_as_they_are(world):
    world.log.add(2)
    world.receiver.fails = {1: NoMailError()}
    world.run()
    before = world.outbox().entries()
    assert world.outbox().retry_all() == 0
    assert world.outbox().entries() == before


def test_an_event_that_waits_can_be_hurried_by_hand(world):
    world.log.add()
    world.receiver.fails = {1: [NoMailError()]}
    world.run(retry_delay=1000)
    assert world.run() == report(position=1)
    world.outbox().retry(1)
    assert world.run() == report(handled=1, position=1)


def test_each_wait_is_twice_the_one_before(world):
    world.log.add()
    world.receiver.fails = {1: NoMailError()}
    terms = {"attempts": 4, "retry_delay": 3}
    assert world.run(**terms).failed == 1

    for seconds in (3, 6, 12):
        world.clock.now += seconds - 0.001
        assert world.run(**terms) == report(position=1)
        world.clock.now += 0.002
        assert world.run(**terms).failed == 1

    assert world.outbox().entries()[0].dead


def test_by_default_the_second_try_comes_after_a_second(world):
    world.log.add()
    world.receiver.fails = {1: [NoMailError()]}
    world.run()
    world.clock.now += 0.99
    assert not world.run().active
    world.clock.now += 0.02
    assert world.run() == report(handled=1, position=1)


def test_no_wait_is_longer_than_an_hour_or_the_first_one(in_memory):
    in_memory.log.add()
    in_memory.receiver.fails = {1: NoMailError()}
    for first, longest in ((1, 3600), (7200, 7200)):
        waits = []
        for _ in range(20):
            terms = {"retry_delay": first, "give_up_after": 1e9}
            assert in_memory.run(**terms).failed == 1
            (entry,) = in_memory.outbox().entries()
            waits.append((entry.due_at - in_memory.clock.ms()) / 1000)
            in_memory.clock.now = entry.due_at / 1000
        assert (waits[0], waits[-1], max(waits)) == (
            first if longest > 3600 else waits[0],
            longest,
            longest,
        )
        in_memory.outbox().retry(1)


def test_by_default_an_event_is_tried_again_for_a_day(world):
    world.log.add(2)
    world.receiver.fails = {1: NoMailError()}
    begin, tries = world.clock.now, 0
    while tries < 100 and not (tries and world.outbox().entries()[0].dead):
        world.run()
        tries += 1
        (entry,) = world.outbox().entries()
        assert entry.failing_since == int(begin * 1000)
        if not entry.dead:
            world.clock.now = entry.due_at / 1000

    assert 86_400 <= world.clock.now - begin <= 86_400 + 3600
    assert 30 < tries < 40
    assert world.receiver.taken == [2]


def test_an_event_that_is_put_back_has_its_whole_time_again(world):
    world.log.add()
    world.receiver.fails = {1: NoMailError()}
    world.run()
    world.clock.now += 90_000
    assert world.run().dead == 1

    world.outbox().retry(1)
    assert not world.run().dead
    world.clock.now += 1.1
    assert world.run() == report(failed=1, position=1)
    world.outbox().retry(1)  # one that waits, too
    world.clock.now += 86_000
    assert not world.run().dead


def test_failed_events_come_first_in_the_order_of_positions(world):
    world.log.add(5)
    world.receiver.fails = {4: [NoMailError()], 2: [NoMailError()], 1: [NoMailError()]}
    world.run(retry_delay=0)
    world.log.add(2)
    world.receiver.calls.clear()

    assert world.run(retry_delay=0) == report(handled=5, position=7)

    assert world.receiver.calls == [1, 2, 4, 6, 7]


def test_failed_events_count_in_the_limit(world):
    world.log.add(4)
    world.receiver.fails = dict.fromkeys((1, 2, 3), NoMailError())
    world.run(limit=3, retry_delay=0)
    world.receiver.fails = {}
    assert world.run(limit=2, retry_delay=0) == report(handled=2, position=3)
    assert world.run(limit=2, retry_delay=0) == report(handled=2, position=4)
    assert world.receiver.taken == [1, 2, 3, 4]


def test_failed_events_of_one_piece_of_the_log_are_read_once(in_memory):
    in_memory.log.add(9)
    in_memory.receiver.fails = {n: [NoMailError()] for n in range(1, 10)}
    in_memory.run(retry_delay=0)
    in_memory.log.reads = 0
    assert in_memory.run(retry_delay=0) == report(handled=9, position=9)
    # One that looks for something new, before and after.
    assert in_memory.log.reads == 2 + 3 - 1


def test_what_cannot_be_deserialized_is_a_try_that_failed(world):
    world.log.add(2)

    def deserialize(record):
        if record.position == 1:
            raise ValueError("a field is missing")
        return deserialized(record)

    done = world.outbox(deserialize=deserialize).run_once(world.receiver, attempts=1)

    assert done == report(handled=1, failed=1, dead=1, position=2)
    assert re.fullmatch(
        r"ValueError at test_run\.py:\d+ in deserialize", world.outbox().entries()[0].last_error
    )
    assert world.receiver.calls == [2]


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("not even that")


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (NoMailError("ann@example.com " * 100), "NoMailError at "),
        (NoMailError("\ud800"), "NoMailError at "),
        (NoMailError(), "NoMailError at "),
        (UnspeakableError(), "UnspeakableError at "),
        (type("N" * 1000, (Exception,), {})(), "N" * 500),
    ],
    ids=["long", "no Unicode", "empty", "unspeakable", "a long name"],
)
def test_of_an_error_its_class_is_kept_and_never_its_text(world, error, kept):
    world.log.add(2)
    world.receiver.fails = {1: error}
    assert world.run() == report(handled=1, failed=1, position=2)
    found = world.outbox().entries()[0].last_error
    assert found.startswith(kept)
    assert "ann@" not in found


def test_a_failure_is_logged(in_memory, caplog):
    in_memory.log.add()
    in_memory.receiver.fails = {1: NoMailError("no route")}
    in_memory.run()
    (line,) = caplog.records
    assert (line.name, line.levelname) == ("dynamo_es", "WARNING")
    assert "position 1 failed (try 1): NoMailError at worlds.py" in line.getMessage()
    assert "no route" not in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()], ids=repr)
def test_an_interruption_is_no_try_and_what_was_done_is_kept(world, error):
    world.log.add(4)
    world.receiver.fails = {1: NoMailError(), 3: [error]}

    with pytest.raises(type(error)) as raised:
        world.run(retry_delay=1000)

    assert raised.value is error
    assert [entry.position for entry in world.outbox().entries()] == [1]
    # At once: the lease was given back.
    assert world.run() == report(handled=2, position=4)
    assert world.receiver.taken == [2, 3, 4]


def test_an_interruption_of_a_second_try_is_none_either(world):
    world.log.add(2)
    world.receiver.fails = {1: [NoMailError(), KeyboardInterrupt()]}
    world.run(retry_delay=0)
    before = world.outbox().entries()
    with pytest.raises(KeyboardInterrupt):
        world.run(retry_delay=0)
    assert world.outbox().entries() == before
    assert world.run(retry_delay=0) == report(handled=1, position=2)


def test_events_of_deleted_streams_are_dropped(world):
    world.log.add(5)
    world.receiver.fails = {1: [NoMailError()], 4: [NoMailError()], 5: [NoMailError()]}
    world.run(limit=5, retry_delay=0)
    world.log.add(2)
    world.log.remove(1)
    world.log.remove(5)
    world.log.remove(6)

    assert world.run(retry_delay=0) == report(handled=2, dropped=2, position=7)

    assert world.receiver.taken == [2, 3, 4, 7]
    assert world.outbox().entries() == []


def test_a_dead_event_whose_stream_is_gone_is_dropped_when_it_is_put_back(world):
    world.log.add(1)
    world.receiver.fails = {1: NoMailError()}
    world.run(attempts=1)
    world.log.remove(1)
    world.outbox().retry(1)
    assert world.run() == report(dropped=1, position=1)
    assert world.outbox().entries() == []


def test_an_event_that_a_late_read_does_not_see_is_not_taken_for_a_deleted_one(world):
    world.log.add(3)
    world.receiver.fails = {3: [NoMailError()]}
    world.run(retry_delay=0)
    world.log.add()
    real = world.log.reader

    def lagging(after, selection):
        world.log.seen = 2 if after == 2 else None
        return real(after, selection)

    world.log.reader = lagging
    assert world.run(retry_delay=0) == report(handled=1, position=4)
    assert [entry.position for entry in world.outbox().entries()] == [3]
    world.log.reader = real
    world.log.seen = None
    assert world.run(retry_delay=0) == report(handled=1, position=4)
    assert world.receiver.taken == [1, 2, 4, 3]


def test_an_outbox_ahead_of_the_log_says_so(world):
    world.log.add(3)
    world.run()
    world.log.entries.pop()
    with pytest.raises(InvalidPositionError, match="the log ends at 2"):
        world.run()


def test_outboxes_of_other_names_publish_for_themselves(world):
    world.log.add(2)
    other = world.outbox().named(f"{world.name}-2")
    assert world.run() == report(handled=2, position=2)
    assert other.run_once(world.receiver, 1) == report(handled=1, position=1)
    assert (other.name, other.entries()) == (f"{world.name}-2", [])
    assert world.receiver.taken == [1, 2, 1]


def test_a_small_way_over_other_events_is_not_worth_a_write(in_memory):
    in_memory.log.add_others(999)
    watched = Hooked(in_memory.strategy, -1)
    assert in_memory.outbox(watched).run_once(in_memory.receiver) == report(position=0)
    assert watched.calls == ["look"]

    in_memory.log.add_others(1)
    assert in_memory.outbox(watched).run_once(in_memory.receiver) == report(position=1000)
    assert watched.calls == ["look", "look", "take", "release"]


def test_each_success_is_one_write(in_memory):
    in_memory.log.add(3)
    in_memory.receiver.fails = {2: [NoMailError()]}
    watched = Hooked(in_memory.strategy, -1)
    in_memory.outbox(watched).run_once(in_memory.receiver, retry_delay=0)
    assert watched.calls == ["look", "take", "move", "fail", "move", "release"]
    watched.calls.clear()
    in_memory.outbox(watched).run_once(in_memory.receiver)
    assert watched.calls == ["look", "take", "look", "remove", "release"]


@pytest.mark.parametrize(("seconds", "renewed"), [(29.9, []), (30.1, ["move"])])
def test_the_lease_is_renewed_before_a_try_when_less_than_half_of_it_is_left(
    in_memory, seconds, renewed
):
    in_memory.log.add(3)
    in_memory.receiver.fails = {2: [NoMailError()]}
    in_memory.run(retry_delay=0)
    in_memory.log.remove(3)
    in_memory.log.add(1)

    def pass_time():
        in_memory.clock.now += seconds

    # After the second look; each write renews it too.
    watched = Hooked(in_memory.strategy, 2, after=pass_time)
    in_memory.outbox(watched).run_once(in_memory.receiver, lease=60)

    assert watched.calls == ["look", "take", "look", *renewed, "remove", "move", "release"]
    assert in_memory.receiver.taken == [1, 3, 2, 4]


def test_what_is_unknown_of_a_write_ends_the_run_and_the_next_goes_on(world):
    world.log.add(3)

    def fail():
        raise UnavailableError("UpdateItem", "ReadTimeoutError", "no reply.")

    # look, take, move: carried out, and not told so.
    outbox = world.outbox(Hooked(world.strategy, 2, after=fail))
    with pytest.raises(UnavailableError):
        outbox.run_once(world.receiver)
    assert world.run() == report(handled=2, position=3)
    assert world.receiver.taken == [1, 2, 3]


def test_a_report_says_whether_anything_was_done():
    idle = report(position=7)
    assert not idle.active
    assert not replace(idle, busy=True).active
    for done in ("handled", "failed", "dropped"):
        assert replace(idle, **{done: 1}).active
