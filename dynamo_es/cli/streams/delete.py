"""``dynamo-es delete``."""

from dynamo_es.cli.options import AsJson, Chosen, Place, Yes
from dynamo_es.cli.streams.lookup import find_head
from dynamo_es.cli.terminal.output import print_json, refuse_unless_confirmed, results, tell
from dynamo_es.cli.terminal.rendering import count
from dynamo_es.dynamodb.backend import DynamoBackend


def delete(
    chosen: Chosen,
    place: Place,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a stream's events and snapshot. You cannot undo this.

    If a deletion is interrupted, run it again to finish it.
    """
    stream_id = chosen.id
    storage = DynamoBackend(place.config()).in_tenant(chosen.tenant).storage
    found = find_head(storage, stream_id)
    version = 0 if found is None else found.version
    if found is not None and not yes:
        refuse_unless_confirmed(
            f"Permanently delete {count(version, 'event')} of {chosen}?", "Nothing was deleted."
        )
    # Even if the stream does not exist: this removes the leftovers of an interrupted deletion.
    storage.delete_stream(stream_id)
    if as_json:
        print_json({"stream": str(stream_id), "existed": version > 0, "version": version})
    elif version:
        results().print(
            f"Deleted {chosen}: {count(version, 'event')}.", markup=False, soft_wrap=True
        )
    else:
        tell(f"There was no stream {chosen}.")
