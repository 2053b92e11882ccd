"""Any sequence of calls gives the same results on DynamoDB and in memory.

Several processes share one table. Each remembers heads, which the others' writes make outdated.

One difference is allowed. A process may know a stream only from an earlier generation. Then
DynamoDB may refuse its append or drop its snapshot, even if the stream is at the same version
again. The store in memory does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    DynamoBackend,
    ExplicitVersioning,
    MemoryBackend,
    RawEvent,
    StorageStrategy,
    StreamId,
    Versioning,
)
from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.exceptions import (
    AppendAllConflictError,
    ConcurrentStreamWriteError,
    EventStoreError,
    ExpectedVersionUsedOnVersionlessStream,
)
from dynamo_es.testing.conformance.language import a_snapshot, assert_same, events, exactly

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es import StoredVersion

# `dynamo_es/testing/conformance/model.py` is its quick twin.
pytestmark = pytest.mark.ci

TENANTS: Final = ("", "acme", "acme#order")
STREAMS: Final = (
    StreamId(name="cart", category="order"),
    StreamId(from_hex="00000000-0000-0000-0000-000000000001", category="order"),
    StreamId(from_hex="00000000-0000-0000-0000-000000000001"),
)

processes = st.integers(0, 2)
places = st.tuples(st.sampled_from((0, 0, 0, 1, 2)), st.sampled_from((0, 0, 0, 1, 2)))
sizes = st.integers(1, 3)
# How far from the true version: mostly not at all.
offsets = st.sampled_from((0, 0, 0, 0, -3, -2, -1, 1, 2))
bounds = st.one_of(st.none(), st.integers(1, 9))


class StoreMachine(RuleBasedStateMachine):
    """Does every step on both, and compares what they say and what they keep."""

    @initialize()
    def begin(self) -> None:
        # A new table for each run: moto goes through all items of one for every query.
        self.dynamo = DynamoBackend.local(sequencing="stream")
        self.memory = MemoryBackend()
        self.processes = [self.new_process() for _ in range(3)]
        self.scoped: dict[tuple[int, int], StorageStrategy] = {}
        self.generations: dict[tuple[int, int], int] = {}
        self.seen: dict[tuple[int, tuple[int, int]], int] = {}

    def teardown(self) -> None:
        if hasattr(self, "dynamo"):
            self.dynamo.close()

    def new_process(self) -> DynamoBackend:
        return DynamoBackend(self.dynamo.config, self.dynamo.client)

    def on_dynamo(self, process: int, tenant: int) -> StorageStrategy:
        # A storage keeps its process's memory, whichever tenant it is scoped for.
        if (process, tenant) not in self.scoped:
            backend = self.processes[process].in_tenant(TENANTS[tenant])
            self.scoped[process, tenant] = backend.storage
        return self.scoped[process, tenant]

    def in_memory(self, tenant: int) -> StorageStrategy:
        return self.memory.in_tenant(TENANTS[tenant]).storage

    @rule(process=processes)
    def restart(self, process: int) -> None:
        self.processes[process] = self.new_process()
        self.scoped = {key: kept for key, kept in self.scoped.items() if key[0] != process}
        self.seen = {key: generation for key, generation in self.seen.items() if key[0] != process}

    @rule(process=processes, place=places, offset=offsets, size=sizes)
    def append_at_a_version(
        self, process: int, place: tuple[int, int], offset: int, size: int
    ) -> None:
        versioning = ExplicitVersioning(max(len(self.stored(place)) + offset, 0))
        self.append(process, place, versioning, events(STREAMS[place[1]], size))

    @rule(process=processes, place=places, offset=offsets, size=sizes)
    def append_the_same_again(
        self, process: int, place: tuple[int, int], offset: int, size: int
    ) -> None:
        stored = self.stored(place)
        first = max(len(stored) - size + offset, 0)
        again = stored[first:]
        if again and again[0].version is not None:
            self.append(process, place, ExplicitVersioning(first), again)

    @rule(
        process=processes,
        place=places,
        versioning=st.sampled_from((ANY_VERSION, ANY_VERSION, NO_VERSIONING)),
        size=sizes,
    )
    def append_at_the_head(
        self, process: int, place: tuple[int, int], versioning: Versioning, size: int
    ) -> None:
        self.append(process, place, versioning, events(STREAMS[place[1]], size))

    @rule(
        process=processes,
        tenant=st.integers(0, len(TENANTS) - 1),
        at=st.tuples(offsets, offsets, offsets),
        parts=st.permutations(range(len(STREAMS))),
        written=st.integers(1, len(STREAMS)),
        again=st.booleans(),
    )
    def append_to_several(
        self,
        process: int,
        tenant: int,
        at: tuple[int, ...],
        parts: list[int],
        written: int,
        again: bool,
    ) -> None:
        involved = [(tenant, number) for number in parts]
        versions = [
            ExplicitVersioning(max(len(self.stored(place)) + offset, 0))
            for place, offset in zip(involved, at, strict=True)
        ]
        of_each = list(zip([STREAMS[number] for number in parts], versions, strict=True))
        appends = [StreamAppend(s, version, events(s, 2)) for s, version in of_each[:written]]
        unchanged = [StreamCheck(s, version) for s, version in of_each[written:]]

        def insert(store: StorageStrategy) -> list[StoredVersion]:
            return store.insert_all(appends, unchanged=unchanged)

        for _ in range(1 + again):
            late = any(self.is_late(process, place) for place in involved)
            told = outcome(insert, self.on_dynamo(process, tenant))
            # The one difference: refused, though the versions may be right.
            if not (late and isinstance(told, ConcurrentStreamWriteError)):
                assert_alike_of_several(told, outcome(insert, self.in_memory(tenant)))
            for number, place in enumerate(involved):
                now = self.generations.get(place, 0)
                if number < written and not isinstance(told, Exception):
                    self.seen[process, place] = now
                else:  # It may have looked.
                    self.seen.setdefault((process, place), now)
        for place in involved:
            self.compare(place)

    @rule(process=processes, place=places, start=bounds, stop=bounds)
    def load(
        self, process: int, place: tuple[int, int], start: int | None, stop: int | None
    ) -> None:
        self.same(process, place, lambda store: store.fetch_events(STREAMS[place[1]], start, stop))

    @rule(process=processes, place=places, offset=offsets)
    def save_a_snapshot(self, process: int, place: tuple[int, int], offset: int) -> None:
        version = max(len(self.stored(place)) + offset, 1)
        snapshot = a_snapshot(STREAMS[place[1]], version)

        def save(store: StorageStrategy) -> None:
            store.save_snapshot(snapshot)

        if self.is_late(process, place):
            failed = outcome(save, self.on_dynamo(process, place[0]))
            if failed is not None:
                assert_alike(failed, outcome(save, self.in_memory(place[0])))
            elif snapshot.uuid in [one.uuid for one in self.loaded(place)]:
                save(self.in_memory(place[0]))
        else:
            # Who remembers the stream does not look.
            self.same(process, place, save, looks=(process, place) not in self.seen)
        self.compare(place)

    @rule(process=processes, place=places)
    def delete(self, process: int, place: tuple[int, int]) -> None:
        existed = bool(self.stored(place))
        self.same(process, place, lambda store: store.delete_stream(STREAMS[place[1]]))
        self.generations[place] = self.generations.get(place, 0) + existed
        self.seen[process, place] = self.generations[place]
        self.compare(place)

    @rule(process=processes, place=places, start=st.integers(-1, 0))
    def ask_for_a_wrong_range(self, process: int, place: tuple[int, int], start: int) -> None:
        self.same(
            process,
            place,
            lambda store: store.fetch_events(STREAMS[place[1]], start),
            looks=False,
        )

    def append(
        self,
        process: int,
        place: tuple[int, int],
        versioning: Versioning,
        appended: list[RawEvent],
    ) -> None:
        def insert(store: StorageStrategy) -> int | None:
            return store.insert_events(STREAMS[place[1]], versioning, appended)

        if self.is_late(process, place) and isinstance(versioning, ExplicitVersioning):
            told = outcome(insert, self.on_dynamo(process, place[0]))
            # The one difference: refused, though the version may be right.
            if not isinstance(told, ConcurrentStreamWriteError):
                assert_alike(told, outcome(insert, self.in_memory(place[0])))
            self.seen[process, place] = self.generations.get(place, 0)
        else:
            self.same(process, place, insert)
        self.compare(place)

    def same(
        self,
        process: int,
        place: tuple[int, int],
        action: Callable[[StorageStrategy], Any],
        *,
        looks: bool = True,
    ) -> None:
        """Do it on both; both return the same, or raise the same error."""
        told = outcome(action, self.on_dynamo(process, place[0]))
        assert_alike(told, outcome(action, self.in_memory(place[0])))
        if looks:
            self.seen[process, place] = self.generations.get(place, 0)

    def is_late(self, process: int, place: tuple[int, int]) -> bool:
        """Whether the process last looked in an earlier generation of the stream."""
        generation = self.generations.get(place, 0)
        return self.seen.get((process, place), generation) != generation

    def stored(self, place: tuple[int, int]) -> list[RawEvent]:
        return self.in_memory(place[0]).fetch_events(STREAMS[place[1]], 1)

    def loaded(self, place: tuple[int, int], start: int | None = None) -> list[RawEvent]:
        """Return what a process sees that remembers nothing."""
        cold = self.new_process().in_tenant(TENANTS[place[0]])
        return cold.storage.fetch_events(STREAMS[place[1]], start)

    def compare(self, place: tuple[int, int]) -> None:
        for start in (None, 1):
            in_memory = self.in_memory(place[0]).fetch_events(STREAMS[place[1]], start)
            assert_same(self.loaded(place, start), in_memory)


def outcome(action: Callable[[StorageStrategy], Any], store: StorageStrategy) -> Any:
    try:
        return action(store)
    except EventStoreError as error:
        return error


def assert_alike_of_several(here: Any, there: Any) -> None:
    mixed = ExpectedVersionUsedOnVersionlessStream
    if isinstance(here, mixed) or isinstance(there, mixed):
        # Streams are looked at in another order, and one may have moved besides.
        assert isinstance(here, EventStoreError)
        assert isinstance(there, EventStoreError)
    elif isinstance(here, AppendAllConflictError):
        # DynamoDB shows the streams that refused it, and at times not all of them.
        assert isinstance(there, AppendAllConflictError)
        assert there.conflicts.keys() >= here.conflicts.keys()
    elif isinstance(here, Exception) or isinstance(there, Exception):
        assert_alike(here, there)
    else:
        assert here == there
        assert [one.repeated for one in here] == [one.repeated for one in there]


def assert_alike(here: Any, there: Any) -> None:
    note(f"dynamo: {here!r}, memory: {there!r}")
    if isinstance(here, Exception) or isinstance(there, Exception):
        assert type(here) is type(there), f"{here!r} is not {there!r}"
        assert getattr(here, "expected", None) == getattr(there, "expected", None)
    elif not isinstance(there, list):
        assert here == there
    else:
        assert [exactly(event) for event in here] == [exactly(event) for event in there]


class TestStore(StoreMachine.TestCase):  # type: ignore[misc, valid-type]  # made by Hypothesis
    settings = settings(
        max_examples=15,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
