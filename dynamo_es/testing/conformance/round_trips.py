"""Any JSON, text and time comes back unchanged."""

from datetime import timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given as forall
from hypothesis import strategies as st

from dynamo_es import StreamId
from dynamo_es.testing.conformance.examples import SUITE
from dynamo_es.testing.conformance.language import an_event, events, numbered

text = st.text()
short_text = st.text(max_size=30)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5),
    max_leaves=20,
)
json_objects = st.dictionaries(text, json_values, max_size=5)
offsets = st.timedeltas(-timedelta(hours=23, minutes=59), timedelta(hours=23, minutes=59))
# ISO 8601 has no offsets of less than a second, so such a time is refused.
_expressible = offsets.filter(lambda offset: not offset or abs(offset) >= timedelta(seconds=1))
times = st.datetimes() | st.datetimes(timezones=_expressible.map(timezone))


@SUITE
@forall(payloads=st.lists(st.tuples(json_objects, json_objects), min_size=1, max_size=4))
def test_any_json(when, then, payloads):
    stream = StreamId(category="Order")
    appended = [an_event(stream, data=data, context=context) for data, context in payloads]

    when.appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


@SUITE
@forall(data=json_objects, context=json_objects)
def test_any_json_in_a_snapshot(given, when, then, data, context):
    stream = StreamId(category="Order")
    given.stream(stream).with_commits_of(1)
    (snapshot,) = numbered([an_event(stream, data=data, context=context)])

    when.saving(snapshot)

    then.stream(stream).loads(snapshot)


@SUITE
@forall(tenant=short_text, category=short_text | st.none(), name=short_text | st.none())
def test_any_text_as_tenant_category_and_name(when, then, tenant, category, name):
    # A unique suffix separates the examples. As a suffix it does not hide special beginnings.
    tenant = f"{tenant}{uuid4()}"
    stream = StreamId(name=name, category=category)
    appended = events(stream, 2)

    when.in_tenant(tenant).appending(*appended, to=stream, expecting=0)

    then.in_tenant(tenant).stream(stream).is_(appended)
    then.stream(StreamId(uuid=UUID(int=stream.int), category=category)).is_missing()
    fetched = then.in_process("cold").in_tenant(tenant).storage.fetch_events(stream)
    assert [event.stream_id.name for event in fetched] == [name, name]
    assert [event.stream_id.category for event in fetched] == [category, category]


identities = st.text(alphabet="#%235ab", max_size=4)


@SUITE
@forall(
    one=st.tuples(identities, identities | st.none()),
    other=st.tuples(identities, identities | st.none()),
)
def test_no_two_pairs_of_tenant_and_category_are_one(given, then, one, other):
    uuid = uuid4()
    streams = {
        (tenant, category): StreamId(uuid=uuid, category=category)
        for tenant, category in (one, other)
    }

    stored = {
        identity: given.in_tenant(identity[0]).stream(stream).with_commits_of(1)
        for identity, stream in streams.items()
    }

    for (tenant, category), stream in streams.items():
        then.in_tenant(tenant).stream(stream).is_(stored[tenant, category])


@SUITE
@forall(names=st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_any_text_as_event_name(when, then, names):
    stream = StreamId(category="Order")
    appended = [an_event(stream, name=name) for name in names]

    when.appending(*appended, to=stream, expecting=0)

    then.stream(stream).is_(appended)


@SUITE
@forall(created_at=times)
def test_any_time(when, then, created_at):
    stream = StreamId(category="Order")
    event = an_event(stream, created_at=created_at)

    when.appending(event, to=stream, expecting=0)

    then.stream(stream).is_([event])


@SUITE
@forall(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    start=st.none() | st.integers(1, 70),
    stop=st.none() | st.integers(1, 70),
    snapshot=st.none() | st.integers(1, 60),
)
def test_any_range_of_any_commits(given, then, sizes, start, stop, snapshot):
    stream = StreamId(category="Order")
    stored = given.stream(stream).with_commits_of(*sizes)
    expected = stored[(start or 1) - 1 : None if stop is None else stop - 1]
    if snapshot is not None and snapshot <= len(stored):
        saved = given.stream(stream).with_snapshot(snapshot)
        if start is None and (stop is None or snapshot < stop):
            expected = [saved, *expected[snapshot:]]

    then.stream(stream).gives(expected, start, stop)
