from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dynamo_es.cli.history.importing import Defaults, Line, LineError, StreamOf, parse_line
from dynamo_es.cli.history.importing import lines as lines_module
from tests.cli.history.histories import a_line


def parse(text: bytes, defaults: Defaults | None = None) -> Line:
    return parse_line(text, 7, defaults or Defaults())


def test_a_line_becomes_an_event():
    text = a_line("readme", at="2015-08-25T13:35:29+00:00", data={"lines": 57, "é": [1.5, None]})

    line = parse(text)

    assert line.stream == StreamOf.named("acme", "file", "readme")
    assert dict(line) == {
        "number": 7,
        "size": len(text),
        "stream": line.stream,
        "name": "Changed",
        "created_at": datetime(2015, 8, 25, 13, 35, 29, tzinfo=UTC),
        "data": {"lines": 57, "é": [1.5, None]},
        "context": {},
        "uuid": None,
        "version": None,
        "versionless": False,
        "snapshot": False,
    }


def test_a_line_says_nothing_about_the_next():
    with pytest.raises(LineError, match="twice"):
        parse(b'{"a": 1, "a": 2}')

    assert parse(a_line("readme")).name == "Changed"


def test_an_object_of_many_keys_is_refused_at_once_for_one_that_comes_twice():
    keys = ",".join(f'"{number}": 0' for number in range(20_000))
    began = time.process_time()

    with pytest.raises(LineError, match="the key '7' twice"):
        parse(b'{"7": 0, %b}' % keys.encode())

    assert time.process_time() - began < 1  # 7 seconds if each key is counted by itself


def test_threads_read_lines_on_their_own():
    lines = [a_line(f"file {number}") if number % 2 else b'{"a": NaN}' for number in range(60)]

    def read(text: bytes) -> str:
        try:
            return str(parse(text).stream)
        except LineError as error:
            return error.reason

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, lines)) == [read(text) for text in lines]


def test_a_stream_is_the_same_however_it_was_named():
    one, same = (StreamOf.named("acme", "file", name) for name in ("a", "a"))

    assert (one == same, hash(one) == hash(same)) == (True, True)
    assert len({one, same, StreamOf.named("globex", "file", "a")}) == 2


@pytest.mark.parametrize("lacking", [{"tenant": None, "category": None}, {}])
def test_tenant_and_category_may_be_missing_or_null(lacking):
    fields = json.loads(a_line())
    fields.pop("tenant"), fields.pop("category")
    text = json.dumps({**fields, **lacking}).encode()

    assert parse(text).stream == StreamOf.named("", None, "a")
    assert parse(text, Defaults("globex", "order")).stream == StreamOf.named("globex", "order", "a")


@pytest.mark.parametrize(
    "number",
    [
        *("0.1", "1.10", "1E5", "1e23", "-0.0", "0.0e-5", "5e-324", "9007199254740992.0", "3.0"),
        *("12345678901234567890123", "0.12345678901234568", "1.7976931348623157e308"),
    ],
)
def test_a_number_that_keeps_its_value_is_taken(number):
    text = a_line(data={"a": 0}).replace(b'"a": 0', b'"a": ' + number.encode())

    assert Decimal(repr(parse(text).data["a"])) == Decimal(number)


def test_zeros_after_six_digits_of_a_second_are_no_loss():
    text = a_line(at="2015-08-25T13:35:29.123456000Z")
    assert parse(text).created_at == datetime(2015, 8, 25, 13, 35, 29, 123456, tzinfo=UTC)


def test_a_line_that_names_two_streams_says_none():
    for field in ("stream", "tenant", "category"):
        double = f'"{field}": "b", "{field}"'.encode()
        with pytest.raises(LineError) as caught:
            parse(a_line().replace(f'"{field}"'.encode(), double))
        assert caught.value.stream is None


def test_a_doubled_key_in_the_data_does_not_hide_the_stream():
    with pytest.raises(LineError) as caught:
        parse(a_line().replace(b'"number"', b'"number": 0, "number"'))

    assert caught.value.stream == StreamOf.named("acme", "file", "a")


def test_defaults_do_not_replace_what_a_line_says():
    text = a_line(tenant="", category="")
    assert parse(text, Defaults("globex", "order")).stream == StreamOf.named("", "", "a")


@pytest.mark.parametrize("field", ["tenant", "category", "stream", "stream_id"])
@pytest.mark.parametrize("bad", [b'"\xff"', b'"\\ud800"', b"5", b"[]"])
def test_what_is_no_text_names_no_stream(field, bad):
    changes: dict[str, Any] = {field: "replaced"}
    text = a_line(**changes).replace(b'"replaced"', bad)
    with pytest.raises(LineError) as caught:
        parse(text)
    assert caught.value.stream is None


