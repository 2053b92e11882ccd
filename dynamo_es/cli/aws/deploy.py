"""``dynamo-es deploy``."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from dynamo_es.cli.aws.account import Account, StackName
from dynamo_es.cli.aws.deploying import change_sets, parameters, stacks
from dynamo_es.cli.aws.deploying.change_sets import ChangeSet
from dynamo_es.cli.aws.deploying.cloud import Cloud
from dynamo_es.cli.aws.deploying.preparing import Deployment, prepare
from dynamo_es.cli.aws.deploying.stacks import Stack
from dynamo_es.cli.aws.package_options import PackageOptions
from dynamo_es.cli.options import AsJson, Yes
from dynamo_es.cli.terminal.output import print_json, refuse_unless_confirmed, tell
from dynamo_es.cli.terminal.rendering import Kind, count, print_rows
from dynamo_es.exceptions import ConfigurationError, DeploymentError

_STYLES = {"Add": "green", "Import": "green", "Modify": "yellow", "Remove": "red"}
_REPLACED = {"True": "replaced", "Conditional": "may be replaced"}
_COLUMNS: Mapping[str, Kind] = {
    "change": "short",
    "resource": "short",
    "type": "short",
    "note": "short",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options for the content of the stack."""

    template: Annotated[
        Path | None,
        typer.Option(
            help="Your own CloudFormation template, such as that of your API. "
            "Default: the template `app`.",
            metavar="FILE",
        ),
    ] = None
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            help="Parameter of the template. Repeatable. Parameters that you leave out keep their "
            "values.",
            metavar="NAME=VALUE",
        ),
    ] = None
    env: Annotated[
        list[str] | None,
        typer.Option(
            help="Environment variable of the functions. Repeatable. `NAME=` removes it.",
            metavar="NAME=VALUE",
        ),
    ] = None
    package: Annotated[
        Path | None,
        typer.Option(help="Package from `dynamo-es package`. Default: build one.", metavar="FILE"),
    ] = None
    bucket: Annotated[
        str | None,
        typer.Option(
            help="Bucket for packages. Default: dynamo-es-ACCOUNT-REGION, created if missing.",
            metavar="NAME",
        ),
    ] = None
    import_tables: Annotated[
        bool,
        typer.Option(
            "--import-tables",
            help="Use tables that already exist, such as those of a deleted stack.",
        ),
    ] = False

    def of(self, stack: str, package_options: PackageOptions) -> Deployment:
        """Return the deployment that these options describe.

        Raises:
            ConfigurationError: an option is not NAME=VALUE, or two contradict each other.
        """
        if self.package is not None and package_options.is_given:
            raise ConfigurationError("Give --package, or options for building one, not both.")
        return Deployment(
            stack=stack,
            parameters=parameters.parse(self.parameter or ()),
            variables=parameters.parse(self.env or (), "--env"),
            package=self.package,
            package_options=package_options,
            bucket=self.bucket,
            import_tables=self.import_tables,
            template=self.template,
        )


def deploy(
    stack: StackName,
    account: Account,
    package_options: PackageOptions,
    wanted: Wanted,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deploy tables, policies and functions as one stack, or update it.

    The command builds and uploads the package, prints the changes, asks, waits for CloudFormation,
    and prints the outputs. The names of the tables begin with the stack's name. It never replaces
    a table.

    A stack has the sequencer, unless you give `--parameter Sequencer=false`. OutboxTargetArn adds
    an outbox, ReadModelHandler and ReadModelPolicyArn a read model, and AlarmTopicArn alarms.
    `dynamo-es template app` prints all parameters.

    With --template, the command deploys your own template in the same way. If the template has
    the parameters CodeBucket and CodeKey, the command builds and uploads the package and sets them.
    It also uploads the files that nested stacks name as TemplateURL.
    """
    deployment = wanted.of(stack, package_options)
    cloud = account.connect()
    prepared = prepare(cloud, deployment, tell, time.sleep)
    if prepared.change_set.is_empty and prepared.before is not None:
        tell(f"There is nothing to change: the stack {stack} is up to date.")
        _print_outputs(prepared.before, as_json=as_json)
        return
    _print_changes(prepared.change_set, as_json=as_json)
    _refuse_or_go_on(cloud, stack, prepared.change_set, yes=yes)
    after = _carry_out(cloud, prepared.change_set)
    tell(f"The stack {stack} is deployed.", style="green")
    _print_outputs(after, as_json=as_json)


def _refuse_or_go_on(cloud: Cloud, stack: str, change_set: ChangeSet, *, yes: bool) -> None:
    try:
        change_sets.check_tables_stay(change_set)
        if not yes:
            verb = "Create" if change_set.creates else "Update"
            changes = count(len(change_set.changes), "change")
            refuse_unless_confirmed(f"{verb} the stack {stack}: {changes}?", "Nothing was changed.")
    except (DeploymentError, typer.Exit, KeyboardInterrupt):
        change_sets.discard(cloud, change_set)
        raise


def _carry_out(cloud: Cloud, change_set: ChangeSet) -> Stack:
    before = {event["EventId"] for event in stacks.events(cloud, change_set.stack_id)}
    change_sets.execute(cloud, change_set)
    try:
        after = stacks.watch(cloud, change_set.stack_id, before, tell_event, time.sleep)
    except KeyboardInterrupt:
        tell("CloudFormation continues. To see the result, run the command again.")
        raise
    if not after.is_good:
        stacks.raise_failure(cloud, after, before, "deployed")
    return after


def tell_event(event: dict[str, Any]) -> None:
    """Print an event of a resource, on stderr."""
    reason = event.get("ResourceStatusReason")
    status = event["ResourceStatus"]
    failed = status.endswith("FAILED")
    line = f"{status:<28} {event['LogicalResourceId']}"
    tell(f"{line}: {reason}" if reason and failed else line, style="red" if failed else None)


def _print_changes(change_set: ChangeSet, *, as_json: bool) -> None:
    """Print the changes; on stderr if stdout is for JSON."""
    rows = [
        (change.action, change.resource, change.kind, _REPLACED.get(change.replaced, ""))
        for change in change_set.changes
    ]
    if as_json:
        for row in rows:
            tell(" ".join(row).rstrip())
        return
    print_rows(
        _COLUMNS, [(Text(row[0], _STYLES.get(row[0], "")), *map(Text, row[1:])) for row in rows]
    )


def _print_outputs(stack: Stack, *, as_json: bool) -> None:
    if as_json:
        print_json({"stack": stack.name, "status": stack.status, "outputs": stack.outputs})
        return
    print_rows({"output": "short", "value": "text"}, sorted(stack.outputs.items()))
