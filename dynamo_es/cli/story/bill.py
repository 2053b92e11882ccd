"""What the import cost, beside the design that textbooks have for DynamoDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.cli.importing import Cutter
from dynamo_es.cli.story.stage import id_of
from dynamo_es.cli.story.steps import EVENTS_PER_COMMIT
from dynamo_es.dynamodb.wire.sizes import item_size, write_units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamo_es.cli.importing import Chunk, Line, Summary

ASSUMPTION: Final = (
    "The textbook design: an item for each event (pk, sk, event_id, event_type, created_at, data "
    "as a map); the events of a commit in one TransactWriteItems, which DynamoDB charges double; "
    "a commit of a single event as a PutItem. Same events, same commits, same size rules."
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What storing the history takes.

    Attributes:
        requests: API calls.
        write_units: write units charged.
        requests_per_event: API calls for each event.
        write_units_per_event: write units for each event.
    """

    requests: int
    write_units: int
    requests_per_event: float
    write_units_per_event: float


@dataclass(frozen=True, slots=True)
class Bill:
    """Both designs on the same events in the same commits.

    Attributes:
        events: events stored.
        commits: commits they came in.
        dynamo_es: the import of this run: requests as counted, units by the size rules.
        textbook: computed; nothing was sent.
        assumption: what the other design is.
    """

    events: int
    commits: int
    dynamo_es: Cost
    textbook: Cost
    assumption: str = ASSUMPTION


def make_bill(summary: Summary, streams: Iterable[Iterable[Line]]) -> Bill:
    """Return the bill of an import that priced its commits.

    Args:
        summary: of the import.
        streams: the lines of each stream, in order.
    """
    chunks = [chunk for lines in streams for chunk in _chunks(lines)]
    events = summary.events
    return Bill(
        events=events,
        commits=len(chunks),
        dynamo_es=_cost(events, summary.requests, summary.priced_units or 0),
        textbook=_cost(events, len(chunks), sum(textbook_units(chunk) for chunk in chunks)),
    )


def textbook_units(chunk: Chunk) -> int:
    """Return the write units of a commit as one item for each event."""
    transactional = len(chunk.events) > 1
    return sum(
        write_units(item_size(item), transactional=transactional) for item in textbook_items(chunk)
    )


def textbook_items(chunk: Chunk) -> list[dict[str, Any]]:
    """Return the items of a commit in the wire format, one for each event."""
    from boto3.dynamodb.types import TypeSerializer

    serialize = TypeSerializer().serialize
    tenant_id, category = chunk.stream.tenant_id, chunk.stream.category
    key = f"{tenant_id}#{category}#{id_of(chunk.stream)}"
    return [
        {
            "pk": {"S": key},
            "sk": {"N": str(version)},
            "event_id": {"S": str(event.uuid)},
            "event_type": {"S": event.name},
            "created_at": {"S": event.created_at.isoformat()},
            "data": serialize(event.data),
        }
        for version, event in enumerate(chunk.events, chunk.first)
    ]


def _chunks(lines: Iterable[Line]) -> Iterable[Chunk]:
    cutter = Cutter(EVENTS_PER_COMMIT, gather=True)
    for line in lines:
        yield from cutter.add(line)
    yield from cutter.flush()


def _cost(events: int, requests: int, units: int) -> Cost:
    return Cost(requests, units, requests / events, units / events)
