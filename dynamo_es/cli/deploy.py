"""``dynamo-es deploy``."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from uuid import uuid4

import typer

from dynamo_es.cli.account import Account, StackName
from dynamo_es.cli.deploying import change_sets, parameters, stacks, template
from dynamo_es.cli.deploying.change_sets import ChangeSet, Request
from dynamo_es.cli.deploying.cloud import Cloud, ask
from dynamo_es.cli.deploying.stacks import Stack
from dynamo_es.cli.deploying.uploads import Bucket, open_bucket
from dynamo_es.cli.making import Making
from dynamo_es.cli.options import AsJson, Yes
from dynamo_es.cli.packaging import building
from dynamo_es.cli.packaging.building import Package
from dynamo_es.cli.rendering import count, print_rows
from dynamo_es.cli.terminal import (
    messages,
    print_json,
    refuse_unless_confirmed,
    results,
    tell,
)
from dynamo_es.exceptions import ConfigurationError, DeploymentError, TableNotFoundError

_TABLES = ("events", "log", "keys")
_STYLES = {"Add": "green", "Remove": "red", "Modify": "yellow"}


def deploy(
    stack: StackName,
    account: Account,
    making: Making,
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            help="Parameter of the template `app`. Repeatable. Without it, a stack keeps what it has.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            help="Variable of the functions. Repeatable. `NAME=` removes it.", metavar="NAME=VALUE"
        ),
    ] = None,
    package: Annotated[
        Path | None,
        typer.Option(
            help="Package that `dynamo-es package` built. Default: build one.", metavar="FILE"
        ),
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            help="Bucket for packages. Default: dynamo-es-ACCOUNT-REGION, which is created.",
            metavar="NAME",
        ),
    ] = None,
    import_tables: Annotated[
        bool,
        typer.Option(
            "--import-tables", help="Take tables that exist, such as those of a deleted stack."
        ),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deploy tables, policies and functions as one stack, or update it.

    It builds and uploads the package, prints the changes, asks, waits for CloudFormation, and prints
    the outputs. A new stack gets tables that begin with its name. A table is never replaced.

    A stack has the sequencer, unless you give `--parameter Sequencer=false`; an outbox with
    OutboxTargetArn; a read model with ReadModelHandler and ReadModelPolicyArn; alarms with
    AlarmTopicArn. `dynamo-es template app` prints all parameters.
    """
    if package is not None and making.is_given:
        raise ConfigurationError("Give --package, or options that say what to build, not both.")
    app = template.load()
    given = parameters.parse(parameter or ())
    added = parameters.parse(env or (), "--env")
    parameters.check(app, given)
    cloud = account.connect()
    before = stacks.find(cloud, stack)
    if before is not None:
        stacks.check_ready(before)
    known = {} if before is None else before.parameters
    if known:
        added = {**_variables(cloud, stack), **added}
    text = template.with_variables(app, {name: value for name, value in added.items() if value})
    if not known:
        given = {"NamePrefix": stack, **given}
        if not import_tables:
            _check_no_tables(cloud, given["NamePrefix"])
    store, created = open_bucket(cloud, bucket)
    if created:
        tell(f"Created the bucket {store.name}.")
    if parameters.functions(app, {**known, **given}):
        given = _with_code(app, making, package, store, stack, known, given)
    request = Request(
        stack=stack,
        name=f"dynamo-es-{uuid4()}",
        template_url=store.upload_template(stack, text),
        parameters=parameters.request(app, given, known),
        import_tables=import_tables,
    )
    change_set = change_sets.create(cloud, request, before, time.sleep)
    if not change_set.changes and before is not None:
        tell(f"There is nothing to change: the stack {stack} is as it should be.")
        _print_outputs(before, as_json=as_json)
        return
    _print_changes(change_set, as_json=as_json)
    _carry_out(cloud, stack, change_set, yes=yes, as_json=as_json)


def _with_code(
    app: dict[str, Any],
    making: Making,
    path: Path | None,
    store: Bucket,
    stack: str,
    known: dict[str, str],
    given: dict[str, str],
) -> dict[str, str]:
    """Return the parameters with the uploaded package."""
    with TemporaryDirectory(prefix="dynamo-es-") as scratch:
        package: Package
        if path is not None:
            package = building.read(path)
        else:
            target = parameters.target(app, {**known, **given})
            tell(f"Building the package for {target.runtime} on {target.architecture} …")
            package = building.build(making.recipe(target), Path(scratch))
        given = parameters.with_package(given, package)
        key = store.upload_package(stack, package)
    tell(f"The package is s3://{store.name}/{key}")
    return {**given, "CodeBucket": store.name, "CodeKey": key}


def _variables(cloud: Cloud, stack: str) -> dict[str, str]:
    """Return the variables that the stack's functions have already."""
    reply = ask(cloud.cloudformation, "GetTemplate", stack, StackName=stack)
    return template.variables_of(reply["TemplateBody"])


def _check_no_tables(cloud: Cloud, prefix: str) -> None:
    for kind in _TABLES:
        name = f"{prefix}-{kind}"
        try:
            ask(cloud.dynamodb, "DescribeTable", name, TableName=name)
        except TableNotFoundError:
            continue
        raise DeploymentError(
            f"The table {name} exists already, and no stack of this name. To use it with its "
            "events: --import-tables. For other tables: --parameter NamePrefix=…"
        )


def _carry_out(cloud: Cloud, name: str, change_set: ChangeSet, *, yes: bool, as_json: bool) -> None:
    try:
        change_sets.check_tables_stay(change_set)
        if not yes:
            verb = "Create" if change_set.creates else "Update"
            changes = count(len(change_set.changes), "change")
            refuse_unless_confirmed(f"{verb} the stack {name}: {changes}?", "Nothing was changed.")
    except (DeploymentError, typer.Exit, KeyboardInterrupt):
        change_sets.discard(cloud, change_set)
        raise
    before = {event["EventId"] for event in stacks.events(cloud, change_set.stack_id)}
    change_sets.execute(cloud, change_set)
    try:
        after = stacks.watch(cloud, change_set.stack_id, before, tell_event, time.sleep)
    except KeyboardInterrupt:
        tell("CloudFormation goes on. To see the result, run the command again.")
        raise
    if not after.is_good:
        stacks.raise_failure(cloud, after, before, "deployed")
    tell(f"The stack {name} is deployed.", style="green")
    _print_outputs(after, as_json=as_json)


def tell_event(event: dict[str, Any]) -> None:
    """Print what happened to a resource, on stderr."""
    reason = event.get("ResourceStatusReason")
    status = event["ResourceStatus"]
    line = f"{status:<28} {event['LogicalResourceId']}"
    tell(
        f"{line}: {reason}" if reason and status.endswith("FAILED") else line,
        style="red" if status.endswith("FAILED") else None,
    )


def _print_changes(change_set: ChangeSet, *, as_json: bool) -> None:
    """Print the changes: on stderr if stdout is for JSON."""
    console = messages() if as_json else results()
    width = max((len(change.resource) for change in change_set.changes), default=0)
    for change in change_set.changes:
        note = {"True": "  replaced", "Conditional": "  may be replaced"}.get(change.replaced, "")
        console.print(
            f"{change.action:<7} {change.resource:<{width}}  {change.kind}{note}",
            style=_STYLES.get(change.action),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _print_outputs(stack: Stack, *, as_json: bool) -> None:
    if as_json:
        print_json({"stack": stack.name, "status": stack.status, "outputs": stack.outputs})
        return
    print_rows({"output": "short", "value": "text"}, sorted(stack.outputs.items()))
