"""Several processes do random operations, and every result equals that of the store in memory."""

from dataclasses import dataclass, field

from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    ExplicitVersioning,
    MemoryBackend,
    StorageStrategy,
    StreamId,
)
from dynamo_es.exceptions import ConcurrentStreamWriteError, EventStoreError
from dynamo_es.testing.conformance.examples import SUITE
from dynamo_es.testing.conformance.language import World, a_snapshot, assert_same, events

PROCESSES = ["one", "two", "three"]
processes = st.sampled_from(PROCESSES)
sizes = st.integers(1, 4)
# The difference from the true version, which is mostly 0.
errors = st.sampled_from([0, 0, 0, 0, -3, -2, -1, 1, 2])
steps = st.one_of(
    st.tuples(st.just("append"), processes, errors, sizes),
    st.tuples(st.just("append"), processes, errors, sizes),
    st.tuples(st.just("append at the head"), processes, st.just(0), sizes),
    st.tuples(st.just("append without versions"), processes, st.just(0), sizes),
    st.tuples(st.just("append the last ones again"), processes, errors, sizes),
    st.tuples(st.just("load"), processes, st.integers(0, 6), sizes),
    st.tuples(st.just("save"), processes, errors, sizes),
    st.tuples(st.just("delete"), processes, st.just(0), sizes),
)


@dataclass
class History:
    """One stream, on the engine and in memory."""

    world: World
    stream: StreamId = field(default_factory=lambda: StreamId(category="Order"))
    memory: StorageStrategy = field(default_factory=lambda: MemoryBackend().storage)
    generation: int = 0
    known: dict[str, int] = field(default_factory=dict)

    def take(self, action: str, process: str, number: int, size: int):
        storage = self.world.storage(process, "")
        stored = self.memory.fetch_events(self.stream, 1)
        version = max(len(stored) + number, 0)
        late = self.known.get(process, self.generation) != self.generation
        match action:
            case "append":
                self.append(process, ExplicitVersioning(version), events(self.stream, size), late)
            case "append at the head":
                self.append(process, ANY_VERSION, events(self.stream, size), late)
            case "append without versions":
                self.append(process, NO_VERSIONING, events(self.stream, size), late)
            case "append the last ones again" if stored and stored[0].version is not None:
                first = max(len(stored) - size + number, 0)
                again = stored[first:]
                if again:
                    self.append(process, ExplicitVersioning(first), again, late)
            case "load":
                start = number or None
                self.same(lambda a_store: a_store.fetch_events(self.stream, start), storage)
                self.known[process] = self.generation
            case "save" if version and not late:
                snapshot = a_snapshot(self.stream, version)
                self.same(lambda a_store: a_store.save_snapshot(snapshot), storage)
                # A process reads the stream only if it does not know it yet.
                self.known.setdefault(process, self.generation)
            case "delete":
                self.same(lambda a_store: a_store.delete_stream(self.stream), storage)
                self.generation += bool(stored)
                self.known[process] = self.generation
        for start in (None, 1):
            reader = self.world.engine.fresh_process().storage
            assert_same(
                reader.fetch_events(self.stream, start),
                self.memory.fetch_events(self.stream, start),
            )

    def append(self, process, versioning, appended, late):
        storage = self.world.storage(process, "")

        def insert(a_store):
            a_store.insert_events(self.stream, versioning, appended)

        if late and isinstance(versioning, ExplicitVersioning):
            # It may be refused although the versions are equal, because the generation is another.
            try:
                insert(storage)
            except ConcurrentStreamWriteError:
                self.known[process] = self.generation
                return
            except EventStoreError as error:
                assert type(outcome(insert, self.memory)) is type(error)
            else:
                insert(self.memory)
        else:
            self.same(insert, storage)
        self.known[process] = self.generation

    def same(self, action, storage):
        """Run an action on both stores; assert that both have the same result or error."""
        here, there = outcome(action, storage), outcome(action, self.memory)
        if isinstance(there, Exception):
            assert type(here) is type(there), here
            assert getattr(here, "expected", None) == getattr(there, "expected", None)
        elif isinstance(there, list):
            assert_same(here, there)
        elif isinstance(here, Exception):
            raise here


def outcome(action, storage):
    try:
        return action(storage)
    except EventStoreError as error:
        return error


@settings(SUITE, max_examples=12)
@forall(history=st.lists(steps, min_size=5, max_size=25))
def test_every_history_has_the_outcomes_of_the_model(world, history):
    told = History(world)

    for action, process, number, size in history:
        told.take(action, process, number, size)
