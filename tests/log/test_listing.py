"""Listing tenants and categories costs a scan of the log's table, page by page as it is read."""

from __future__ import annotations

from typing import Any

import pytest

from dynamo_es.dynamodb.log.log import DynamoLog
from dynamo_es.dynamodb.log.sequencer import Tables

PAGES = [
    {"Items": [{"log_key": {"S": "acme#streams#order#0"}}] * 3, "LastEvaluatedKey": {"at": {}}},
    {"Items": [], "LastEvaluatedKey": {"at": {"N": "2"}}},
    {
        "Items": [
            {"log_key": {"S": "acme#streams#order#f"}},
            {"log_key": {"S": "#streams##0"}},
            {"log_key": {"S": "other#streams"}},
        ]
    },
]


class Scans:
    """Answers a scan with the pages above, one after the other."""

    def __init__(self) -> None:
        self.after: list[Any] = []

    def run(self, _operation: str, _tenant: str, _stream: object, steps: Any) -> Any:
        request = next(steps)
        self.after.append(request.params.get("ExclusiveStartKey"))
        with pytest.raises(StopIteration) as end:
            steps.send(PAGES[len(self.after) - 1])
        return end.value.value


@pytest.fixture
def scans():
    return Scans()


@pytest.fixture
def log(scans):
    return DynamoLog(Tables("events", "log"), scans)


def test_each_page_is_asked_for_when_the_one_before_is_used_up(log, scans, caplog):
    tenants = log.tenants()

    assert scans.after == []
    assert next(tenants) == "acme"
    assert scans.after == [None]
    assert list(tenants) == [""]
    assert scans.after == [None, {"at": {}}, {"at": {"N": "2"}}]
    assert "Left out the markers with the key log in table other#streams" in caplog.text


def test_categories_are_those_of_the_tenant(log):
    assert list(log.categories("acme")) == ["order"]


def test_no_category_is_none(log):
    assert list(log.categories("")) == [None]
