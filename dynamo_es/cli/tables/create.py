"""``dynamo-es create-tables``."""

from dynamo_es.cli.options import AsJson, Place
from dynamo_es.cli.terminal.output import print_json, results
from dynamo_es.dynamodb.backend import DynamoBackend


def create_tables(place: Place, *, as_json: AsJson = False) -> None:
    """Create the missing tables, and wait until they are ready.

    Running it again changes nothing. On AWS it takes about ten seconds. To manage the tables with
    CloudFormation, deploy infra/event-store.yaml instead.
    """
    config = place.config()
    DynamoBackend(config).create_tables()
    names = {
        "events_table": config.events_table,
        "log_table": config.log_table,
        "keys_table": config.keys_table,
    }
    if as_json:
        print_json(names)
        return
    for name in names.values():
        results().print(f"{name} is ready.", markup=False, soft_wrap=True)
