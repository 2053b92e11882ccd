"""Subscriptions return a batch when it is full, or the events so far at the time limit."""

from datetime import timedelta

import pytest

from dynamo_es import ANY_VERSION, StreamId
from dynamo_es.contracts import EVERYTHING, LogReader, LogStrategy
from dynamo_es.exceptions import InvalidPositionError, InvalidSubscriptionError, ThrottledError
from dynamo_es.subscriptions.log_subscriptions import LogSubscriptions
from dynamo_es.testing.conformance.language import an_event

pytestmark = pytest.mark.inline

SECOND = timedelta(seconds=1)


class Clock:
    """Time that passes only when somebody sleeps; what is to happen meanwhile may be told."""

    def __init__(self):
        self.now = 100.0
        self.pauses = []
        self.meanwhile = {}

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds
        for at in [at for at in self.meanwhile if at <= self.now]:
            self.meanwhile.pop(at)()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def subscriptions(backend, clock):
    return LogSubscriptions(backend.log, monotonic=clock, sleep=clock.sleep)


@pytest.fixture
def start(given, backend):
    given.stream(StreamId()).with_commits_of(1)
    return backend.log.last_position


def positions(batch):
    return [record.position for record in batch]


def test_batches_as_they_fill(given, subscriptions, clock, start):
    given.stream(StreamId()).with_commits_of(3, 2, 2)

    subscription = subscriptions.subscribe_to_all(start, 3, SECOND)

    assert positions(next(subscription)) == [start + 1, start + 2, start + 3]
    assert positions(next(subscription)) == [start + 4, start + 5, start + 6]
    assert clock.now == 100.0
    assert subscription.position == start + 6
    assert positions(next(subscription)) == [start + 7]
    assert clock.now == 101.0


def test_an_empty_batch_takes_the_time_limit_and_then_it_goes_on(
    given, subscriptions, clock, start
):
    subscription = subscriptions.subscribe_to_all(start, 10, timedelta(seconds=0.1))

    assert next(subscription) == []
    assert clock.now == pytest.approx(100.1)
    given.stream(StreamId()).with_commits_of(1)
    assert positions(next(subscription)) == [start + 1]
    assert next(subscription) == []


def test_what_comes_meanwhile_fills_the_batch(given, subscriptions, clock, start):
    stream = StreamId()
    clock.meanwhile = {
        100.2: lambda: given.stream(stream).with_commits_of(1),
        100.5: lambda: given.stream(stream).with_commits_of(1),
    }
    subscription = subscriptions.subscribe_to_all(start, 2, timedelta(seconds=30))

    assert positions(next(subscription)) == [start + 1, start + 2]
    assert clock.now < 102.0


def test_the_log_is_asked_less_and_less_while_nothing_comes(subscriptions, clock, start):
    subscription = subscriptions.subscribe_to_all(start, 1, timedelta(seconds=10))

    assert next(subscription) == []
    assert clock.pauses[:6] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0]
    assert max(clock.pauses) == 1.0
    before = len(clock.pauses)
    assert next(subscription) == []
    assert clock.pauses[before : before + 9] == [1.0] * 9


def test_an_event_ends_the_back_off(given, subscriptions, clock, start):
    subscription = subscriptions.subscribe_to_all(start, 2, timedelta(seconds=5))
    assert next(subscription) == []
    given.stream(StreamId()).with_commits_of(1)
    clock.pauses.clear()

    assert positions(next(subscription)) == [start + 1]
    assert clock.pauses[0] == 0.05


