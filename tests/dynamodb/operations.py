"""Every operation of a storage, with what is stored before and after: for tests with faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from dynamo_es import (
    ANY_VERSION,
    NO_VERSIONING,
    ExplicitVersioning,
    RawEvent,
    StorageStrategy,
    StreamId,
    Versioning,
)
from dynamo_es.contracts import StreamAppend, StreamCheck
from dynamo_es.testing.conformance.language import (
    a_snapshot,
    assert_same,
    events,
    heavy_events,
    numbered,
)


@dataclass
class Operation:
    """One operation on a stream of its own: what was before, what it does, what is then."""

    stream: StreamId = field(default_factory=lambda: StreamId(category="Order"))
    repeatable: ClassVar[bool] = True
    """Whether running it again is safe without a look: not without an expected version."""

    def __post_init__(self) -> None:
        self.before: list[RawEvent] = []
        self.appended: list[RawEvent] = []

    def prepare(self, storage: StorageStrategy) -> None:
        """Make what was before; the process that will run it may do so, and so be warm."""

    def run(self, storage: StorageStrategy) -> None:
        """Run it."""
        raise NotImplementedError

    def check(self, storage: StorageStrategy) -> None:
        """Assert what is stored when it has been run, once or more."""
        assert_same(storage.fetch_events(self.stream, 1), numbered(self.before + self.appended))

    def store(self, storage: StorageStrategy, *sizes: int) -> None:
        """Put commits of these sizes there."""
        for size in sizes:
            commit = events(self.stream, size)
            storage.insert_events(self.stream, ExplicitVersioning(len(self.before)), commit)
            self.before += commit


class FirstCommit(Operation):
    versioning: Versioning = ExplicitVersioning(0)

    def prepare(self, storage: StorageStrategy) -> None:
        self.appended = events(self.stream, 3)

    def run(self, storage: StorageStrategy) -> None:
        storage.insert_events(self.stream, self.versioning, self.appended)


class FirstCommitOnFences(FirstCommit):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2, 1)
        storage.delete_stream(self.stream)
        self.before.clear()
        super().prepare(storage)


class WarmAppend(FirstCommit):
    versioning: Versioning = ExplicitVersioning(3)

    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2)
        super().prepare(storage)


class ColdAppend(WarmAppend):
    def prepare(self, storage: StorageStrategy) -> None:
        super().prepare(storage)
        storage._heads.forget(next(iter(storage._heads._heads)))  # type: ignore[attr-defined]


class AppendAnywhere(WarmAppend):
    versioning = ANY_VERSION
    repeatable = False


class ColdAppendAnywhere(ColdAppend):
    versioning = ANY_VERSION
    repeatable = False


class VersionlessAppend(FirstCommit):
    versioning = NO_VERSIONING
    repeatable = False

    def prepare(self, storage: StorageStrategy) -> None:
        self.before = events(self.stream, 2)
        storage.insert_events(self.stream, NO_VERSIONING, self.before)
        super().prepare(storage)

    def check(self, storage: StorageStrategy) -> None:
        assert_same(storage.fetch_events(self.stream, 1), self.before + self.appended)


class SplitCommit(WarmAppend):
    def prepare(self, storage: StorageStrategy) -> None:
        super().prepare(storage)
        self.appended = heavy_events(self.stream, 4, 260_000)


class AppendsToMany(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2)
        new, again, unknown = (StreamId(category="Order") for _ in range(3))
        for stream in (again, unknown):
            storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))
        storage.delete_stream(again)
        storage._heads.forget(next(reversed(storage._heads._heads)))  # type: ignore[attr-defined]
        self.appended = events(self.stream, 2)
        streams = (self.stream, new, again, unknown, self.stream)
        commits = [self.appended[:1], *(events(s, 2) for s in streams[1:4]), self.appended[1:]]
        self.parts = [
            StreamAppend(stream, ExplicitVersioning(version), commit)
            for stream, version, commit in zip(streams, (3, 0, 0, 1, 4), commits, strict=True)
        ]

    def run(self, storage: StorageStrategy) -> None:
        storage.insert_many(self.parts)

    def check(self, storage: StorageStrategy) -> None:
        super().check(storage)
        for part in self.parts[1:4]:
            stored = storage.fetch_events(part.stream_id, 1)[-len(part.events) :]
            assert [event.uuid for event in stored] == [event.uuid for event in part.events]


class AppendToSeveral(Operation):
    """To a stream whose head is known, a new one and one that was deleted; others are checked."""

    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2)
        new, again, checked, deleted = (StreamId(category="Order") for _ in range(4))
        for stream in (again, checked, deleted):
            storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))
        for stream in (again, deleted):
            storage.delete_stream(stream)
        self.appended = events(self.stream, 2)
        self.parts = [
            StreamAppend(self.stream, ExplicitVersioning(3), self.appended),
            StreamAppend(new, ExplicitVersioning(0), events(new, 1)),
            StreamAppend(again, ExplicitVersioning(0), events(again, 2)),
        ]
        self.unchanged = [
            StreamCheck(checked, ExplicitVersioning(1)),
            StreamCheck(deleted, ExplicitVersioning(0)),
            StreamCheck(StreamId(), ExplicitVersioning(0)),
        ]

    def run(self, storage: StorageStrategy) -> None:
        storage.insert_all(self.parts, unchanged=self.unchanged)

    def check(self, storage: StorageStrategy) -> None:
        super().check(storage)
        for part in self.parts[1:]:
            assert_same(storage.fetch_events(part.stream_id, 1), numbered([*part.events]))


class ColdAppendToSeveral(AppendToSeveral):
    def prepare(self, storage: StorageStrategy) -> None:
        super().prepare(storage)
        storage._heads.clear()  # type: ignore[attr-defined]


class Snapshot(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 2, 1, 1)
        self.snapshot = a_snapshot(self.stream, 3)

    def run(self, storage: StorageStrategy) -> None:
        storage.save_snapshot(self.snapshot)

    def check(self, storage: StorageStrategy) -> None:
        super().check(storage)
        assert_same(storage.fetch_events(self.stream), [self.snapshot, numbered(self.before)[-1]])


class LoadOfSeveralPages(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, *[1] * 40)

    def run(self, storage: StorageStrategy) -> None:
        self.check(storage)


class BoundedRange(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, *[2] * 40)

    def run(self, storage: StorageStrategy) -> None:
        assert_same(storage.fetch_events(self.stream, 4, 9), numbered(self.before)[3:8])


class DeletionOfALongStream(Operation):
    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2, 1, 3, 1, 1)
        storage.save_snapshot(a_snapshot(self.stream, 4))

    def run(self, storage: StorageStrategy) -> None:
        storage.delete_stream(self.stream)

    def check(self, storage: StorageStrategy) -> None:
        assert storage.fetch_events(self.stream) == []
        assert storage.fetch_events(self.stream, 1) == []


OPERATIONS = [
    FirstCommit,
    FirstCommitOnFences,
    WarmAppend,
    ColdAppend,
    AppendAnywhere,
    ColdAppendAnywhere,
    VersionlessAppend,
    SplitCommit,
    AppendsToMany,
    AppendToSeveral,
    ColdAppendToSeveral,
    Snapshot,
    LoadOfSeveralPages,
    BoundedRange,
    DeletionOfALongStream,
]
