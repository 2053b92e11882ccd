"""Options that several commands share: a dataclass is a group, a field is an option."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_type_hints
from uuid import UUID

import typer

from dynamo_es.cli.terminal.output import tell
from dynamo_es.dynamodb.config import DEFAULT_TABLES, ENVIRONMENT_PREFIX, DynamoConfig
from dynamo_es.dynamodb.wire.session import LOCAL_REGION, is_local, stand_ins
from dynamo_es.environment import variables
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.values import DEFAULT_TENANT, StreamId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

_GIVEN: Final = "dynamo_es.given"
_DEBUG: Final = "debug"
_PANEL: Final = "Tables and connection"


def _option(name: str, help_text: str, metavar: str) -> Any:
    return typer.Option(name, help=help_text, metavar=metavar, rich_help_panel=_PANEL)


def _table(what: str) -> Any:
    default = DEFAULT_TABLES[f"{what}_table"]
    return _option(f"--{what}-table", f"The {what} table. Default: {default}", "NAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The options for tables and connection. Each field has a variable of `DynamoConfig`."""

    events_table: Annotated[str | None, _table("events")] = None
    log_table: Annotated[str | None, _table("log")] = None
    keys_table: Annotated[str | None, _table("keys")] = None
    endpoint_url: Annotated[
        str | None,
        _option("--endpoint-url", "Address of an emulator, such as dynoxide. Default: AWS.", "URL"),
    ] = None
    region: Annotated[
        str | None, _option("--region", "AWS region. Default: that of the AWS SDK.", "NAME")
    ] = None
    profile: Annotated[
        str | None, _option("--profile", "AWS profile. Default: that of the AWS SDK.", "NAME")
    ] = None

    @property
    def variables(self) -> dict[str, str]:
        """The given options, as environment variables."""
        return {
            f"{ENVIRONMENT_PREFIX}{field.name.upper()}": value
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }

    def config(self) -> DynamoConfig:
        """Return the configuration; options take precedence over the environment.

        If region or credentials are missing for a local engine, a message on stderr names the
        stand-ins. `init` has already printed it if it set the variables.

        Raises:
            ConfigurationError: a variable is missing or wrong.
        """
        environ = {**variables(), **self.variables}
        try:
            config = DynamoConfig.from_env(environ)
        except ConfigurationError as error:
            raise ConfigurationError(_in_options(str(error), environ)) from None
        if self.endpoint_url is not None or config.region is None:
            tell_stand_ins(config)
        return config


def wants_traceback(context: typer.Context) -> bool:
    """Return whether --debug was given, before or after the command."""
    return bool(context.meta.get(_GIVEN, {}).get(_DEBUG))


def _in_options(text: str, environ: Mapping[str, str]) -> str:
    """Return the message about a wrong setting, with the names of variables and options."""
    text = re.sub(
        r"DynamoConfig\.(\w+)", lambda found: f"{ENVIRONMENT_PREFIX}{found[1].upper()}", text
    )
    tables = [f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in DEFAULT_TABLES]
    named = [variable for variable in tables if environ.get(variable)]
    if 0 < len(named) < len(tables):
        return f"{text} Or use --events-table, --log-table and --keys-table."
    return text


def tell_stand_ins(config: DynamoConfig) -> None:
    """Print the stand-ins for a missing region and credentials of a local engine."""
    if not is_local(config):
        return
    missing = stand_ins(config)
    used = [f"the region {LOCAL_REGION}"] if missing.region else []
    if missing.credentials:
        used.append("dummy credentials")
    if used:
        tell(
            f"Using {' and '.join(used)} for the local engine at {config.endpoint_url}, because "
            "none are configured.",
            style="dim",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The options for the stream of a command."""

    stream: Annotated[
        str,
        typer.Argument(
            metavar="STREAM",
            help="Name or UUID of the stream. Text that parses as a UUID is treated as one.",
        ),
    ]
    tenant: Annotated[str, typer.Option(help="The stream's tenant.", metavar="TEXT")] = (
        DEFAULT_TENANT
    )
    category: Annotated[str | None, typer.Option(help="The stream's category.", metavar="TEXT")] = (
        None
    )
    name: Annotated[
        bool, typer.Option("--name", help="Treat STREAM as a name, even if it parses as a UUID.")
    ] = False
    uuid: Annotated[
        bool, typer.Option("--uuid", help="Treat STREAM as a UUID; fail if it is not.")
    ] = False

    @property
    def id(self) -> StreamId:
        """The stream's id.

        Raises:
            typer.BadParameter: both --name and --uuid are given, or --uuid with other text.
        """
        if self.name and self.uuid:
            raise typer.BadParameter("STREAM is a name or a UUID: give --name or --uuid, not both.")
        uuid = None if self.name else _parse_uuid(self.stream)
        if uuid is None and self.uuid:
            raise typer.BadParameter(f"STREAM must be a UUID, not {self.stream!r}.")
        if uuid is None:
            return StreamId(name=self.stream, category=self.category)
        return StreamId(uuid, category=self.category)

    def __str__(self) -> str:
        """Return the stream for messages: name or UUID, category, tenant."""
        parts = [self.stream]
        if self.category is not None:
            parts.append(f"category {self.category}")
        if self.tenant != DEFAULT_TENANT:
            parts.append(f"tenant {self.tenant}")
        return ", ".join(parts)


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose option groups are replaced by one option for each field.

    typer turns each argument of a function into an option. A command takes a whole group as one
    argument, but typer sees a function that takes the group's fields. The fields of `Place`, and
    --debug, are also options of the parent commands. Their values count unless the command itself
    gets the option.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters = [_parameter("context", typer.Context)]
    groups: dict[str, tuple[type, list[str]]] = {}
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if hint is typer.Context:
            continue
        if is_dataclass(hint) and isinstance(hint, type):
            members = list(inspect.signature(hint).parameters.values())
            of_group = get_type_hints(hint, include_extras=True)
            parameters += [member.replace(annotation=of_group[member.name]) for member in members]
            groups[parameter.name] = (hint, [member.name for member in members])
        else:
            parameters.append(
                parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY)
            )
    if all(parameter.name != _DEBUG for parameter in parameters):
        parameters.append(_parameter(_DEBUG, Debug, default=False))
    for parameter in parameters:
        _show_no_value_of_flags(parameter.annotation)

    @wraps(command)
    def run(context: typer.Context, **values: Any) -> None:
        _inherit(context, values)
        if _DEBUG not in hints:
            del values[_DEBUG]
        for name, (group, members) in groups.items():
            values[name] = group(**{member: values.pop(member) for member in members})
        if typer.Context in hints.values():
            values["context"] = context
        command(**values)

    del run.__wrapped__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _inherit(context: typer.Context, values: dict[str, Any]) -> None:
    """Fill in the shared options of the parent commands, and remember the ones given here."""
    given = context.meta.setdefault(_GIVEN, {})
    for name in (*(field.name for field in fields(Place)), _DEBUG):
        if name in values:
            given[name] = values[name] = values[name] or given.get(name)


def _parameter(name: str, annotation: Any, **default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, **default)


def _show_no_value_of_flags(annotation: Any) -> None:
    """Let the help show ``--json`` without ``<bool>``, which typer adds as if it took a value."""
    kind, *rest = get_args(annotation) or (None,)
    for option in rest if kind is bool else ():
        if option.metavar is None:
            option.metavar = ""


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
