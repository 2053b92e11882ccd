"""Appends a history to the events table, for a sequencer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from benchmarks.ours import raw_events
from dynamo_es import DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.dynamodb.log.pointers import pointer_to
from dynamo_es.dynamodb.streams.keys import parse_stream_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from benchmarks.sample import Sample
    from dynamo_es import DynamoConfig
    from dynamo_es.dynamodb.log.pointers import Pointer

EVENTS_PER_COMMIT: Final = 3


def append_history(
    config: DynamoConfig, client: DynamoDBClient, sample: Sample, events: int
) -> list[Pointer]:
    """Append a history in the order of time; return the hints of its commits for a sequencer.

    Commits have up to `EVENTS_PER_COMMIT` events of one stream, and are appended in the order of
    their last events. Each file extension is a category.

    Args:
        config: names of the tables.
        client: client to append with.
        sample: the history.
        events: number of events to take from its beginning.

    Raises:
        RuntimeError: not all commits were stored.
    """
    hints: list[Pointer] = []
    versions: Counter[str] = Counter()

    def note(params: dict[str, Any], **_: Any) -> None:
        hints.append(pointer_to(params["Item"]))

    storage = DynamoBackend(replace(config, sequencing="stream"), client).storage
    commits = [
        (name, commit)
        for name, stream in sample.commits(EVENTS_PER_COMMIT, events).items()
        for commit in stream
    ]
    client.meta.events.register("provide-client-params.dynamodb.PutItem", note, unique_id="note")
    try:
        for name, commit in sorted(commits, key=lambda one: one[1][-1].created_at):
            # A prefix, because other measurements use the same tables.
            stream = StreamId(name=f"log {name}", category=PurePosixPath(name).suffix or "none")
            at = ExplicitVersioning(versions[name])
            storage.insert_events(stream, at, raw_events(stream, commit))
            versions[name] += len(commit)
    finally:
        client.meta.events.unregister("provide-client-params.dynamodb.PutItem", unique_id="note")
    if len(hints) != len(commits) or sum(hint.event_count for hint in hints) != events:
        raise RuntimeError(f"{len(hints)} commits were stored instead of {len(commits)}.")
    return hints


def near_one_percent(hints: Sequence[Pointer]) -> tuple[str, list[Pointer]]:
    """Return the category whose share of the commits is nearest to 1 %, with its commits."""
    counts = Counter(_category(hint) for hint in hints)
    category = min(counts, key=lambda name: abs(counts[name] / len(hints) - 0.01))
    return category, [hint for hint in hints if _category(hint) == category]


def create_log(client: DynamoDBClient, name: str) -> None:
    """Create a table for another log of the same commits."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "log_key", "KeyType": "HASH"},
            {"AttributeName": "place", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "log_key", "AttributeType": "S"},
            {"AttributeName": "place", "AttributeType": "S"},
        ],
    )


def _category(hint: Pointer) -> str:
    return parse_stream_key(hint.stream_key)[1] or ""