@pytest.mark.parametrize(
    "change",
    [
        *({"version": version} for version in ("1", 1.0, True, 0, -1, [])),
        *({field: value} for field in ("versionless", "snapshot") for value in (1, "true", "")),
        {"snapshot": True},
        {"context": []},
        {"context": {"a": float("inf")}},
        {"id": 5},
        {"id": "x"},
        {"type": 5},
        {"at": 20240101},
    ],
    ids=str,
)
def test_a_field_of_another_type_is_refused_and_named(change):
    with pytest.raises(LineError) as caught:
        parse(a_line(**change).replace(b"Infinity", b"1e999"))

    assert caught.value.stream == StreamOf.named("acme", "file", "a")
    field = "version" if change.get("snapshot") is True else next(iter(change))
    assert f"the field '{field}': " in caught.value.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes (column 2)"),
        (b"hello", "not JSON: Expecting value (column 1)"),
        (b"\xff\xfe{}", "not UTF-8 (byte 1)"),
        (b"[1, 2]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"3", "not a JSON object"),
        (b"[" * 100_000, "not usable: nested too deep"),
        (a_line(stream=None), "the field 'stream' is missing"),
        (a_line(type=None), "the field 'type': Field required"),
        (a_line(at=None), "the field 'at': Field required"),
        (a_line(data=None), "the field 'data': Field required"),
        (a_line(stream=3), "the field 'stream': must be text"),
        (a_line(tenant=[]), "the field 'tenant': must be text"),
        (a_line(category={}), "the field 'category': must be text"),
        (a_line(type=True), "the field 'type': Input should be a valid string"),
        (a_line(type=""), "the field 'type': String should have at least 1 character"),
        (a_line(stream=""), "the field 'stream' is empty"),
        (a_line(at=1440509729), "the field 'at': not an ISO 8601 time: 1440509729"),
        (a_line(at="yesterday"), "the field 'at': not an ISO 8601 time: 'yesterday'"),
        (a_line(at="2015-02-30"), "the field 'at': not an ISO 8601 time: '2015-02-30'"),
        (a_line(data=[1]), "the field 'data': Input should be a valid dictionary"),
        (a_line(data="{}"), "the field 'data': Input should be a valid dictionary"),
        (a_line(data={"a": float("nan")}), "not JSON: NaN is not a JSON value"),
        (a_line(data={"a": float("-inf")}), "not JSON: -Infinity is not a JSON value"),
        (
            a_line().replace(b'"stream"', b'"stream": "b", "stream"'),
            "an object has the key 'stream' twice, so one value would be lost",
        ),
        (
            a_line().replace(b'"number"', b'"number": 0, "number"'),
            "an object has the key 'number' twice, so one value would be lost",
        ),
        (
            a_line(data={"a": [{"b": {"c": 1}}]}).replace(b'"c"', b'"c": 1, "\\u0063"'),
            "an object has the key 'c' twice, so one value would be lost",
        ),
        *(
            (
                a_line(data={"a": [{"b": 0}]}).replace(b'"b": 0', b'"b": ' + number),
                (
                    "a number has more digits than a float keeps, so it would be rounded: "
                    "shorten it, or write it as text"
                ),
            )
            for number in (
                b"0.1234567890123456789",
                b"9007199254740993.0",
                b"1e-400",
                b"-2.5e-324",
                b"1e-99999999999999999999999",
            )
        ),
        (
            a_line(at="2015-08-25T13:35:29.123456789Z"),
            (
                "the field 'at': more than six digits of a second, which would be cut: "
                "'2015-08-25T13:35:29.123456789Z'"
            ),
        ),
        (
            a_line(data={"a": 0}).replace(b'"a": 0', b'"a": 1e999'),
            "the field 'data': ['a'] is inf, which JSON does not have: store None or text.",
        ),
        (
            a_line(data={"a": 0}).replace(b'"a": 0', b'"a": ' + b"9" * 5000),
            "Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits",
        ),
        (
            a_line(stream="\ud800"),
            (
                "the fields of the stream: The stream name '\\ud800' holds a lone surrogate, "
                "which is not text: replace it."
            ),
        ),
        (
            a_line(data={"a": ["\ud800"]}),
            "the field 'data': ['a'][0] holds a lone surrogate, which is not Unicode: replace it.",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_line_that_is_no_event_says_why(text, reason):
    with pytest.raises(LineError) as refused:
        parse(text)
    assert refused.value.reason == reason


def test_a_line_may_be_too_long_to_be_looked_at(monkeypatch):
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 100)
    with pytest.raises(LineError, match="longer than 100 bytes"):
        parse(a_line("a" * 100))
