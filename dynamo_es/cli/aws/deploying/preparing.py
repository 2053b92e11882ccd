"""Prepares a deployment: checks, builds, uploads, and lets CloudFormation compute the changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from dynamo_es.cli.aws.deploying import change_sets, parameters, stacks, template
from dynamo_es.cli.aws.deploying.cloud import ask
from dynamo_es.cli.aws.deploying.uploads import open_bucket
from dynamo_es.cli.aws.packaging import building
from dynamo_es.exceptions import ConfigurationError, DeploymentError, TableNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.cli.aws.deploying.change_sets import ChangeSet
    from dynamo_es.cli.aws.deploying.cloud import Cloud
    from dynamo_es.cli.aws.deploying.stacks import Stack
    from dynamo_es.cli.aws.deploying.uploads import Bucket
    from dynamo_es.cli.aws.package_options import PackageOptions

_TABLES: Final = ("events", "log", "keys")
_PREFIX: Final = "NamePrefix"
_CAPABILITIES_OF_YOURS: Final = (
    "CAPABILITY_IAM",
    "CAPABILITY_NAMED_IAM",
    "CAPABILITY_AUTO_EXPAND",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The description of a deployment.

    Attributes:
        stack: name of the stack.
        parameters: new values of parameters.
        variables: new environment variables of all functions; an empty value removes the variable.
        package: an existing package; None: build one.
        package_options: what to build.
        bucket: bucket for packages; None: the default one of the account and region.
        import_tables: whether existing tables become part of the stack.
        template: file of your own template; None: infra/app.yaml.
    """

    stack: str
    parameters: dict[str, str]
    variables: dict[str, str]
    package: Path | None
    package_options: PackageOptions
    bucket: str | None
    import_tables: bool
    template: Path | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A deployment that CloudFormation can carry out.

    Attributes:
        change_set: its changes.
        before: the current stack; None: it does not exist.
    """

    change_set: ChangeSet
    before: Stack | None


def prepare(
    cloud: Cloud,
    wanted: Deployment,
    tell: Callable[[str], None],
    sleep: Callable[[float], None],
) -> Prepared:
    """Upload package and template, and return the changes. Nothing is deployed yet.

    Args:
        cloud: the clients.
        wanted: the deployment.
        tell: called with each message about the progress.
        sleep: waits the given number of seconds.

    Raises:
        ConfigurationError: a parameter, a variable or the package is wrong.
        DeploymentError: the stack cannot be changed, or its tables already exist.
        ServiceError: AWS refused or did not answer.
    """
    app = template.load(wanted.template)
    parameters.check(app, wanted.parameters)
    if wanted.template is not None:
        _check_own(app, wanted, wanted.template)
    before = stacks.find(cloud, wanted.stack)
    if before is not None:
        stacks.check_ready(before)
    known = {} if before is None else before.parameters
    given, variables = wanted.parameters, wanted.variables
    parameters.check_complete(app, given, known)
    if before is not None and before.status != stacks.ONLY_REVIEWED:
        variables = {**_variables(cloud, wanted.stack), **variables}
    if wanted.template is None:
        given = _with_tables(cloud, app, wanted, known)
    store, created = open_bucket(cloud, wanted.bucket)
    if created:
        tell(f"Created the bucket {store.name}.")
    if parameters.takes_package(app, {**known, **given}):
        given = _with_code(app, wanted, store, given, known, tell)
    request = change_sets.Request(
        stack=wanted.stack,
        name=f"dynamo-es-{uuid4()}",
        template_url=_upload(app, wanted, store, variables),
        parameters=parameters.request(app, given, known),
        import_tables=wanted.import_tables,
    )
    if wanted.template is not None:
        request = replace(request, capabilities=_CAPABILITIES_OF_YOURS)
    return Prepared(change_sets.create(cloud, request, before, sleep), before)


def _check_own(app: dict[str, Any], wanted: Deployment, file: Path) -> None:
    """Check that the options fit your own template."""
    template.check_nested(app, file.parent)
    if wanted.import_tables:
        raise ConfigurationError("--import-tables does not work with --template: leave one out.")
    if (wanted.package or wanted.package_options.is_given) and not parameters.takes_package(
        app, {}
    ):
        raise ConfigurationError(
            f"The template {file} does not take a package: add the parameters CodeBucket and "
            "CodeKey to it, or leave out the options for the package."
        )


def _with_tables(
    cloud: Cloud, app: dict[str, Any], wanted: Deployment, known: dict[str, str]
) -> dict[str, str]:
    """Return the parameters with the prefix of the tables, which must be new or of this stack."""
    given = wanted.parameters
    if known:
        _check_same_tables(known, given)
        return given
    given = {_PREFIX: wanted.stack, **given}
    parameters.check(app, given)
    if not wanted.import_tables:
        _check_no_tables(cloud, given[_PREFIX])
    return given


def _upload(
    app: dict[str, Any], wanted: Deployment, store: Bucket, variables: dict[str, str]
) -> str:
    """Upload the template and the templates of its nested stacks; return its address."""
    name, changed = "app", False
    if wanted.template is not None:
        name = wanted.template.stem
        changed = template.upload_nested(
            app,
            wanted.template.parent,
            lambda file, text: store.upload_template(wanted.stack, text, file.stem),
        )
    kept = {name: each for name, each in variables.items() if each}
    text = template.with_variables(app, kept, wanted.template, changed=changed)
    return store.upload_template(wanted.stack, text, name)


def _with_code(
    app: dict[str, Any],
    wanted: Deployment,
    store: Bucket,
    given: dict[str, str],
    known: dict[str, str],
    tell: Callable[[str], None],
) -> dict[str, str]:
    """Upload the package; return the parameters with it."""
    with TemporaryDirectory(prefix="dynamo-es-") as scratch:
        if wanted.package is not None:
            package = building.read(wanted.package)
        else:
            recipe = wanted.package_options.recipe(parameters.target(app, {**known, **given}))
            target = recipe.target
            tell(f"Building the package for {target.runtime} on {target.architecture} …")
            package = building.build(recipe, Path(scratch))
        given = parameters.with_package(app, given, package)
        key = store.upload_package(wanted.stack, package)
    tell(f"The package is s3://{store.name}/{key}")
    return {**given, "CodeBucket": store.name, "CodeKey": key}


def _variables(cloud: Cloud, stack: str) -> dict[str, str]:
    """Return the variables that the stack's functions already have."""
    reply = ask(cloud.cloudformation, "GetTemplate", stack, StackName=stack)
    return template.variables_of(reply["TemplateBody"])


def _check_same_tables(known: dict[str, str], given: dict[str, str]) -> None:
    prefix = known[_PREFIX]
    if given.get(_PREFIX, prefix) != prefix:
        raise DeploymentError(
            f"The names of this stack's tables begin with {prefix!r}. Another NamePrefix would "
            "replace them by empty tables: deploy another stack."
        )


def _check_no_tables(cloud: Cloud, prefix: str) -> None:
    for kind in _TABLES:
        name = f"{prefix}-{kind}"
        try:
            ask(cloud.dynamodb, "DescribeTable", name, TableName=name)
        except TableNotFoundError:
            continue
        raise DeploymentError(
            f"The table {name} already exists, but there is no stack of this name. To use the "
            "table with its events, give --import-tables. For other tables, give "
            "--parameter NamePrefix=…"
        )
