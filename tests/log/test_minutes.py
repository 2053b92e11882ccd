"""Where the log was at a moment: times of pages, and items of minutes that shorten the search."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from math import ceil
from typing import Any

import pytest

from dynamo_es import ANY_VERSION, DynamoBackend, MemoryBackend, StreamId
from dynamo_es.dynamodb.log.keys import LogKeys
from dynamo_es.dynamodb.log.minutes import minute_of, position_at, put_minute
from dynamo_es.dynamodb.log.pages import Page, page_item
from dynamo_es.dynamodb.log.requests import newest_page, replace_page
from dynamo_es.dynamodb.log.sequencer import sequence
from dynamo_es.dynamodb.log.sequencer_memory import SequencerMemory
from dynamo_es.dynamodb.maintenance.repair import repair, repair_newest_page
from dynamo_es.dynamodb.wire.errors import OutcomeUnknown
from dynamo_es.dynamodb.wire.steps import Together
from dynamo_es.exceptions import (
    InputError,
    StoredItemError,
    TenantRequiredError,
    ThrottledError,
)
from dynamo_es.testing.clock import START, FrozenClock
from dynamo_es.testing.conformance.language import events
from tests.dynamodb.machine import play, refused
from tests.log.stores import emulated
from tests.log.test_sequencer import (
    A1,
    B1,
    C1,
    LOG,
    TABLES,
    a_page,
    markers,
    marking,
    new,
    putting,
    remembering,
)

THROTTLED = ThrottledError("put_item", "log", "ThrottlingException", "slow down")
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def clock():
    return FrozenClock()


@pytest.fixture(params=["memory", "dynamo"])
def make(request, clock):
    """Makes the backend of a log scope, on the clock of the test."""
    if request.param == "memory":
        yield lambda scope: MemoryBackend(clock=clock, log_scope=scope)
        return
    with emulated() as store:

        def backend(scope):
            config = replace(store.config, sequencing="inline", log_scope=scope)
            return DynamoBackend(config, client=store.client, clock=clock)

        yield backend


@pytest.fixture(params=["table", "tenant"])
def backend(request, make):
    return make(request.param).in_tenant("acme")


def append(backend, number=1, stream=None):
    stream = stream or StreamId(category="order")
    backend.storage.insert_events(stream, ANY_VERSION, events(stream, number))


def test_an_empty_log_was_at_position_0(backend, clock):
    assert backend.log.position_at(clock.now) == 0


def test_it_is_the_last_position_before_the_moment(backend, clock):
    ends = []
    for number in (1, 2, 3, 1, 1):
        append(backend, number)
        ends.append((clock.now, backend.log.last_position))
        clock.advance(17 * SECOND)
    before = 0
    for put_at, last in ends:
        assert backend.log.position_at(put_at) == before
        assert backend.log.position_at(put_at + timedelta(microseconds=1)) == last
        assert backend.log.position_at(put_at + 16 * SECOND) == last
        before = last
    assert backend.log.position_at(START - timedelta(days=400)) == 0


def test_after_the_end_of_the_log_it_is_the_last_position(backend, clock):
    for _ in range(3):
        append(backend)
    clock.advance(timedelta(hours=5))
    assert backend.log.position_at(clock.now) == 3
    assert backend.log.position_at(clock.now + timedelta(days=1)) == 3


def test_a_quiet_night_is_between_two_positions(backend, clock):
    append(backend, 3)
    append(backend, 2)
    clock.advance(timedelta(hours=9))
    append(backend, 4)
    for hours in (1, 8):
        assert backend.log.position_at(START + timedelta(hours=hours)) == 5


def test_a_subscriber_gets_what_came_since(backend, clock):
    append(backend)
    clock.advance(timedelta(hours=3))
    append(backend, 2)
    since = backend.log.position_at(clock.now - timedelta(hours=2))
    found = backend.log.reader(since).read()
    assert [record.position for record in found] == [2, 3]


def test_each_tenants_log_has_times_of_its_own(make, clock):
    backend = make("tenant")
    for tenant in ("a", "b", "b"):
        append(backend.in_tenant(tenant))
        clock.advance(MINUTE)
    assert [backend.in_tenant(tenant).log.position_at(clock.now) for tenant in "abc"] == [1, 2, 0]
    with pytest.raises(TenantRequiredError, match="The position of the log at a moment needs"):
        backend.log.position_at(clock.now)


def test_a_zone_is_no_matter(backend, clock):
    append(backend)
    clock.advance(2 * MINUTE)
    append(backend)
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    assert backend.log.position_at((START + MINUTE).astimezone(elsewhere)) == 1


@pytest.mark.parametrize("wrong", [START.replace(tzinfo=None), START.date(), 1, None, "now"])
def test_a_moment_has_a_zone(backend, wrong):
    with pytest.raises(InputError, match="moment must be a datetime with a time zone"):
        backend.log.position_at(wrong)


# The items of minutes.


def sequencing(hint, memory):
    return sequence(TABLES, [hint], memory)


def at(page, seconds):
    return page._replace(put_at=seconds * 1_000_000)


def steady_sequencer():
    """What a process remembers that has put its first page, and its clock."""
    now = [0.0]
    memory = remembering(clock=lambda: now[0], marked_below=8, alone=True)
    page = at(a_page(8, A1), 0)
    play(sequencing(A1, memory), markers(A1), putting(page), marking(new(A1, 1)))
    return memory, now


def put_b(position, seconds):
    page = at(a_page(position, B1), seconds)
    return page, [markers(B1), putting(page), marking(new(B1, 3))]


def test_within_a_minute_pages_cost_what_they_did():
    memory, now = steady_sequencer()
    now[0] = 9.0
    page, script = put_b(9, 9)
    assert play(sequencing(B1, memory), *script) == [page]


def test_once_a_minute_the_last_position_is_kept_after_the_page():
    memory, now = steady_sequencer()
    memory.noted_at = now[0] = 5.0
    memory.noted_at -= 60
    page, script = put_b(9, 5)
    noted = put_minute(LOG, 5_000_000, 11), {}
    assert play(sequencing(B1, memory), *script, noted) == [page]
    now[0] += 9
    page = at(a_page(12, C1), 14)
    assert play(sequencing(C1, memory), markers(C1), putting(page), marking(new(C1, 1))) == [
        page
    ], "once a minute"


@pytest.mark.parametrize(
    "failure",
    [refused(), THROTTLED, OutcomeUnknown(THROTTLED)],
    ids=["another was further", "throttled", "lost"],
)
def test_a_page_is_put_whatever_becomes_of_the_minute(failure):
    memory, now = steady_sequencer()
    memory.noted_at = -60.0
    now[0] = 5.0
    page, script = put_b(9, 5)
    noted = put_minute(LOG, 5_000_000, 11), failure
    assert play(sequencing(B1, memory), *script, noted) == [page]
    assert memory.noted_at == 5.0, "it tries again in a minute"


def test_the_item_of_a_minute():
    assert put_minute(LogKeys("log", "acme#"), 1767268859_999999, 7).params["Item"] == {
        "log_key": {"S": "acme#minutes"},
        "place": {"S": "2026-01-01T12:00Z"},
        "last_position": {"N": "7"},
    }


def test_a_minute_never_goes_back(emulator):
    for position in (5, 9):
        emulator.client.put_item(**put_minute(LOG, 0, position).params)
    with pytest.raises(emulator.client.exceptions.ConditionalCheckFailedException):
        emulator.client.put_item(**put_minute(LOG, 0, 8).params)
    (item,) = emulator.log_items("minutes")
    assert item["last_position"] == {"N": "9"}


def test_a_day_of_pages_has_an_item_a_minute(emulator, clock):
    backend = inline(emulator, clock)
    for _ in range(60):
        append(backend)
        clock.advance(15 * SECOND)
    places = [item["place"]["S"] for item in emulator.log_items("minutes")]
    assert places == [f"2026-01-01T12:{minute:02d}Z" for minute in range(1, 15)]


def inline(store, clock):
    config = replace(store.config, sequencing="inline")
    return DynamoBackend(config, client=store.client, clock=clock)


# The search.


class Log:
    """Answers the requests of a search by pages and minutes, and counts them."""

    def __init__(self, times, minutes=()):
        """Take the times of pages of one event each, and the minutes with an item."""
        self.pages = [
            page_item(Page(number, (A1._replace(first_version=number),), "w", put_at))
            for number, put_at in enumerate(times, 1)
        ]
        self.minutes = [
            put_minute(LOG, put_at, position).params["Item"] for position, put_at in minutes
        ]
        self.sent = 0

    def at(self, moment):
        steps: Any = position_at(LOG, moment)
        reply: Any = None
        self.sent = 0
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as stop:
                return stop.value
            if isinstance(step, Together):
                reply = [self.answer(request) for request in step.requests]
            else:
                reply = self.answer(step)

    def answer(self, request):
        self.sent += 1
        values = request.params["ExpressionAttributeValues"]
        condition = request.params["KeyConditionExpression"]
        if ":minutes" in values:
            minute = values[":moment"]["S"]
            if "<" in condition:
                found = [one for one in self.minutes if one["place"]["S"] < minute][::-1]
            else:
                found = [one for one in self.minutes if one["place"]["S"] > minute]
        else:
            most = values.get(":place", {"S": "9"})["S"]
            found = [one for one in self.pages if one["place"]["S"] <= most][::-1]
        return {"Items": found[:1]}


SECONDS = 1_000_000
DAY = [second * SECONDS for second in range(0, 86_400, 20)]
EACH_MINUTE = [
    (position, put_at) for position, put_at in enumerate(DAY, 1) if put_at % (60 * SECONDS) == 0
]


def test_the_items_of_minutes_keep_the_search_short():
    log = Log(DAY, EACH_MINUTE)
    for moment in range(7 * SECONDS, 86_400 * SECONDS, 1_801 * SECONDS):
        assert log.at(moment) == ceil(moment / (20 * SECONDS))
        assert log.sent <= 9


def test_without_them_it_halves_the_log():
    log = Log(DAY)
    assert log.at(40_000 * SECONDS) == 2000
    assert log.sent <= 3 + 13  # 4,320 pages


def test_after_the_last_page_there_is_nothing_to_search():
    log = Log(DAY, EACH_MINUTE)
    assert (log.at(DAY[-1] + 1), log.sent) == (len(DAY), 3)


@pytest.mark.parametrize(
    "minutes",
    [
        [(position + 300, put_at) for position, put_at in EACH_MINUTE],
        [(max(position - 300, 1), put_at) for position, put_at in EACH_MINUTE],
        [(10**12, put_at) for _, put_at in EACH_MINUTE],
        [(0, put_at) for _, put_at in EACH_MINUTE],
    ],
    ids=["too high", "too low", "after the end", "before the beginning"],
)
def test_an_item_that_is_wrong_costs_requests_and_changes_nothing(minutes):
    log = Log(DAY, minutes)
    for moment in (1, 40_001 * SECONDS, 86_379 * SECONDS):
        assert log.at(moment) == ceil(moment / (20 * SECONDS))
        assert log.sent <= 3 + 2 + 13


@pytest.mark.parametrize(
    "wrong", [{}, {"last_position": {"S": "7"}}, {"last_position": {"N": "-1.5"}}]
)
def test_so_does_one_that_is_no_item_of_a_minute(wrong):
    log = Log(DAY, EACH_MINUTE)
    log.minutes = [
        {name: value for name, value in item.items() if name != "last_position"} | wrong
        for item in log.minutes
    ]
    assert log.at(40_000 * SECONDS) == 2000


def test_a_page_without_a_time_is_an_error():
    log = Log([None])
    with pytest.raises(StoredItemError, match="it has no time"):
        log.at(5)


def test_a_hole_in_the_log_is_an_error():
    log = Log(DAY)
    del log.pages[2000:2300]
    with pytest.raises(StoredItemError, match="no page holds this position"):
        log.at(DAY[2150])


def test_minutes_sort_as_time_goes():
    assert [minute_of(moment) for moment in (0, 59_999_999, 60_000_000)] == [
        *("1970-01-01T00:00Z", "1970-01-01T00:00Z", "1970-01-01T00:01Z")
    ]
    assert minute_of(int(datetime(999, 1, 1, tzinfo=UTC).timestamp()) * SECONDS)[:5] == "0999-"


# A repair.


def test_a_log_that_is_rebuilt_has_the_times_of_the_repair(emulator, clock):
    backend = inline(emulator, clock)
    for _ in range(4):
        append(backend)
        clock.advance(MINUTE)
    for item in emulator.client.scan(TableName="log")["Items"]:
        key = {name: item[name] for name in ("log_key", "place")}
        emulator.client.delete_item(TableName="log", Key=key)
    clock.advance(timedelta(hours=1))
    memory = SequencerMemory(clock=clock)
    assert repair(emulator.config, lambda: emulator.client, memory=memory).positions == 4
    assert backend.log.position_at(clock.now) == 0
    assert backend.log.position_at(clock.now + SECOND) == 4


def test_a_repair_of_what_is_there_changes_no_time(emulator, clock):
    backend = inline(emulator, clock)
    for _ in range(4):
        append(backend)
        clock.advance(MINUTE)
    before = emulator.log_items("log"), emulator.log_items("minutes")
    memory = SequencerMemory(clock=clock)
    assert repair(emulator.config, lambda: emulator.client, memory=memory).positions == 0
    assert (emulator.log_items("log"), emulator.log_items("minutes")) == before


def test_a_newest_page_that_is_repaired_keeps_its_time():
    never = B1._replace(first_version=10**37)
    assert not never.can_have_marker
    page = at(a_page(5, A1, never, writer="other"), 7)
    kept = page_item(page._replace(pointers=(A1,), writer="me"))
    script = (
        (newest_page(LOG), {"Items": [page_item(page)]}),
        (replace_page(LOG, kept, "other"), {}),
    )
    assert play(repair_newest_page(LOG, lambda: "me"), *script) == 1
