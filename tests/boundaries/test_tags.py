"""Tags of events, and queries over types and tags."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, ClassVar, Literal, cast
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dynamo_es import Encrypted, Event, MemoryBackend, Query, StreamId, Tag, WrappedEvent
from dynamo_es.exceptions import EventDefinitionError, InputError, InvalidEventError
from dynamo_es.testing.conformance.language import an_event
from dynamo_es.values import QueryItem, matches, matches_event, tags_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAME = TEXT.filter(lambda text: text[:1] not in {"", "$"})


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Shape(Enum):
    ROUND = UUID(int=7)
    NONE = None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("c1", "course:c1"),
        ("", "course:"),
        ("a:b%3A", "course:a:b%3A"),
        (-5, "course:-5"),
        (UUID(int=1), "course:00000000-0000-0000-0000-000000000001"),
        (date(2026, 1, 31), "course:2026-01-31"),
        (Colour.RED, "course:red"),
        (Level.HIGH, "course:3"),
        (Shape.ROUND, "course:00000000-0000-0000-0000-000000000007"),
        (StreamId(UUID(int=1)), "course:00000000-0000-0000-0000-000000000001"),
    ],
)
def test_values_have_one_text(value, text):
    assert Tag("course", value).text == text
    assert Tag.of_text(text) == Tag("course", value)


def test_text_that_shows_itself_as_another_text_keeps_its_own():
    class Code(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "a code"

    assert Tag("course", Code("c1")) == Tag("course", "c1")


@pytest.mark.parametrize(
    "wrong", [True, 1.5, b"x", datetime(2026, 1, 1, tzinfo=UTC), Shape.NONE, [], "\ud800"]
)
def test_other_values_are_refused(wrong):
    with pytest.raises(InputError, match="tag"):
        Tag("course", wrong)


@pytest.mark.parametrize("wrong", ["", None, 5, "\ud800"])
def test_names_are_text(wrong):
    with pytest.raises(InputError, match="name of a tag"):
        Tag(wrong, "x")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Tag("$x"),
        lambda: Tag("$command", "1"),
        lambda: Tag.of_text("$command:1"),
        lambda: replace(Tag("x", "1"), name="$x"),
    ],
)
def test_names_of_the_library_are_refused(make):
    with pytest.raises(
        InputError, match=r"must not begin with \$, as '\$\w+' does: such names are"
    ):
        make()


@given(st.lists(st.tuples(NAME, TEXT), min_size=2, max_size=2, unique=True))
def test_no_two_tags_share_a_text(pairs):
    one, other = (Tag(*pair) for pair in pairs)

    assert one.text != other.text
    assert Tag.of_text(one.text) == one


def test_tags_and_queries_are_values():
    query = Query(types=["A"], tags=[Tag("x", 1)]) | Query(types=["B"])

    for same in (copy.deepcopy(query), pickle.loads(pickle.dumps(query))):  # noqa: S301
        assert same == query
        assert hash(same) == hash(query)
    assert query | Query(types=["B"]) == query


@pytest.mark.parametrize(
    ("query", "matching"),
    [
        (Query(types=["A"]), {"a", "ax", "axy"}),
        (Query(types=["A", "B"]), {"a", "ax", "axy", "bx"}),
        (Query(tags=[Tag("x", 1)]), {"ax", "axy", "bx"}),
        (Query(tags=[Tag("x", 1), Tag("y", 1)]), {"axy"}),
        (Query(types=["B"], tags=[Tag("x", 1)]), {"bx"}),
        (Query(types=["B"], tags=[Tag("y", 1)]), set()),
        (Query(types=["B"]) | Query(tags=[Tag("y", 1)]), {"bx", "axy"}),
        (Query.everything(), {"a", "ax", "axy", "bx"}),
    ],
)
def test_an_item_needs_one_of_its_types_and_all_of_its_tags(query, matching):
    named = {"a": ("A", ()), "ax": ("A", "x"), "axy": ("A", "xy"), "bx": ("B", "x")}
    stored = {
        label: (name, frozenset(Tag(tag, 1).text for tag in tags))
        for label, (name, tags) in named.items()
    }

    assert {label for label, (name, tags) in stored.items() if matches(query, name, tags)} == (
        matching
    )
    for label, (name, tags) in stored.items():
        event = an_event(StreamId(), name=name, context={"$tags": sorted(tags)})
        assert matches_event(query, event) is (label in matching)


@pytest.mark.parametrize("count", [1, 8, 9, 100])
def test_each_of_an_events_tags_matches_however_many_there_are(count):
    tags = [Tag("t", str(at)) for at in range(count)]
    event = an_event(StreamId(), context={"$tags": [tag.text for tag in tags]})

    assert all(matches_event(Query(tags=[tag]), event) for tag in tags)
    assert matches_event(Query(tags=tags), event)
    assert not matches_event(Query(tags=[*tags, Tag("t", "other")]), event)


@given(st.data())
def test_a_query_of_many_alternatives_matches_what_one_of_them_matches(data):
    names, tags = st.sampled_from("AB"), st.sampled_from([Tag("x", n) for n in range(4)])
    item = st.builds(
        QueryItem, st.frozensets(names, max_size=1), st.frozensets(tags, min_size=1, max_size=2)
    )
    some = data.draw(st.lists(item, min_size=9, max_size=14, unique=True))
    if data.draw(st.booleans()):
        some.append(QueryItem(frozenset({"C"}), frozenset()))
    own = data.draw(st.frozensets(tags))
    name = data.draw(st.sampled_from("ABC"))
    event = an_event(StreamId(), name=name, context={"$tags": [tag.text for tag in own]})

    wanted = any(matches_event(Query.of_items([one]), event) for one in some)
    query = Query.of_items(some)
    assert matches_event(query, event) is wanted
    assert matches(query, name, tags_of(event)) is wanted
    assert pickle.loads(pickle.dumps(query)) == query == Query.of_items(some)  # noqa: S301


@pytest.mark.parametrize("stored", [None, "course:c1", {"a": 1}, [1, None]])
def test_what_this_library_did_not_store_is_no_tag(stored):
    assert tags_of(an_event(StreamId(), context={"$tags": stored})) == frozenset()


@pytest.mark.parametrize(
    "wrong",
    [
        Query,
        lambda: Query(types=[], tags=[]),
        lambda: Query(types="A"),
        lambda: Query(types=cast("Any", Event)),
        lambda: Query(types=[cast("Any", 5)]),
        lambda: Query(types=[""]),
        lambda: Query(tags=cast("Any", Tag("x", 1))),
        lambda: Query(tags=[cast("Any", "x:1")]),
        lambda: Query(tags=[Tag("x")]),
        lambda: Query.of_items([]),
        lambda: Query.of_items([cast("Any", "A")]),
        lambda: Tag("x").text,
        lambda: Tag.of_text("x"),
    ],
)
def test_wrong_queries_are_refused(wrong):
    with pytest.raises(InputError):
        wrong()


def test_or_takes_queries_only():
    with pytest.raises(TypeError):
        Query(types=["A"]) | cast("Any", QueryItem())


class Shipped(Event):
    __event_name__ = "test.tags.shipped"

    order: Annotated[UUID, Tag("order")]
    parcels: Annotated[list[int] | None, Tag("parcel")] = None
    sender: Annotated[str | None, Tag("person"), Tag("sender")] = None
    on: date | None = None


def stored_tags(event):
    backend, stream = MemoryBackend(), StreamId()
    backend.event_store.append(event, stream_id=stream)
    assert backend.event_store.load_stream(stream)[0].event == event
    return tags_of(backend.storage.fetch_events(stream)[0])


def test_marked_fields_make_tags_and_the_event_loads_as_it_was():
    order = UUID(int=1)

    assert stored_tags(Shipped(order=order)) == {f"order:{order}"}
    assert stored_tags(Shipped(order=order, parcels=[1, 2, 1], sender="ann")) == {
        f"order:{order}",
        "parcel:1",
        "parcel:2",
        "person:ann",
        "sender:ann",
    }


def test_subclasses_have_the_tags_of_their_base():
    class ShippedFar(Shipped):
        __event_name__ = "test.tags.shipped.far"

        port: Annotated[Colour, Tag("port")]

    event = ShippedFar(order=UUID(int=1), port=Colour.RED)
    assert stored_tags(event) == {f"order:{UUID(int=1)}", "port:red"}


@pytest.mark.parametrize(
    "mark", [ClassVar[Annotated[str, Tag("x")]], 'ClassVar[Annotated[str, Tag("x")]]']
)
def test_a_mark_on_a_class_variable_would_mark_nothing(mark):
    def define(name, annotation, value):
        type(
            "Wrong",
            (Event,),
            {"__annotations__": {name: annotation}, name: value, "__module__": __name__},
        )

    with pytest.raises(EventDefinitionError, match="class variable or a private attribute"):
        define("kind", mark, "c1")
    with pytest.raises(EventDefinitionError, match="class variable or a private attribute"):
        define("_kind", Annotated[str, Tag("x")], "c1")
    define("kind", ClassVar[Tag], Tag("x", 1))  # holds a tag, and marks nothing


def test_a_field_that_is_declared_again_keeps_its_marks():
    """A query for the base class and a tag would miss the events of the subclass."""

    class Booked(Event):
        __event_name__ = "test.tags.booked"

        room: Annotated[str, Tag("room"), Tag("place")]

    with pytest.raises(EventDefinitionError, match=r"Booked's mark Tag\('place'\)"):

        class BookedTwice(Booked):
            __event_name__ = "test.tags.booked.twice"

            room: Annotated[Literal["r1"], Tag("room")]

    class BookedFar(Booked):
        __event_name__ = "test.tags.booked.far"

        room: Annotated[Literal["r1"], Tag("place"), Tag("far"), Tag("room")]

    assert stored_tags(BookedFar(room="r1")) == {"room:r1", "place:r1", "far:r1"}


def test_values_that_no_tag_can_have_are_refused_without_quoting_them():
    class Weighed(Event):
        __event_name__ = "test.tags.weighed"

        weight: Annotated[float, Tag("weight")]

    with pytest.raises(InvalidEventError, match=r"the field weight: .*not float") as caught:
        MemoryBackend().event_store.append(Weighed(weight=12345.5), stream_id=StreamId())
    assert "12345" not in str(caught.value)


class Address(BaseModel):
    city: Annotated[str, Tag("city")]


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (Annotated[str, Tag("x"), Encrypted(mask_value="")], "plain text"),
        (Annotated[list[Annotated[str, Encrypted(mask_value="")]], Tag("x")], "plain text"),
        (Annotated[str, Tag("x", 1)], "has a value"),
        (Annotated[str, Tag], "give it a name"),
        (Annotated[str, pydantic.Tag("x")], "pydantic's Tag.* import Tag from dynamo_es"),
        (list[Annotated[str, Tag("x")]], "inside of a field's type"),
        (Annotated[str, Tag("x")] | None, "inside of a field's type"),
        (Address, "inside of a field's type"),
    ],
)
def test_wrong_marks_are_refused_where_the_class_is_defined(mark, message):
    with pytest.raises(EventDefinitionError, match=message):
        type(
            "Wrong",
            (Event,),
            {"__annotations__": {"field": mark}, "__module__": __name__, "__qualname__": "Wrong"},
        )


@pytest.mark.parametrize(
    "wrong", [None, 5, "course.defined", StreamId, ["course.defined", 5], Tag("course", "c1")]
)
def test_types_of_another_kind_are_refused(wrong):
    for make in (lambda: Query(types=wrong), lambda: QueryItem(types=wrong)):
        with pytest.raises(InputError, match=r"^(types|A type of a query) must be"):
            make()


@pytest.mark.parametrize("wrong", [None, 5, "course:c1", Tag("course", "c1"), ["course:c1"]])
def test_tags_of_another_kind_are_refused(wrong):
    for make in (lambda: Query(tags=wrong), lambda: QueryItem(tags=wrong)):
        with pytest.raises(InputError, match=r"^(tags|A tag of a query) must be"):
            make()


def test_the_item_of_a_query_takes_any_list():
    item = QueryItem(types=["course.defined"], tags=[Tag("course", "c1")])  # type: ignore[arg-type]
    assert Query.of_items([item, item]) == Query(["course.defined"], [Tag("course", "c1")])


@pytest.mark.parametrize("wrong", [None, 5, [], [5], [[]]])
def test_other_alternatives_are_refused(wrong):
    with pytest.raises(InputError, match="QueryItem"):
        Query.of_items(wrong)


@pytest.mark.parametrize("wrong", [None, 5, "course"])
def test_a_stored_tag_is_text_with_a_colon(wrong):
    with pytest.raises(InputError, match="A stored tag is text"):
        Tag.of_text(wrong)


def test_an_integer_that_python_does_not_write_out_is_refused():
    with pytest.raises(InputError, match="too many digits: give it as text"):
        Tag("course", 10**5000)


@pytest.mark.parametrize("wrong", [None, 5, "ab", [5]])
def test_only_raw_events_are_made_into_objects(wrong):
    with pytest.raises(InputError, match="raws must be"):
        MemoryBackend().boundary("courses").typed(wrong)


@pytest.mark.parametrize("wrong", [[], "", 0, False, {}])
def test_a_context_that_is_empty_but_of_another_type_is_refused(wrong):
    class Ticked(Event):
        __event_name__ = "ticked in a boundary"

    wrapped = WrappedEvent.wrap(Ticked(), context=wrong)
    with pytest.raises(InvalidEventError, match="context is of type"):
        MemoryBackend().boundary("courses").append(wrapped)
