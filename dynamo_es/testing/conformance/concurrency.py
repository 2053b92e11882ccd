"""Threads write at the same time: each version has one winner, and no event is lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError, ContentionError, StreamGapError
from dynamo_es.testing.conformance.engine import Capability, needs
from dynamo_es.testing.conformance.language import an_event, assert_same, events, numbered

pytestmark = [pytest.mark.concurrent, needs(Capability.CONCURRENCY)]

THREADS = 8


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


@pytest.fixture(params=["one process", "a process each"])
def storages(request, engine, world):
    """A storage for each thread: the same one, or one that shares only the data."""
    if request.param == "one process":
        return [engine.fresh_process(inline=world.inline).storage] * THREADS
    return [engine.fresh_process(inline=world.inline).storage for _ in range(THREADS)]


def race(work, *contestants):
    """Call ``work`` with each contestant in its own thread; return the results."""
    with ThreadPoolExecutor(len(contestants)) as pool:
        return [future.result() for future in [pool.submit(work, one) for one in contestants]]


def test_every_version_has_exactly_one_winner(engine, world, stream, storages):
    barrier = Barrier(THREADS)
    refusals = []

    def contest(storage):
        won = []
        for version in range(engine.races):
            barrier.wait(timeout=60)
            event = an_event(stream)
            try:
                storage.insert_events(stream, ExplicitVersioning(version), [event])
            except ConcurrentStreamWriteError as error:
                refusals.append((version, error))
            else:
                won.append((version, event))
        return won

    won = sorted((win for wins in race(contest, *storages) for win in wins), key=lambda win: win[0])

    assert [version for version, _ in won] == list(range(engine.races))
    assert len(refusals) == engine.races * (THREADS - 1)
    assert all(error.expected == version for version, error in refusals)
    assert all((error.actual or 0) > version for version, error in refusals)
    winners = [event for _, event in won]
    assert_same(engine.fresh_process().storage.fetch_events(stream), numbered(winners))


def test_commits_of_several_events_are_never_torn(engine, world, stream, storages):
    def contest(numbered_storage):
        number, storage = numbered_storage
        stored = []
        while len(stored) < engine.races // 10:
            version = len(storage.fetch_events(stream, 1))
            commit = events(stream, 1 + (number + version) % 3)
            try:
                storage.insert_events(stream, ExplicitVersioning(version), commit)
            except ConcurrentStreamWriteError:
                continue
            stored += [(version + index + 1, event) for index, event in enumerate(commit)]
        return stored

    stored = [win for wins in race(contest, *enumerate(storages)) for win in wins]

    stored.sort(key=lambda win: win[0])
    fetched = engine.fresh_process().storage.fetch_events(stream)
    assert_same(fetched, numbered([event for _, event in stored]))


@pytest.mark.parametrize("versioning", [ANY_VERSION, NO_VERSIONING], ids=str)
def test_every_append_at_the_head_is_stored_once(engine, world, stream, storages, versioning):
    def append(storage):
        commits = [events(stream, 1 + number % 3) for number in range(engine.races // 10)]
        for commit in commits:
            storage.insert_events(stream, versioning, commit)
        return commits

    commits = [commit for thread in race(append, *storages) for commit in thread]

    fetched = engine.fresh_process().storage.fetch_events(stream)
    uuids = [event.uuid for event in fetched]
    assert Counter(uuids) == Counter(event.uuid for commit in commits for event in commit)
    for commit in commits:
        first = uuids.index(commit[0].uuid)
        assert uuids[first : first + len(commit)] == [event.uuid for event in commit]
    expected = range(1, len(fetched) + 1) if versioning is ANY_VERSION else [None] * len(fetched)
    assert [event.version for event in fetched] == list(expected)


def test_same_events_from_every_thread_are_stored_once(engine, world, stream, storages):
    stored = []
    for _ in range(engine.races // 10):
        commit = events(stream, 2)
        version = ExplicitVersioning(len(stored))

        race(lambda storage: storage.insert_events(stream, version, commit), *storages)  # noqa: B023 - it ends before the next one begins

        stored += commit

    assert_same(engine.fresh_process().storage.fetch_events(stream), numbered(stored))


def test_readers_see_whole_prefixes_only(engine, world, stream, storages):
    appended = events(stream, engine.races)
    writer, *readers = storages

    def write():
        for version in range(0, len(appended), 5):
            commit = appended[version : version + 5]
            writer.insert_events(stream, ExplicitVersioning(version), commit)

    def read(storage):
        length = 0
        while length < len(appended):
            seen = storage.fetch_events(stream)
            assert len(seen) >= length
            assert len(seen) % 5 == 0 or len(seen) == len(appended)
            assert [event.uuid for event in seen] == [event.uuid for event in appended[: len(seen)]]
            length = len(seen)

    race(lambda task: task(), write, *(lambda reader=reader: read(reader) for reader in readers))


def test_streams_are_deleted_and_created_under_writers(engine, world, stream, storages):
    """Every append that succeeded after the last deletion is stored, complete and in order."""

    def live(numbered_storage):
        number, storage = numbered_storage
        for _ in range(engine.races // 10):
            if number == 0:
                storage.delete_stream(stream)
                continue
            try:
                version = len(storage.fetch_events(stream, 1))
            except StreamGapError:
                continue  # deletions interrupted both of its reads
            commit = [an_event(stream, data={"after": version}) for _ in range(1 + number % 2)]
            try:
                storage.insert_events(stream, ExplicitVersioning(version), commit)
            except (ConcurrentStreamWriteError, ContentionError):
                # Deletions used up its time, and nothing was written.
                continue

    race(live, *enumerate(storages))

    fresh = engine.fresh_process().storage
    survivors = fresh.fetch_events(stream)
    assert [event.version for event in survivors] == list(range(1, len(survivors) + 1))
    assert all(event.data["after"] < event.version for event in survivors)
    fresh.insert_events(stream, ExplicitVersioning(len(survivors)), [an_event(stream)])
    race(lambda storage: storage.delete_stream(stream), *storages)
    assert engine.fresh_process().storage.fetch_events(stream) == []
    fresh.insert_events(stream, ExplicitVersioning(0), [an_event(stream)])


@pytest.mark.inline
def test_every_append_takes_a_position_of_its_own(engine, world, storages):
    before = storages[0].current_position or 0
    appends = engine.races // 5

    def append(storage):
        for _ in range(appends):
            stream = StreamId()
            storage.insert_events(stream, ExplicitVersioning(0), [an_event(stream)])

    race(append, *storages)

    assert storages[0].current_position == before + THREADS * appends
