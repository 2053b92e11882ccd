"""``dynamo-es adopt-tables``."""

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal import print_json, results, tell
from dynamo_es.dynamodb.tables.adopt import adopt_tables as adopt
from dynamo_es.dynamodb.wire.client import LazyClient


def adopt_tables(place: Place, *, as_json: AsJson = False) -> None:
    """Give restored tables their stream, expiry, recovery, protection and tags.

    DynamoDB restores a table without them. Running it again changes nothing. Deploy the functions'
    mappings again afterwards, as a restored table has a new stream.
    """
    config = place.config()
    done = adopt(LazyClient(config, None)(), config)
    if as_json:
        print_json([one._asdict() for one in done])
        return
    for one in done:
        results().print(f"{one.table}: {one.setting}", markup=False, soft_wrap=True)
    if not done:
        tell("The tables have all settings.")
