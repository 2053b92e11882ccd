"""After a process dies between two requests, other processes can continue."""

from itertools import count

import pytest

from dynamo_es import ANY_VERSION, NO_VERSIONING, ExplicitVersioning, StreamId
from dynamo_es.exceptions import ConcurrentStreamWriteError
from dynamo_es.testing.conformance.engine import Capability, Crash, needs
from dynamo_es.testing.conformance.language import (
    an_event,
    assert_same,
    events,
    heavy_events,
    numbered,
)

pytestmark = needs(Capability.CRASHES)

# The sizes of the deleted stream's commits, and the version of its snapshot.
HISTORIES = {
    "single events, with a snapshot": ((1,) * 7, 5),
    "commits of several sizes": ((1, 3, 2, 1), None),
}
# Sizes of commits that differ from those above: shorter, as long, longer; and the creating process.
NEXT_GENERATIONS = [((2,), "fresh"), ((1, 1), "stale"), ((3, 1, 3), "stale"), ((5, 4), "fresh")]


@pytest.fixture
def stream() -> StreamId:
    return StreamId(category="Order")


class Deletion:
    """Makes streams whose deletion crashed, each time one request later."""

    def __init__(self, engine, given):
        self._engine = engine
        self._given = given

    def crash(self, stream, requests):
        """Delete a stream in a process that crashes; return whether it crashed."""
        with self._engine.crash_after(requests) as backend:
            try:
                backend.storage.delete_stream(stream)
            except Crash:
                return True
        return False

    def of(self, sizes, snapshot_version):
        """Yield each stream, its events, its snapshot and the requests before the crash.

        The last stream was deleted without a crash.
        """
        for requests in count():
            stream = StreamId(category="Order")
            stored = self._given.stream(stream).with_commits_of(*sizes)
            snapshot = None
            if snapshot_version is not None:
                snapshot = self._given.stream(stream).with_snapshot(snapshot_version)
            self._given.in_process("stale").stream(stream).loaded()
            crashed = self.crash(stream, requests)
            yield stream, stored, snapshot, requests
            if not crashed:
                return


@pytest.fixture
def deletion(engine, given):
    return Deletion(engine, given)


@pytest.fixture(
    params=[
        # In CI, crash at twice as many requests.
        pytest.param(history, id=name, marks=[pytest.mark.ci] if len(history[0]) > 4 else [])
        for name, history in HISTORIES.items()
    ]
)
def crashed(request, deletion):
    return deletion.of(*request.param)


def fresh(engine):
    return engine.fresh_process().storage


def create_again(storage, stream, sizes):
    """Append a next generation to a stream and return it, numbered."""
    stored = []
    for size in sizes:
        commit = events(stream, size)
        storage.insert_events(stream, ExplicitVersioning(len(stored)), commit)
        stored += commit
    return numbered(stored)


def test_a_delete_takes_more_than_one_request(crashed):
    requests = [requests for _, _, _, requests in crashed]

    assert requests == list(range(len(requests)))
    assert len(requests) > 4


def test_stream_is_there_as_a_whole_or_not_at_all(engine, crashed):
    seen = []
    for stream, stored, snapshot, _ in crashed:
        whole = stored if snapshot is None else [snapshot, *stored[snapshot.version :]]
        loaded = fresh(engine).fetch_events(stream)
        replayed = fresh(engine).fetch_events(stream, 1)
        part = fresh(engine).fetch_events(stream, 2, 4)

        there = bool(replayed)
        seen.append(there)
        # The snapshot may be deleted before the events, but the stream must not change otherwise.
        if loaded and loaded[0].version != whole[0].version:
            whole = stored
        assert_same(loaded, whole if there else [])
        assert_same(replayed, stored if there else [])
        assert_same(part, stored[1:3] if there else [])
    # A deleted stream stays deleted: the deletion takes effect at one request.
    assert seen == sorted(seen, reverse=True)
    assert seen[0]
    assert not seen[-1]


def test_stale_append_is_refused_or_lands_after_the_last_event(engine, given, crashed):
    stale = given.in_process("stale").storage
    landed = []
    for stream, stored, _, _ in crashed:
        event = an_event(stream)
        try:
            stale.insert_events(stream, ExplicitVersioning(len(stored)), [event])
        except ConcurrentStreamWriteError:
            landed.append(False)
            assert fresh(engine).fetch_events(stream, 1) == []
        else:
            landed.append(True)
            assert_same(fresh(engine).fetch_events(stream, 1), numbered([*stored, event]))
    assert landed == sorted(landed, reverse=True)
    assert not landed[-1]


@pytest.mark.parametrize("stale_by", [1, 2, 4])
def test_append_that_is_stale_by_more_is_refused(engine, crashed, stale_by):
    for stream, stored, _, _ in crashed:
        before = fresh(engine).fetch_events(stream, 1)
        expected = len(stored) - stale_by

        with pytest.raises(ConcurrentStreamWriteError):
            fresh(engine).insert_events(stream, ExplicitVersioning(expected), [an_event(stream)])

        assert_same(fresh(engine).fetch_events(stream, 1), before)


def test_delete_again_finishes(engine, crashed):
    for stream, _, _, _ in crashed:
        fresh(engine).delete_stream(stream)

        assert fresh(engine).fetch_events(stream) == fresh(engine).fetch_events(stream, 1) == []
        fresh(engine).delete_stream(stream)
        stored = create_again(fresh(engine), stream, (2, 3))
        assert_same(fresh(engine).fetch_events(stream), stored)