def test_category_names_and_tenant(given, subscriptions, start):
    a, b = StreamId(category="A"), StreamId(category="B")
    given.stream(a).with_events(an_event(a, name="x"))
    given.stream(b).with_events(an_event(b, name="y"))
    given.in_tenant("acme").stream(a).with_events(an_event(a, name="y"))

    def seen(subscription):
        return [position - start for position in positions(next(subscription))]

    tenth = timedelta(seconds=0.1)
    assert seen(subscriptions.subscribe_to_all(start, 9, tenth)) == [1, 2, 3]
    assert seen(subscriptions.subscribe_to_category(start, 9, tenth, "A")) == [1, 3]
    assert seen(subscriptions.subscribe_to_events(start, 9, tenth, ["y"])) == [2, 3]
    assert seen(subscriptions.subscribe_to_all(start, 9, tenth, tenant_id="acme")) == [3]
    assert seen(subscriptions.subscribe_to_category(start, 9, tenth, "A", tenant_id="")) == [1]
    assert seen(subscriptions.subscribe_to_events(start, 9, tenth, ["x"], tenant_id="acme")) == []


def test_its_position_passes_what_is_not_selected(given, subscriptions, start):
    stream = StreamId(category="A")
    given.stream(stream).with_commits_of(1)
    given.stream(StreamId(category="B")).with_commits_of(5)
    subscription = subscriptions.subscribe_to_category(start, 1, SECOND, "A")

    assert positions(next(subscription)) == [start + 1]
    assert next(subscription) == []
    assert subscription.position == start + 6


class FailingLog(LogStrategy):
    """A log whose every second request fails."""

    def __init__(self, log):
        self._log = log

    @property
    def last_position(self):
        return self._log.last_position

    def tenants(self):
        raise NotImplementedError

    def categories(self, tenant_id):
        raise NotImplementedError

    def streams(self, category, tenant_id):
        raise NotImplementedError

    def reader(self, after, selection=EVERYTHING):
        return FailingReader(self._log.reader(after, selection))


class FailingReader(LogReader):
    def __init__(self, reader):
        self._reader = reader
        self._calls = 0

    @property
    def position(self):
        return self._reader.position

    def read(self):
        self._calls += 1
        if self._calls % 2 == 0:
            raise ThrottledError("Query", "Slow", "Too much.", "log")
        return self._reader.read()


def test_after_an_error_nothing_is_lost(given, backend, clock, start):
    subscriptions = LogSubscriptions(FailingLog(backend.log), monotonic=clock, sleep=clock.sleep)
    given.stream(StreamId()).with_commits_of(3)
    subscription = subscriptions.subscribe_to_all(start, 5, SECOND)
    with pytest.raises(ThrottledError):
        next(subscription)
    given.stream(StreamId()).with_commits_of(2)

    assert positions(next(subscription)) == [start + n for n in range(1, 6)]


@pytest.mark.parametrize("size", [0, -1, 1.0, True, None])
def test_no_size_of_a_batch(subscriptions, size):
    with pytest.raises(InvalidSubscriptionError, match="batch_size must be an integer"):
        subscriptions.subscribe_to_all(0, size, SECOND)


@pytest.mark.parametrize("limit", [timedelta(seconds=0.099), timedelta(0), -SECOND, 0.05, None])
def test_no_time_limit(subscriptions, limit):
    with pytest.raises(InvalidSubscriptionError, match=r"seconds, 0\.1 or more"):
        subscriptions.subscribe_to_all(0, 1, limit)


def test_no_category(subscriptions):
    with pytest.raises(InvalidSubscriptionError, match="category must be text, not 7"):
        subscriptions.subscribe_to_category(0, 1, SECOND, 7)


def test_no_position(subscriptions, start):
    with pytest.raises(InvalidPositionError):
        subscriptions.subscribe_to_all(-1, 1, SECOND)
    with pytest.raises(InvalidPositionError, match=f"the log ends at {start}"):
        subscriptions.subscribe_to_all(start + 1, 1, SECOND)


def test_of_a_backend_by_the_real_clock(when, backend, start):
    stream = StreamId()
    subscription = backend.subscriptions.subscribe_to_all(start, 1, timedelta(seconds=0.1))
    when.appending(an_event(stream), to=stream, expecting=ANY_VERSION)

    assert positions(next(subscription)) == [start + 1]
    assert next(subscription) == []
