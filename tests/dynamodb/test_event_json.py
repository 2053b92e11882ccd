"""Events have the same bytes, whoever makes them; a process that only appends loads no pydantic."""

from __future__ import annotations

import os
import subprocess
import sys
from enum import IntEnum, StrEnum
from uuid import UUID

import pydantic_core
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es.dynamodb.streams.event_json import to_json
from tests.dynamodb.wire.socket_server import answering, serving

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=20,
)


class Color(StrEnum):
    RED = "red"


class Size(IntEnum):
    SMALL = 1


@pytest.fixture(scope="module", autouse=True)
def _without_the_core():
    """Look as if nobody had loaded pydantic's core."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "pydantic_core")
        yield


@given(VALUES)
@settings(max_examples=200)
def test_both_ways_give_the_same_bytes(value):
    sys.modules.pop("pydantic_core", None)
    assert to_json(value) == pydantic_core.to_json(value)


@pytest.mark.parametrize(
    "value",
    [
        {2: "a", None: "b", True: "c"},
        (1, 2),
        {"a": Color.RED, "b": Size.SMALL},
        {"a": UUID(int=1), "b": b"bytes", "c": {1}},
        '\x00\x1f\x7f\u2028\ud7ff\ue000\U0010ffff"\\/\b\f\n\r\t',
        [[[[0]]]],
        10**40,
        1e16,
        -0.0,
    ],
    ids=repr,
)
def test_they_do_so_for_unusual_values(value):
    sys.modules.pop("pydantic_core", None)
    assert to_json(value) == pydantic_core.to_json(value)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, {"a": object()}])
def test_what_json_cannot_hold_is_refused_as_before(value):
    sys.modules.pop("pydantic_core", None)
    with pytest.raises(pydantic_core.PydanticSerializationError):
        pydantic_core.to_json(value)
    sys.modules.pop("pydantic_core", None)
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the core is another module now
        to_json(value)
    assert type(raised.value).__name__ == "PydanticSerializationError"


PROGRAM = """
import sys
from datetime import UTC, datetime
from uuid import UUID
from dynamo_es import DynamoBackend, DynamoConfig, ExplicitVersioning, RawEvent, StreamId
stream = StreamId(name="a", category="b")
event = RawEvent(UUID(int=1), stream, datetime.now(UTC), "Added", {"lines": [1, {"a": None}]}, {})
config = DynamoConfig(events_table="e", log_table="l", keys_table="k", region="us-east-1",
                      endpoint_url=sys.argv[1], transport="lean")
DynamoBackend(config).storage.insert_events(stream, ExplicitVersioning(0), [event])
heavy = {"boto3", "botocore.session", "botocore.client", "botocore.parsers", "botocore.retries",
         "pydantic", "pydantic_core", "tenacity", "pickle"}
print(sorted(heavy & set(sys.modules)))
"""


def test_a_process_that_only_appends_loads_none_of_the_heavy_modules():
    ordinary = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "REQUESTS_")) and not name.lower().endswith("_proxy")
    }
    keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "HOME": "/nowhere"}
    with serving(answering) as server:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", PROGRAM, server.url],
            env={**ordinary, **keys, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.strip() == "[]"
    assert server.accepted == 1