@pytest.mark.parametrize(("sizes", "process"), NEXT_GENERATIONS, ids=str)
def test_creation_right_after_the_crash(engine, given, crashed, sizes, process):
    for stream, _, _, _ in crashed:
        storage = given.in_process("stale").storage if process == "stale" else fresh(engine)
        if fresh(engine).fetch_events(stream, 1):
            # It crashed before the deletion took effect.
            with pytest.raises(ConcurrentStreamWriteError):
                storage.insert_events(stream, ExplicitVersioning(0), events(stream, sizes[0]))
            continue

        stored = create_again(storage, stream, sizes)

        for reader in (storage, fresh(engine)):
            assert_same(reader.fetch_events(stream), stored)
            assert_same(reader.fetch_events(stream, 1), stored)
            assert_same(reader.fetch_events(stream, 2, 4), stored[1:3])
        fresh(engine).delete_stream(stream)
        assert fresh(engine).fetch_events(stream) == []
        again = create_again(fresh(engine), stream, (1, 2))
        assert_same(fresh(engine).fetch_events(stream, 1), again)


@pytest.mark.parametrize("versioning", [ANY_VERSION, NO_VERSIONING], ids=str)
def test_creation_without_an_expected_version(engine, crashed, versioning):
    for stream, stored, _, _ in crashed:
        if fresh(engine).fetch_events(stream, 1):
            continue
        first, second = events(stream, 1), events(stream, len(stored) + 1)

        fresh(engine).insert_events(stream, versioning, first)
        fresh(engine).insert_events(stream, versioning, second)

        expected = [*first, *second]
        if versioning is ANY_VERSION:
            expected = numbered(expected)
        assert_same(fresh(engine).fetch_events(stream), expected)


def test_late_writer_of_the_deleted_generation_is_refused_in_the_next(engine, given, crashed):
    stale = given.in_process("stale").storage
    for stream, stored, _, _ in crashed:
        if fresh(engine).fetch_events(stream, 1):
            continue
        lived = create_again(fresh(engine), stream, (len(stored),))

        with pytest.raises(ConcurrentStreamWriteError):
            stale.insert_events(stream, ExplicitVersioning(len(stored)), [an_event(stream)])

        assert_same(fresh(engine).fetch_events(stream), lived)


def test_second_deleter_dies_too(engine, deletion, crashed):
    for stream, _, _, requests in crashed:
        for again in range(requests % 4, 12, 4):
            deletion.crash(stream, again)
            replayed = fresh(engine).fetch_events(stream, 1)
            assert len(replayed) in (0, 7)

        fresh(engine).delete_stream(stream)
        stored = create_again(fresh(engine), stream, (2, 2))
        assert_same(fresh(engine).fetch_events(stream), stored)


def test_creator_that_cleans_up_dies_too(engine, crashed):
    for stream, _, _, _ in crashed:
        if fresh(engine).fetch_events(stream, 1):
            continue
        commit = events(stream, 2)
        for requests in count():
            with engine.crash_after(requests) as backend:
                try:
                    backend.storage.insert_events(stream, ExplicitVersioning(0), commit)
                except Crash:
                    pass
                else:
                    break
            seen = fresh(engine).fetch_events(stream, 1)
            assert seen in ([], numbered(commit))

        assert_same(fresh(engine).fetch_events(stream), numbered(commit))
        fresh(engine).insert_events(stream, ExplicitVersioning(2), events(stream, 6))
        assert len(fresh(engine).fetch_events(stream)) == 8


def test_delete_of_the_next_generation_dies(engine, deletion, crashed):
    for stream, _, _, requests in crashed:
        if fresh(engine).fetch_events(stream, 1):
            continue
        stored = create_again(fresh(engine), stream, (2, 1, 1))

        deletion.crash(stream, requests % 6)

        replayed = fresh(engine).fetch_events(stream, 1)
        if replayed:
            assert_same(replayed, stored)
            fresh(engine).delete_stream(stream)
        again = create_again(fresh(engine), stream, (1, 5))
        assert_same(fresh(engine).fetch_events(stream), again)


@needs(Capability.LARGE)
def test_append_of_several_items_is_stored_as_a_whole_or_not_at_all(engine, given):
    seen = []
    for requests in count():
        stream = StreamId(category="Order")
        stored = given.stream(stream).with_commits_of(2)
        commit = heavy_events(stream, 3, 300_000)
        crashed = False
        with engine.crash_after(requests) as backend:
            try:
                backend.storage.insert_events(stream, ExplicitVersioning(2), commit)
            except Crash:
                crashed = True
        whole = numbered([*stored, *commit])
        loaded = fresh(engine).fetch_events(stream)
        seen.append(len(loaded) == len(whole))
        assert_same(loaded, whole if seen[-1] else stored)

        fresh(engine).insert_events(stream, ExplicitVersioning(2), commit)
        assert_same(fresh(engine).fetch_events(stream), whole)
        fresh(engine).delete_stream(stream)
        assert fresh(engine).fetch_events(stream) == []
        next_generation = create_again(fresh(engine), stream, (1, 1))
        assert_same(fresh(engine).fetch_events(stream), next_generation)
        if not crashed:
            break
    assert seen == sorted(seen)
    assert not seen[0]
    assert seen[-1]
