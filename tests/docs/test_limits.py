"""The figures of docs/reference/limits.md are those of the code."""

from __future__ import annotations

import math

import pytest

from dynamo_es import DynamoConfig
from dynamo_es.contracts.checks.arguments import MAX_CONSUMER_BYTES
from dynamo_es.contracts.checks.payload import MAX_DEPTH, MAX_INTEGER_BITS
from dynamo_es.contracts.stream_keys import MAX_KEY_BYTES, MAX_NAMES_BYTES
from dynamo_es.dynamodb.streams.appending.enlisted_writes import MOST_WRITES
from dynamo_es.dynamodb.streams.items import MAX_COMMIT_EVENTS
from dynamo_es.dynamodb.streams.remembered.heads import FENCE_SECONDS
from dynamo_es.dynamodb.wire.sizes import (
    MAX_ITEM_BYTES,
    MAX_TRANSACTION_BYTES,
    MAX_TRANSACTION_ITEMS,
)
from dynamo_es.event_store.encryption.key_cache import KEY_SECONDS
from tests.docs.pages import DOCS

PAGE = (DOCS / "reference" / "limits.md").read_text()

CONFIG = DynamoConfig(events_table="events", log_table="log", keys_table="keys")
DIGITS = math.floor(MAX_INTEGER_BITS * math.log10(2))


@pytest.mark.parametrize(
    ("row", "figure"),
    [
        ("an event", f"{MAX_ITEM_BYTES // 1024 - 1} KB"),
        ("an append", f"{MAX_TRANSACTION_BYTES // 1024**2} MB or {MAX_TRANSACTION_ITEMS} items"),
        ("an append", f"{CONFIG.max_uncompressed_bytes // 1024**2} MB before compression"),
        ("events of a commit", f"{MAX_COMMIT_EVENTS:,}"),
        ("names of a commit's events and of its stream", f"{MAX_NAMES_BYTES // 1024} KB"),
        ("tenant, category and UUID of a stream", f"{MAX_KEY_BYTES:,} bytes"),
        ("JSON of an event", f"{DIGITS // 1000 * 1000:,} digits, {MAX_DEPTH} levels"),
        ("`transact_with`", f"{MOST_WRITES} writes"),
        ("name of a consumer", f"{MAX_CONSUMER_BYTES} bytes"),
        ("open connections", f"{CONFIG.max_pool_connections} "),
        ("a deletion", {7: "seven days"}[FENCE_SECONDS // 86_400]),
        ("a subject's key", {5: "five minutes"}[int(KEY_SECONDS // 60)]),
    ],
)
def test_a_limit_is_that_of_the_code(row, figure):
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {row} |")]
    assert figure in line
