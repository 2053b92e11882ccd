"""The link from an event to its conversation, whatever its correlation id is."""

from __future__ import annotations

import html
import re

import pytest

from dynamo_es import StreamId
from dynamo_es.ui.queries import address, event_address
from tests.ui.conftest import append, browse, raw

ONE = StreamId(name="one", category="c")
OTHER = StreamId(name="other", category="c")


def conversation(client, stream):
    page = client.get(event_address("", stream, 1)).text
    link = html.unescape(re.findall(r'href="(/conversation[^"]*)"', page)[0])
    assert len(link) < 2_000
    return client.get(link)


@pytest.mark.parametrize("correlation", ["", "x", "é\0\r\n", "x" * 9_000, 5, ["a"], None])
def test_an_event_leads_to_the_events_of_its_correlation_id(memory, correlation):
    append(memory, raw(ONE, 1, "Asked", correlation_id=correlation))
    append(memory, raw(OTHER, 1, "Answered", correlation_id=correlation))
    append(memory, raw(OTHER, 2, "Unrelated", correlation_id="another"))
    page = conversation(browse(memory), ONE)
    assert page.status_code == 200
    assert "Asked" in page.text
    assert ("Answered" in page.text) == (correlation is not None)
    assert "Unrelated" not in page.text


def test_no_correlation_id_is_not_the_word_none(memory):
    append(memory, raw(ONE, 1, "Asked"))
    page = browse(memory).get(
        address("/conversation", category="c", name="one", of="None", version=1)
    )
    assert "has no event of this conversation" in page.text
