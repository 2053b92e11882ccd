"""``dynamo-es teardown``."""

import time
from typing import Annotated

import typer

from dynamo_es.cli.aws.account import Account, StackName
from dynamo_es.cli.aws.deploy import tell_event
from dynamo_es.cli.aws.deploying import stacks
from dynamo_es.cli.aws.deploying.change_sets import TABLE
from dynamo_es.cli.aws.deploying.cloud import Cloud, ask, ask_for_all
from dynamo_es.cli.options import Place, Yes
from dynamo_es.cli.terminal.output import refuse_unless_confirmed, results, tell
from dynamo_es.cli.terminal.rendering import count
from dynamo_es.dynamodb.tables.create import delete_tables
from dynamo_es.dynamodb.tables.template import parse_yaml
from dynamo_es.exceptions import ConfigurationError, ServiceError

_QUEUE = "AWS::SQS::Queue"
_RETAINED = frozenset({"Retain", "RetainExceptOnCreate"})
_KINDS = ("Events", "Log", "Keys")
_LAST_BACKUP = (
    "DynamoDB keeps a last backup of each table with point-in-time recovery for 35 days: "
    "`aws dynamodb list-backups --backup-type SYSTEM` lists them."
)


def teardown(
    stack: StackName,
    account: Account,
    *,
    delete_tables_of: Annotated[
        str | None,
        typer.Option(
            "--delete-tables",
            help="Also delete the tables with all events and keys. Repeat the stack's name.",
            metavar="NAME",
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Delete a stack: functions, policies, alarms, logs. By default, the tables stay.

    You cannot undo the deletion of tables, so take a backup first. DynamoDB keeps a last backup of
    each table with point-in-time recovery for 35 days, even of the keys table. Packages stay in
    their bucket.
    """
    if delete_tables_of not in {None, stack}:
        raise ConfigurationError(
            f"--delete-tables must repeat the name of the stack, {stack!r}, not "
            f"{delete_tables_of!r}. Nothing was deleted."
        )
    cloud = account.connect()
    found = stacks.find(cloud, stack)
    if found is None:
        raise ConfigurationError(f"There is no stack {stack!r} in {cloud.region}.")
    if found.is_under_way:
        stacks.check_ready(found)
    resources = ask_for_all(
        cloud.cloudformation, "ListStackResources", "StackResourceSummaries", StackName=stack
    )
    tables = _tables_that_stay(cloud, stack, resources)
    what = f"Delete the stack {stack}, with {count(len(resources) - len(tables), 'resource')}"
    if delete_tables_of is None:
        what += f"? The tables stay: {', '.join(tables) or 'none'}."
    else:
        what += f", and permanently ALL EVENTS in the tables {', '.join(tables)}?"
    for queue, waiting in _failures(cloud, resources):
        what += f" {queue} has {count(waiting, 'failure record')}, which would be lost."
    if not yes:
        refuse_unless_confirmed(what, "Nothing was deleted.")
    before = {event["EventId"] for event in stacks.events(cloud, found.id)}
    ask(cloud.cloudformation, "DeleteStack", stack, StackName=stack)
    after = stacks.watch(cloud, found.id, before, tell_event, time.sleep)
    if not after.is_deleted:
        stacks.raise_failure(cloud, after, before, "deleted")
    results().print(f"Deleted the stack {stack}.", markup=False, soft_wrap=True)
    if delete_tables_of is None:
        for table in tables:
            results().print(f"{table} stays.", markup=False, soft_wrap=True)
    else:
        _delete_tables(cloud, account.place, found.outputs)


def _tables_that_stay(cloud: Cloud, stack: str, resources: list[dict[str, str]]) -> list[str]:
    """Return the tables that the template retains when the stack is deleted."""
    deployed = ask(cloud.cloudformation, "GetTemplate", stack, StackName=stack)["TemplateBody"]
    template = parse_yaml(deployed) if isinstance(deployed, str) else deployed
    kept = {
        name
        for name, each in template["Resources"].items()
        if each.get("DeletionPolicy") in _RETAINED
    }
    return [
        each["PhysicalResourceId"]
        for each in resources
        if each["ResourceType"] == TABLE and each["LogicalResourceId"] in kept
    ]


def _failures(cloud: Cloud, resources: list[dict[str, str]]) -> list[tuple[str, int]]:
    """Return the queues of a stack that have messages, with the number of messages."""
    found = []
    for each in resources:
        if each["ResourceType"] != _QUEUE or not each.get("PhysicalResourceId"):
            continue
        name = "ApproximateNumberOfMessages"
        try:
            reply = ask(
                cloud.sqs,
                "GetQueueAttributes",
                QueueUrl=each["PhysicalResourceId"],
                AttributeNames=[name],
            )
        except ServiceError:
            continue  # a deleted or unreachable queue is no reason to keep the stack
        if waiting := int(reply.get("Attributes", {}).get(name, 0)):
            found.append((each["LogicalResourceId"], waiting))
    return found


def _delete_tables(cloud: Cloud, place: Place, outputs: dict[str, str]) -> None:
    names = {f"{kind.lower()}_table": outputs.get(f"{kind}TableName") for kind in _KINDS}
    missing = [name for name in names.values() if name is None]
    if missing:
        tell("The stack had no tables to delete.")
        return
    config = Place(
        events_table=names["events_table"],
        log_table=names["log_table"],
        keys_table=names["keys_table"],
        endpoint_url=place.endpoint_url,
        region=place.region,
        profile=place.profile,
    ).config()
    delete_tables(cloud.dynamodb, config)
    for name in names.values():
        results().print(f"Deleted {name}.", markup=False, soft_wrap=True)
    results().print(_LAST_BACKUP, markup=False, soft_wrap=True)
