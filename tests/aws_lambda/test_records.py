"""Decodes payloads as Lambda delivers them, from ``tests/aws_lambda/events``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dynamo_es.aws_lambda import project_log, project_streams, sequence_events
from dynamo_es.aws_lambda.log_pages import pages_in
from dynamo_es.aws_lambda.records import decode
from dynamo_es.exceptions import ConfigurationError
from tests.aws_lambda.lambdas import numbers

EVENTS = Path(__file__).parent / "events"


def payload(name):
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def test_commits_are_found_among_all_that_a_table_has():
    records = payload("events-table")["Records"]

    found = decode(records)

    assert [(one.hint.stream_name, one.hint.first_version) for one in found.commits] == [
        ("ann", 1),
        ("ann", 3),
        ("bob", 1),
        ("ann", 1),
    ]
    kinds = {record["dynamodb"]["SequenceNumber"]: record["eventName"] for record in records}
    assert [kinds[one.sequence_number] for one in found.commits] == [
        "INSERT",
        "INSERT",
        "INSERT",
        "MODIFY",
    ]
    assert found.foreign == 1
    assert found.skipped == len(records) - 5
    assert isinstance(found.commits[2].item["events"]["B"], bytes)


def test_every_handler_takes_the_payload_of_a_table(backend):
    seen = []
    handler = project_streams(backend, "model", keep_unknown=True)(seen.append)

    assert numbers(handler(payload("events-table"))) == []

    assert {recorded.tenant_id for recorded in seen} == {"acme"}
    # Ann's first generation, deleted since, was in the batch; so is her second.
    assert [recorded.wrapped_event.version for recorded in seen] == [1, 2, 3, 1, *range(1, 41)]
    assert numbers(sequence_events(backend)(payload("events-table"))) == []
    assert numbers(project_log(backend, "log")(lambda _: None)(payload("log-table"))) == []


def test_pages_are_found_among_markers():
    pages = pages_in(payload("log-table"))

    assert pages is not None
    assert [page.last for page in pages] == [44]
    assert pages_in({"detail-type": "Scheduled Event"}) is None


@pytest.mark.parametrize("name", ["tumbling-window", "tumbling-window-final"])
def test_the_state_of_a_window_goes_on(backend, name):
    answer = project_streams(backend, "model", keep_unknown=True)(lambda _: None)(payload(name))

    assert answer == {"batchItemFailures": [], "state": {"deposited": 12}}


def test_a_stream_without_images_is_told_of():
    records = payload("events-table")["Records"]
    for record in records:
        record["dynamodb"].pop("NewImage", None)
        record["dynamodb"]["StreamViewType"] = "KEYS_ONLY"

    with pytest.raises(ConfigurationError, match=r"KEYS_ONLY.*NEW_IMAGE"):
        decode(records)
