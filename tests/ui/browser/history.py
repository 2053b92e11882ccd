"""The history that the pages of the tests show: always the same, so that pictures are, too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from dynamo_es import ExplicitVersioning, RawEvent, StreamId
from dynamo_es.cli.demonstration import ui_history
from dynamo_es.dynamodb.maintenance.repair import repair

if TYPE_CHECKING:
    from dynamo_es import DynamoBackend

HOSTILE_TEXT: Final = '<script>alert(1)</script><img src=x onerror="alert(2)">'
HOSTILE: Final = StreamId(name=f"</title>{HOSTILE_TEXT}", category='"><script>alert(3)</script>')
BOUNDARY: Final = StreamId(name=HOSTILE_TEXT, category="$boundary")
MALLORY: Final = "<b>mallory</b>"
"""A tenant with a hostile name, stream, category and events."""

LONG: Final = StreamId(name="long", category="counter")
LONG_TENANT: Final = "long"
LONG_EVENTS: Final = 100_000
_A_COMMIT: Final = 250

_NAMESPACE: Final = UUID("0d1a5a39-5a6f-4f0f-8b55-f4b4b0f5f2c0")


def write_history(backend: DynamoBackend) -> None:
    """Write the demonstration's history, hostile events, and a stream of 100,000 events."""
    backend.with_outbox(ui_history.choose_for_outbox)
    _write_hostile(backend)
    _write_long(backend)
    ui_history.fill_bank(backend)
    ui_history.fill_files(backend)
    repair(backend.config, lambda: backend.client, backend.observer)
    ui_history.fill_boundary(backend)
    repair(backend.config, lambda: backend.client, backend.observer)
    ui_history.fill_consumers(backend)
    backend.checkpoints.move(HOSTILE_TEXT, 1)
    backend.checkpoints.move("W" * 250, 2)


def _write_hostile(backend: DynamoBackend) -> None:
    storage = backend.in_tenant(MALLORY).storage
    fields: list[dict[str, Any]] = [
        {"html": HOSTILE_TEXT, HOSTILE_TEXT: [HOSTILE_TEXT]},
        {"control": "\x00\x1b[31mred\x07 \u202eright to left\u202c", "deep": [[[[[[{}]]]]]]},
        {"template": "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7}", "entity": "&lt;b&gt; &#x27;"},
        {"long": "x" * 5_000, "word": "W" * 500},
    ]
    context = {
        "correlation_id": HOSTILE_TEXT,
        "causation_id": {"not": "text"},
        "$schema": HOSTILE_TEXT,
        "$encrypted": [[HOSTILE_TEXT, 5, {"/html/../..": HOSTILE_TEXT, "/html": None}], 7],
    }
    events = [
        RawEvent(uuid5(_NAMESPACE, str(n)), HOSTILE, _at(n), HOSTILE_TEXT, data, context)
        for n, data in enumerate(fields)
    ]
    storage.insert_events(HOSTILE, ExplicitVersioning(0), events)
    tags = {"$tags": [HOSTILE_TEXT, f"a:{HOSTILE_TEXT}", "w:" + "W" * 500]}
    tagged = RawEvent(uuid5(_NAMESPACE, "tags"), BOUNDARY, _at(9), HOSTILE_TEXT, {}, tags)
    storage.insert_events(BOUNDARY, ExplicitVersioning(0), [tagged])


def _write_long(backend: DynamoBackend) -> None:
    """Write 100,000 events in 400 commits."""
    storage = backend.in_tenant(LONG_TENANT).storage
    for first in range(0, LONG_EVENTS, _A_COMMIT):
        events = [
            RawEvent(UUID(int=n), LONG, _at(n), "counted", {"count": n}, {})
            for n in range(first + 1, first + _A_COMMIT + 1)
        ]
        storage.insert_events(LONG, ExplicitVersioning(first), events)


def _at(second: int) -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=second)
