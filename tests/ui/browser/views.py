"""The pages that the tests open and picture, by the names of their pictures.

To add a page, add a line. A path may name what `write_history` stores.
"""

from __future__ import annotations

from typing import Final

from dynamo_es import StreamId
from dynamo_es.cli.demonstration.ui_history import COURSES, UNIVERSITY
from dynamo_es.ui.queries import address, boundary_address, event_address, stream_address
from tests.ui.browser.history import BOUNDARY, HOSTILE, LONG, LONG_EVENTS, LONG_TENANT, MALLORY

BANK: Final = "bank"
ANN: Final = StreamId(name="account/ann", category="account")
BOB: Final = StreamId(name="account/bob", category="account")
CAROL: Final = StreamId(name="account/carol", category="account")
OLD: Final = StreamId(name="account/old", category="account")
PAYROLL: Final = StreamId(name="payroll/2026-03", category="payroll")
README: Final = StreamId(name="README.md", category="file")

VIEWS: Final = {
    "overview": "/",
    "streams": address("/streams", tenant="cqrs", category="file"),
    "streams-filtered": address("/streams", tenant="cqrs", category="file", prefix="src"),
    "stream": stream_address(BANK, ANN),
    "stream-long": stream_address(LONG_TENANT, LONG),
    "stream-deleted": stream_address(BANK, CAROL),
    "event": event_address(BANK, ANN, 1),
    "event-upcast": event_address(BANK, OLD, 1),
    "as-it-was": stream_address(BANK, ANN, "/stream/as-it-was", version=4),
    "as-it-was-long": stream_address(
        LONG_TENANT, LONG, "/stream/as-it-was", version=LONG_EVENTS // 2
    ),
    "conversation": stream_address(BANK, PAYROLL, "/conversation", of="payroll-2026-03", version=1),
    "search": address("/search", q="account/ann"),
    "search-empty": "/search",
    "hostile-streams": address("/streams", tenant=MALLORY, category=HOSTILE.category),
    "hostile-stream": stream_address(MALLORY, HOSTILE),
    "hostile-event": event_address(MALLORY, HOSTILE, 1),
    "hostile-as-it-was": stream_address(MALLORY, HOSTILE, "/stream/as-it-was"),
    "hostile-conversation": stream_address(MALLORY, HOSTILE, "/conversation", of="<b>", version=1),
    "boundaries": address("/streams", tenant=UNIVERSITY, category=COURSES.category),
    "boundary": boundary_address(UNIVERSITY, COURSES),
    "boundary-conflict": boundary_address(
        UNIVERSITY, COURSES, query="CapacityChanged course:maths | student:dan", after=5
    ),
    "boundary-empty": boundary_address(UNIVERSITY, COURSES, query="course:none"),
    "hostile-boundary": boundary_address(MALLORY, BOUNDARY),
    "log": "/log",
    "log-filtered": address("/log", tenant=BANK, category="account"),
    "log-hostile": address("/log", tenant=MALLORY),
    "log-empty": address("/log", event="none of that name"),
    "consumers": "/consumers",
    "projection": address("/consumers/projection", name="balances"),
    "projector": address(
        "/consumers/projector", name="statements", tenant=BANK, category="account", id=BOB
    ),
    "outbox": address("/consumers/outbox", name="outbox"),
    "consumer-confirm": address(
        "/consumers/confirm", kind="projection", action="skip", name="balances", at=7
    ),
    "verify": "/verify",
    "plots": address("/plots", tenant=BANK),
}
"""Paths of pages, by name. Each has a picture at two widths in docs/screenshots."""

NOT_PICTURED: Final = frozenset(
    {name for name in VIEWS if "hostile" in name and name != "hostile-event"}
    | {"search-empty", "streams-filtered", "log-empty", "boundaries", "boundary-empty"}
)
"""Names of the pages that have no picture."""

WIDTHS: Final = (360, 1280)
