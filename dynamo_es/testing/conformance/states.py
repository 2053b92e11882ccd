"""A saved state belongs to one boundary, key and generation, and is deleted with the boundary."""

from dataclasses import replace

import pytest

from dynamo_es import StreamId
from dynamo_es.contracts.boundaries.states import Part
from dynamo_es.contracts.boundaries.strategy import BOUNDARY_CATEGORY, ConditionalAppend
from dynamo_es.exceptions import (
    BoundaryConflictError,
    CommitTooLargeError,
    InputError,
    InvalidEventError,
    InvalidStreamIdError,
    InvalidVersioningError,
)
from dynamo_es.testing.conformance.language import an_event, assert_same, heavy_events
from dynamo_es.values import Query, StoredVersion, Tag

COURSE, OTHER = Tag("course", "c1"), Tag("course", "c2")
ABOUT, ABOUT_OTHER = Query(tags=[COURSE]), Query(tags=[OTHER])
ENROLLED = Query(types=["Enrolled"])


@pytest.fixture
def boundary() -> StreamId:
    return StreamId(category=BOUNDARY_CATEGORY)


@pytest.fixture
def storage(world):
    return world.storage("first", "")


@pytest.fixture(params=["first", "cold"])
def process(request, world):
    """A process that saved every state, or one that has seen none."""
    return lambda: world.storage(request.param, "")


def append(storage, boundary, *tags, name="Enrolled"):
    event = an_event(boundary, name=name, context={"$tags": [tag.text for tag in tags]})
    [result] = storage.insert_unless(boundary, [ConditionalAppend([event])])
    assert isinstance(result, StoredVersion)
    return result


def a_state(boundary, version, data=None):
    """A state at a version that was read, so that its generation is known."""
    return an_event(
        boundary,
        name="Left",
        data={"left": 3} if data is None else data,
        version=int(version),
        generation=version.generation,
    )


def versions(matching):
    return [event.version for event in matching.events]


def test_a_saved_state_comes_back_as_it_was(storage, process, boundary):
    state = a_state(boundary, append(storage, boundary, COURSE))
    storage.save_state("a key", state)

    found = process().fetch_states(boundary, ["another", "a key"])

    assert found[0] is None
    assert_same([found[1]], [state])
    assert found[1].generation == state.generation


def test_each_key_has_its_own_state(storage, process, boundary):
    version = append(storage, boundary, COURSE)
    states = {
        key: a_state(boundary, version, {"key": key}) for key in ("a", "b", "ä" * 300, "c\n#")
    }
    for key, state in states.items():
        storage.save_state(key, state)

    assert_same(process().fetch_states(boundary, list(states)), list(states.values()))


def test_a_state_larger_than_an_item_is_refused(storage, boundary):
    version = append(storage, boundary, COURSE)
    [heavy] = heavy_events(boundary, 1, 800_000)

    with pytest.raises(CommitTooLargeError, match="keep less in it"):
        storage.save_state("key", a_state(boundary, version, heavy.data))

    assert storage.fetch_states(boundary, ["key"]) == [None]


def test_an_older_state_does_not_replace_a_newer_one(storage, process, boundary):
    first, second = append(storage, boundary, COURSE), append(storage, boundary, COURSE)
    newer = a_state(boundary, second, {"left": 2})
    storage.save_state("key", newer)

    storage.save_state("key", a_state(boundary, first, {"left": 1}))
    storage.save_state("key", a_state(boundary, second, {"left": 9}))

    assert_same(process().fetch_states(boundary, ["key"]), [newer])


def test_a_newer_state_replaces_an_older_one(storage, process, boundary):
    storage.save_state("key", a_state(boundary, append(storage, boundary, COURSE)))
    newer = a_state(boundary, append(storage, boundary, COURSE), {"left": 2})

    storage.save_state("key", newer)

    assert_same(storage.fetch_states(boundary, ["key"]), [newer])


def test_a_caller_may_change_what_it_gave_and_what_it_got(storage, boundary):
    data = {"left": [1]}
    storage.save_state("key", a_state(boundary, append(storage, boundary, COURSE), data))
    data["left"].append(2)
    [found] = storage.fetch_states(boundary, ["key"])
    found.data["left"].append(3)

    [again] = storage.fetch_states(boundary, ["key"])
    assert again.data == {"left": [1]}


def test_boundaries_and_tenants_have_states_of_their_own(world, storage, boundary):
    storage.save_state("key", a_state(boundary, append(storage, boundary, COURSE)))

    other = StreamId(category=BOUNDARY_CATEGORY)
    append(storage, other, COURSE)
    assert storage.fetch_states(other, ["key"]) == [None]
    assert world.storage("first", "acme").fetch_states(boundary, ["key"]) == [None]


