"""Operations on boundaries, for tests with faults."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dynamo_es.contracts.boundaries.strategy import ConditionalAppend
from dynamo_es.testing.conformance.language import events
from dynamo_es.values import Query, Tag
from tests.dynamodb.operations import Operation

if TYPE_CHECKING:
    from dynamo_es import StorageStrategy


class BoundaryAppend(Operation):
    """Under a condition, to a boundary that others have written to since it was read."""

    others = 0
    warm = True

    def prepare(self, storage: StorageStrategy) -> None:
        self.store(storage, 1, 2)
        self.query = Query(tags=[Tag("course", "c1")])
        self.after = storage.fetch_matching(self.stream, self.query).head
        self.appended = [
            replace(event, context={"$tags": ["course:c1"]}) for event in events(self.stream, 2)
        ]
        if not self.warm:
            storage._heads.clear()  # type: ignore[attr-defined]
        if self.others:
            seen = storage._heads.recall(next(iter(storage._heads._heads)))  # type: ignore[attr-defined]
            key = next(iter(storage._heads._heads))  # type: ignore[attr-defined]
            self.store(storage, *[1] * self.others)
            storage._heads.clear()  # type: ignore[attr-defined]
            storage._heads.remember(key, seen.head)  # type: ignore[attr-defined]

    def run(self, storage: StorageStrategy) -> None:
        [result] = storage.insert_unless(
            self.stream, [ConditionalAppend(self.appended, self.query, self.after)]
        )
        if isinstance(result, Exception):
            raise result


class ColdBoundaryAppend(BoundaryAppend):
    warm = False


class BoundaryAppendAfterThree(BoundaryAppend):
    others = 3


class FirstBoundaryAppend(BoundaryAppend):
    def prepare(self, storage: StorageStrategy) -> None:
        self.query = Query.everything()
        self.after = storage.fetch_matching(self.stream, self.query).head
        self.appended = events(self.stream, 2)


class BoundaryAppendsTogether(BoundaryAppend):
    others = 1

    def run(self, storage: StorageStrategy) -> None:
        results = storage.insert_unless(
            self.stream,
            [
                ConditionalAppend(self.appended[:1], self.query, self.after),
                ConditionalAppend(self.appended[1:], Query(tags=[Tag("x", 1)]), self.after),
            ],
        )
        for result in results:
            if isinstance(result, Exception):
                raise result


BOUNDARY_OPERATIONS: Final = [
    ColdBoundaryAppend,
    BoundaryAppendAfterThree,
    FirstBoundaryAppend,
    BoundaryAppendsTogether,
]
