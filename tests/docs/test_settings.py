"""The page of the configuration lists every variable of a backend, with its default."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

from dynamo_es import DynamoConfig

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "configuration.md").read_text()
SECTION = PAGE.split("## The backend\n")[1].split("\n## ")[0]
ROWS = dict(re.findall(r"^\| `DYNAMO_ES_(\w+)` \| ([^|]*?) ?\|", SECTION, re.MULTILINE))


def test_every_field_of_the_configuration_is_listed():
    listed = [name.lower() for name in ROWS if not name.startswith("OUTBOX_")]
    assert sorted(listed) == sorted(field.name for field in fields(DynamoConfig))


def test_defaults_are_those_of_the_configuration():
    for field in fields(DynamoConfig):
        shown = ROWS[field.name.upper()]
        if field.default is MISSING:
            assert shown == "", field.name
        elif field.default is not None:
            text = str(field.default)
            expected = text.lower() if isinstance(field.default, bool) else text
            assert shown == f"`{expected}`", field.name
