"""A boundary decides again after a conflict, and each command once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from uuid import uuid4

import pytest

from dynamo_es import (
    Boundary,
    Context,
    Decision,
    DecisionModel,
    Event,
    EventRegistry,
    MemoryBackend,
    Query,
    Tag,
)
from dynamo_es.event_store.encryption.service import Encryption
from dynamo_es.event_store.serde import Serde
from dynamo_es.exceptions import (
    AppendOutcomeUnknownError,
    BoundaryConflictError,
    DecisionDefinitionError,
    InputError,
    InvalidStreamIdError,
)
from dynamo_es.memory import MemoryKeyStorage, MemoryStorage
from tests.boundaries.courses import (
    CourseDefined,
    CoursesOf,
    Define,
    Definition,
    Refused,
    Subscribe,
    Subscribed,
    Subscription,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Racing(Subscription):
    """Another process is faster, as many times as it says."""

    others: ClassVar[list[Callable[[], object]]] = []

    def decide(self):
        if self.others:
            self.others.pop(0)()
        return super().decide()


class Counter(DecisionModel):
    def __init__(self, query: Query) -> None:
        self.query = query
        self.seen: list[Any] = []

    def __apply__(self, event: Event) -> None:
        self.seen.append(event)


@pytest.fixture
def course(boundary):
    boundary.decide(Definition, Define("c1", 3))


def test_after_a_conflict_the_decision_is_made_on_the_new_events(boundary, process, course):
    Racing.others = [lambda: process().decide(Subscription, Subscribe("s2", "c1"))]

    decided = boundary.decide(Racing, Subscribe("s1", "c1"))

    assert (decided.version, decided.repeated) == (3, False)
    assert boundary.read(Query(types=[Subscribed])).events[-1].event.student == "s1"


def test_the_last_place_goes_to_one(boundary, process, course):
    def another(student):
        return lambda: process().decide(Subscription, Subscribe(student, "c1"))

    Racing.others = [another(student) for student in ("s2", "s3", "s4")]

    with pytest.raises(Refused, match="fully booked"):
        boundary.decide(Racing, Subscribe("s1", "c1"))
    assert len(boundary.read(Query(types=[Subscribed])).events) == 3


def test_what_no_model_depends_on_is_no_conflict(boundary, process, course):
    process().decide(Definition, Define("c2", 3))
    calls = []
    Racing.others = [
        lambda: calls.append(process().decide(Subscription, Subscribe("s2", "c2"))),
        lambda: calls.append("decided again"),
    ]

    boundary.decide(Racing, Subscribe("s1", "c1"))

    assert len(calls) == 1


def test_attempts_are_limited(boundary, process, course):
    Racing.others = [lambda: process().append(Subscribed(student="s1", course="c9"))] * 3

    with pytest.raises(BoundaryConflictError):
        boundary.decide(Racing, Subscribe("s1", "c1"), attempts=2)


def test_a_boundary_that_is_deleted_is_decided_on_anew(boundary, engine, course):
    backend = engine.fresh_process()

    def deleted():
        backend.event_store.delete_stream(boundary.stream_id)
        backend.event_store.append(
            CourseDefined(course="c1", capacity=1), stream_id=boundary.stream_id
        )

    Racing.others = [deleted]

    decided = boundary.decide(Racing, Subscribe("s1", "c1"))

    assert decided.version == 2
    with pytest.raises(Refused, match="fully booked"):
        boundary.decide(Subscription, Subscribe("s2", "c1"))


def test_each_model_gets_its_own_events_in_order(boundary):
    class Two(Decision):
        def __init__(self, _: None) -> None:
            self.of_student = self.use(Counter(Query(tags=[Tag("student", "s1")])))
            self.of_course = self.use(Counter(Query(tags=[Tag("course", "c1")])))

        def decide(self):
            return None

    boundary.append(CourseDefined(course="c1", capacity=1), Subscribed(student="s1", course="c1"))
    boundary.append(Subscribed(student="s1", course="c2"), Subscribed(student="s2", course="c2"))
    made: list[Any] = []

    def make(command):
        made.append(Two(command))
        return made[0]

    decided = boundary.decide(make, None)

    assert (decided.events, decided.version) == ((), 4)
    assert [event.course for event in made[0].of_student.seen] == ["c1", "c2"]
    assert [type(event) for event in made[0].of_course.seen] == [CourseDefined, Subscribed]


class TestCommands:
    @pytest.mark.parametrize("command_id", ["enrol 1", uuid4()])
    def test_delivered_twice_is_stored_once(self, boundary, process, course, command_id):
        first = boundary.decide(Subscription, Subscribe("s1", "c1"), command_id=command_id)
        again = process().decide(Subscription, Subscribe("s1", "c1"), command_id=command_id)

        assert (again.events, again.version, again.repeated) == (first.events, 2, True)
        assert again.version.generation == first.version.generation
        assert boundary.read(Query.everything()).head == 2

    def test_the_first_outcome_returns_whatever_came_since(self, boundary, process, course):
        first = boundary.decide(Subscription, Subscribe("s1", "c1"), command_id="x")
        for student in ("s2", "s3"):
            boundary.decide(Subscription, Subscribe(student, "c1"))

        again = process().decide(Subscription, Subscribe("s1", "c1"), command_id="x")

        assert again.events == first.events

    def test_events_that_no_model_reads_are_recognized_too(self, boundary, process):
        class Aside(Decision):
            def __init__(self, student: str) -> None:
                self.use(CoursesOf(student))

            def decide(self):
                return [CourseDefined(course=f"new {uuid4()}", capacity=1)] * 2

        first = boundary.decide(Aside, "s1", command_id="x")
        again = process().decide(Aside, "s1", command_id="x")

        assert (again.events, again.version, again.repeated) == (first.events, 2, True)

    def test_two_deliveries_at_the_same_time(self, boundary, process, course):
        first = []
        Racing.others = [
            lambda: first.append(
                process().decide(Subscription, Subscribe("s1", "c1"), command_id="x")
            )
        ]

        decided = boundary.decide(Racing, Subscribe("s1", "c1"), command_id="x")

        assert decided.repeated
        assert (decided.events, decided.version) == (first[0].events, first[0].version)

    def test_another_command_is_another(self, boundary, course):
        boundary.decide(Subscription, Subscribe("s1", "c1"), command_id="x")

        assert not boundary.decide(Subscription, Subscribe("s2", "c1"), command_id="y").repeated

    def test_a_refused_command_is_decided_again(self, boundary):
        for _ in range(2):
            with pytest.raises(Refused):
                boundary.decide(Subscription, Subscribe("s1", "c1"), command_id="x")

    @pytest.mark.parametrize("wrong", ["", 5])
    def test_wrong_ids_are_refused(self, boundary, wrong):
        with pytest.raises(InputError, match="command_id"):
            boundary.decide(Subscription, Subscribe("s1", "c1"), command_id=wrong)


class LosesReplies(MemoryStorage):
    """A storage whose first appends are stored, but not answered."""

    def __init__(self, times):
        super().__init__()
        self._times = times

    def insert_unless(self, stream_id, appends):
        results = super().insert_unless(stream_id, appends)
        if self._times:
            self._times -= 1
            return [AppendOutcomeUnknownError(stream_id, 0, "lost.")]
        return results


@pytest.mark.parametrize("times", [1, 3])
def test_after_a_lost_answer_the_same_events_are_appended_again(times):
    storage = LosesReplies(times)
    serde = Serde(EventRegistry(), Encryption(MemoryKeyStorage()))
    boundary = Boundary(storage, serde, "courses", sleep=lambda _: None)

    decided = boundary.decide(Definition, Define("c1"), context=Context(user="ann"))

    assert (decided.version, decided.repeated) == (1, False)
    [stored] = boundary.read(Query.everything()).events
    assert stored.context.model_dump()["user"] == "ann"


def test_lost_answers_end_with_the_attempts():
    storage = LosesReplies(9)
    serde = Serde(EventRegistry(), Encryption(MemoryKeyStorage()))
    boundary = Boundary(storage, serde, "courses", sleep=lambda _: None)

    with pytest.raises(AppendOutcomeUnknownError):
        boundary.decide(Definition, Define("c1"), attempts=3)


class TestWrongDecisions:
    def test_without_models(self, boundary):
        class Careless(Decision):
            def __init__(self, command: object) -> None: ...

            def decide(self):
                return None

        with pytest.raises(InputError, match="uses no model"):
            boundary.decide(Careless, None)

    def test_model_without_query(self, boundary):
        class Blind(DecisionModel):
            def __apply__(self, event: Event) -> None: ...

        class Careless(Decision):
            def __init__(self, command: object) -> None:
                self.use(Blind())

            def decide(self):
                return None

        with pytest.raises(InputError, match=r"Blind\.query must be a Query"):
            boundary.decide(Careless, None)

    def test_that_return_something_else(self, boundary):
        class Careless(Decision):
            def __init__(self, command: object) -> None:
                self.use(CoursesOf("s1"))

            def decide(self):
                return "an event"

        with pytest.raises(InputError, match="must be an Event, not str"):
            boundary.decide(Careless, None)

    def test_that_make_no_decision(self, boundary):
        with pytest.raises(InputError, match="must be a Decision"):
            boundary.decide(lambda command: command, None)

    def test_asynchronous_ones_are_refused_where_they_are_defined(self):
        with pytest.raises(DecisionDefinitionError, match="asynchronous"):

            class Later(Decision):
                async def decide(self): ...  # type: ignore[override]

        with pytest.raises(DecisionDefinitionError, match="asynchronous"):

            class Slow(DecisionModel):
                async def __apply__(self, event): ...  # type: ignore[override]

    @pytest.mark.parametrize("wrong", ["", 5, None])
    def test_names_that_are_none(self, wrong):
        with pytest.raises(InvalidStreamIdError, match="name"):
            MemoryBackend().boundary(wrong)


def test_tenants_do_not_see_each_other(engine, name):
    backend = engine.fresh_process()
    one, another = (backend.in_tenant(tenant).boundary(name) for tenant in ("one", "another"))
    one.decide(Definition, Define("c1"))

    assert another.read(Query.everything()).head == 0
    another.decide(Definition, Define("c1"))


def test_subclasses_and_earlier_names_count_as_the_type():
    class Moved(Event):
        __event_name__ = "test.moved"
        __event_aliases__: ClassVar[tuple[str, ...]] = ("test.moved.before",)

        course: Annotated[str, Tag("course")]

    class FarMoved(Moved):
        __event_name__ = "test.moved.far"
        __event_aliases__: ClassVar[tuple[str, ...]] = ()

    boundary = MemoryBackend().boundary("courses")
    boundary.append(FarMoved(course="c1"), Moved(course="c1"))
    with pytest.raises(BoundaryConflictError) as caught:
        boundary.append(Moved(course="c1"), fail_if=Query(types=[Moved]))

    assert [event.name for event in caught.value.matching] == ["test.moved.far", "test.moved"]
    [item] = caught.value.query.items
    assert item.types == {"test.moved", "test.moved.before", "test.moved.far"}


@pytest.mark.parametrize("asked", ["test.renamed", "test.renamed.before"])
def test_a_type_that_was_renamed_is_found_by_each_of_its_names(engine, name, asked):
    class Renamed(Event):
        __event_name__ = "test.renamed.before"

        course: Annotated[str, Tag("course")]

    boundary = engine.fresh_process().boundary(name)
    boundary.append(Renamed(course="c1"))
    Renamed.__event_name__, Renamed.__event_aliases__ = "test.renamed", ("test.renamed.before",)
    boundary = engine.fresh_process().boundary(name)
    boundary.append(Renamed(course="c1"))

    found = boundary.read(Query(types=[asked], tags=[Tag("course", "c1")]))
    assert [wrapped.event for wrapped in found.events] == [Renamed(course="c1")] * 2
    with pytest.raises(BoundaryConflictError):
        boundary.append(Renamed(course="c1"), fail_if=Query(types=[asked]), after=1)


def test_event_itself_is_any_type_also_of_other_releases(engine, name):
    boundary = engine.fresh_process().boundary(name)

    class Gone(Event):
        __event_name__ = "test.gone"

        course: Annotated[str, Tag("course")]

    boundary.append(Gone(course="c1"))
    Gone.__event_name__ = "test.gone.renamed"  # this process has no class of the stored name now
    fresh = engine.fresh_process().boundary(name)
    about = Query(types=[Event], tags=[Tag("course", "c1")])

    [found] = fresh.read(about, keep_unknown=True).events
    assert found.event.name == "test.gone"
    with pytest.raises(BoundaryConflictError):
        fresh.append(CourseDefined(course="c1", capacity=1), fail_if=about)
