"""Forms keep any text, whatever a browser does to the values of their fields."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import StreamId
from dynamo_es.ui.escaping import encoded, on_one_line, value_of
from dynamo_es.ui.queries import address, stream_address
from tests.ui.conftest import append, browse, raw

TENANT = "te\0nant"
CATEGORY = "ca\rte\ngory"
STREAM = StreamId(name="na\0me\r\n\tof it", category=CATEGORY)


class Forms(HTMLParser):
    """The forms of a page: their addresses, and their fields as a browser sends them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        # What a browser does to the text of a page.
        self.feed(page.replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect a form or a field."""
        fields = dict(attrs)
        if tag == "form":
            self.found.append((fields.get("action") or "", {}))
        elif tag == "input" and fields.get("type") not in ("checkbox", "range"):
            value = fields.get("value") or ""
            if fields.get("type") != "hidden":
                value = value.replace("\n", "")  # a field has one line
            self.found[-1][1][fields["name"] or ""] = value.replace("\n", "\r\n")


def sent(page: Any, action: str, **changes: str) -> str:
    """The address that a page's last form for a path leads to."""
    fields = [fields for path, fields in Forms(page.text).found if path == action][-1]
    return address(action, **{**fields, **changes})


@pytest.fixture
def client(memory):
    append(memory.in_tenant(TENANT), raw(STREAM, 1), raw(STREAM, 2))
    return browse(memory)


def test_a_list_of_streams_is_filtered_in_its_own_tenant_and_category(client):
    page = client.get(address("/streams", tenant=TENANT, category=CATEGORY))
    filtered = client.get(sent(page, "/streams", prefix="na"))
    assert str(STREAM) in filtered.text
    again = client.get(sent(filtered, "/streams", prefix="x"))
    assert str(STREAM) not in again.text


def test_a_beginning_of_a_name_is_kept_as_long_as_it_is_not_edited(client):
    page = client.get(
        address("/streams", tenant=TENANT, category=CATEGORY, prefix="na\0me\r\n\tof")
    )
    assert str(STREAM) in client.get(sent(page, "/streams")).text
    assert "No stream in this category" in client.get(sent(page, "/streams", prefix="no")).text


def test_a_beginning_of_a_tenant_is_kept(client):
    page = client.get(address("/", prefix="te\0"))
    assert "te\\x00nant" in client.get(sent(page, "/")).text


def test_a_stream_as_it_was_is_the_same_stream_at_another_version(client):
    page = client.get(stream_address(TENANT, STREAM, "/stream/as-it-was"))
    moved = client.get(sent(page, "/stream/as-it-was", version="1", time=""))
    assert moved.status_code == 200
    assert "na\\x00me" in moved.text
    assert "<strong>Version 1</strong>" in moved.text


@pytest.mark.parametrize("path", ["/log", "/log/live", "/plots"])
def test_filters_of_the_log_are_kept(client, path):
    page = client.get(address(path, tenant=TENANT, category=CATEGORY))
    kept = client.get(sent(page, path))
    assert f"category={encoded(CATEGORY)}" in kept.text
    assert re.search(r"[Nn]o event|No commit", kept.text) is None
    other = client.get(sent(page, path, category="other"))
    assert re.search(r"[Nn]o event|No commit", other.text) is not None


def test_a_search_is_kept(client):
    page = client.get(address("/search", q=str(STREAM.name)))
    assert str(STREAM) in client.get(sent(page, "/search")).text


def test_ordinary_fields_have_no_second_one(memory):
    page = browse(memory).get(address("/streams", tenant="acme", category="é c", prefix="ü"))
    assert all("*" not in name for _, fields in Forms(page.text).found for name in fields)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_comes_back(text):
    assert value_of({"name*": encoded(text)}, "name") == text
    assert value_of({"name": on_one_line(text), "name*": encoded(text)}, "name") == text
    assert value_of({"name": "edited", "name*": encoded(f"{text}?")}, "name") == "edited"
