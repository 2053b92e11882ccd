"""``dynamo-es adopt-tables``."""

from dynamo_es.cli.options import AsJson, Place, Yes
from dynamo_es.cli.terminal.output import print_json, refuse_unless_confirmed, results, tell
from dynamo_es.dynamodb.tables.adopt import adopt_tables as adopt
from dynamo_es.dynamodb.tables.adopt import plan_adoption
from dynamo_es.dynamodb.wire.client import LazyClient


def adopt_tables(place: Place, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Give restored tables their stream, expiry, recovery, protection and tags.

    DynamoDB restores a table without them. The command shows what it would change, and asks. It
    warns you if the tables were restored to different times, and if the keys were restored.
    Running it again changes nothing. Afterwards, deploy the event source mappings of the functions
    again, because a restored table has a new stream.
    """
    config = place.config()
    client = LazyClient(config, None)()
    plan = plan_adoption(client, config)
    for warning in plan.warnings:
        tell(warning, style="yellow")
    if plan.missing and not yes:
        changes = ", ".join(f"{one.table}: {one.setting}" for one in plan.missing)
        refuse_unless_confirmed(
            f"This turns on the missing settings: {changes}.", "Nothing was changed."
        )
    done = adopt(client, config) if plan.missing else []
    if as_json:
        print_json([one._asdict() for one in done])
        return
    for one in done:
        results().print(f"{one.table}: {one.setting}", markup=False, soft_wrap=True)
    if not done:
        tell("The tables have all settings.")
