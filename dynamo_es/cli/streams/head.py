"""``dynamo-es head``."""

from dynamo_es.cli.options import AsJson, Chosen, Place
from dynamo_es.cli.streams.lookup import StreamNotFoundError, find_head
from dynamo_es.cli.terminal.output import event_document, print_json, results
from dynamo_es.cli.terminal.rendering import data_text, facts
from dynamo_es.dynamodb.backend import DynamoBackend


def head(chosen: Chosen, place: Place, *, as_json: AsJson = False) -> None:
    """Show a stream's version and newest event. Costs two requests."""
    stream_id = chosen.id
    found = find_head(DynamoBackend(place.config()).in_tenant(chosen.tenant).storage, stream_id)
    if found is None:
        raise StreamNotFoundError(chosen)
    event = found.event
    if as_json:
        print_json(
            {
                "stream": str(stream_id),
                "name": event.stream_id.name,
                "category": chosen.category,
                "tenant": chosen.tenant,
                "version": found.version,
                "event": event_document(event),
            }
        )
        return
    results().print(
        facts(
            ("stream", event.stream_id.name or str(stream_id)),
            ("uuid", str(stream_id)),
            ("version", str(found.version)),
            ("time", event.created_at.isoformat(sep=" ")),
            ("event", event.name),
            ("data", data_text(event)),
        )
    )
