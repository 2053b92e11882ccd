"""Hypothesis strategies: any events that a caller may give."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hypothesis import strategies as st

from dynamo_es import RawEvent, StreamId

if TYPE_CHECKING:
    from datetime import datetime

STREAM = StreamId(UUID(int=7), category="order")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = (
    st.integers()
    | st.integers(62, 14_000).map(lambda bits: 2**bits - 1)  # drawn digit by digit, it takes ages
    | st.floats(allow_nan=False, allow_infinity=False)
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)

_day = timedelta(days=1) - timedelta(microseconds=1)
offsets = (
    st.timedeltas(-_day, _day)
    # CPython's `fromisoformat` takes those below a second for none.
    .filter(lambda offset: not offset or abs(offset) >= timedelta(seconds=1))
    .map(timezone)
)
"""Of whole hours or not: seconds and microseconds too."""
moments: st.SearchStrategy[datetime] = st.datetimes() | st.datetimes(timezones=offsets)
names = texts.filter(bool)


def events(
    data: st.SearchStrategy[dict[str, Any]] = json_objects,
) -> st.SearchStrategy[RawEvent]:
    """Return events of one stream, without versions."""
    return st.builds(RawEvent, st.uuids(), st.just(STREAM), moments, names, data, json_objects)