def test_the_deletion_of_a_boundary_deletes_its_states(storage, process, boundary):
    version = append(storage, boundary, COURSE)
    for number in range(3):
        storage.save_state(f"key {number}", a_state(boundary, version))

    storage.delete_stream(boundary)

    keys = [f"key {number}" for number in range(3)]
    assert process().fetch_states(boundary, keys) == [None] * 3
    append(storage, boundary, COURSE)
    assert process().fetch_states(boundary, keys) == [None] * 3


def test_a_state_of_a_deleted_boundary_is_of_no_use_in_the_next_one(storage, process, boundary):
    late = a_state(boundary, append(storage, boundary, COURSE))
    storage.delete_stream(boundary)
    version = append(storage, boundary, COURSE)
    assert version == late.version

    process().save_state("key", late)

    [found] = process().fetch_states(boundary, ["key"])
    if found is not None:
        with pytest.raises(BoundaryConflictError):
            after = StoredVersion(found.version, found.generation)
            process().fetch_parts(boundary, [Part(ABOUT, after)])
    storage.save_state("key", state := a_state(boundary, version))
    assert_same(process().fetch_states(boundary, ["key"]), [state])


def test_states_are_no_events(storage, process, boundary):
    version = append(storage, boundary, COURSE)
    storage.save_state("key", a_state(boundary, version))

    assert [event.name for event in process().fetch_events(boundary)] == ["Enrolled"]
    assert process().head(boundary).length == 1
    assert append(process(), boundary, COURSE) == 2


def test_parts_begin_at_versions_of_their_own(storage, process, boundary):
    seen = [append(storage, boundary, tag) for tag in (COURSE, OTHER, COURSE, OTHER, COURSE)]

    found = process().fetch_parts(boundary, [Part(ABOUT, seen[2]), Part(ABOUT_OTHER, seen[1])])

    assert versions(found) == [4, 5]
    assert (found.head, found.head.generation) == (5, seen[0].generation)
    found = process().fetch_parts(boundary, [Part(ABOUT), Part(ABOUT_OTHER, seen[3])])
    assert versions(found) == [1, 3, 5]


def test_an_event_that_several_parts_want_comes_once(storage, process, boundary):
    for _ in range(3):
        append(storage, boundary, COURSE)

    found = process().fetch_parts(boundary, [Part(ABOUT), Part(ENROLLED, 1), Part(ENROLLED, 2)])

    assert versions(found) == [1, 2, 3]


def test_a_part_of_a_boundary_that_does_not_exist_has_no_events(process, boundary):
    found = process().fetch_parts(boundary, [Part(ABOUT), Part(ABOUT_OTHER, 0)])
    assert (found.events, found.head) == ((), 0)


@pytest.mark.parametrize("other", [Part(ABOUT_OTHER), Part(ENROLLED)])
def test_a_part_that_the_boundary_has_not_reached_is_refused(storage, process, boundary, other):
    version = append(storage, boundary, COURSE)
    for after in (2, StoredVersion(1, version.generation + 1)):
        for parts in ([Part(ABOUT, after), other], [other, Part(ABOUT, after)]):
            with pytest.raises(BoundaryConflictError):
                process().fetch_parts(boundary, parts)


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([], InputError),
        (None, InputError),
        ([ABOUT], InputError),
        ([Part("everything")], InputError),  # type: ignore[arg-type]
        ([Part(ABOUT, -1)], InvalidVersioningError),
    ],
)
def test_wrong_parts_are_refused(storage, boundary, parts, error):
    with pytest.raises(error):
        storage.fetch_parts(boundary, parts)


@pytest.mark.parametrize("keys", [None, "key", [""], [7], [None]])
def test_wrong_keys_are_refused(storage, boundary, keys):
    with pytest.raises(InputError):
        storage.fetch_states(boundary, keys)


def test_wrong_states_are_refused(storage, boundary):
    state = a_state(boundary, append(storage, boundary, COURSE))
    for wrong in (replace(state, version=None), replace(state, generation=None), "state"):
        with pytest.raises(InvalidEventError):
            storage.save_state("key", wrong)
    with pytest.raises(InputError):
        storage.save_state("", state)


def test_a_stream_that_is_no_boundary_has_no_states(storage, boundary):
    stream = StreamId(category="account")
    with pytest.raises(InvalidStreamIdError, match="is not a boundary"):
        storage.fetch_states(stream, ["key"])
    with pytest.raises(InvalidStreamIdError, match="is not a boundary"):
        storage.save_state("key", replace(an_event(stream, version=1), generation=1))
