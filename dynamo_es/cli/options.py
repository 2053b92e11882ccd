"""Options that several commands share: a dataclass is a group, a field is an option."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints
from uuid import UUID

import typer

from dynamo_es.dynamodb.config import ENVIRONMENT_PREFIX, DynamoConfig
from dynamo_es.environment import variables
from dynamo_es.exceptions import ConfigurationError
from dynamo_es.values import DEFAULT_TENANT, StreamId

if TYPE_CHECKING:
    from collections.abc import Callable

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]

_TABLES = ("EVENTS_TABLE", "LOG_TABLE", "KEYS_TABLE")


def _table(what: str, option: str, variable: str) -> Any:
    return typer.Option(
        option, help=f"Table of {what}.", envvar=variable, metavar="NAME", rich_help_panel="Tables"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The tables, and the DynamoDB they are in."""

    events_table: Annotated[
        str | None, _table("streams", "--events-table", "DYNAMO_ES_EVENTS_TABLE")
    ] = None
    log_table: Annotated[str | None, _table("the log", "--log-table", "DYNAMO_ES_LOG_TABLE")] = None
    keys_table: Annotated[
        str | None, _table("encryption keys", "--keys-table", "DYNAMO_ES_KEYS_TABLE")
    ] = None
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            envvar="DYNAMO_ES_ENDPOINT_URL",
            metavar="URL",
            help="Address of an emulator, such as dynoxide. Default: AWS.",
            rich_help_panel="Tables",
        ),
    ] = None

    def config(self) -> DynamoConfig:
        """Return the configuration; options take precedence over the environment.

        Raises:
            ConfigurationError: A variable is missing or wrong.
        """
        environ = dict(variables())
        for field in fields(self):
            if (value := getattr(self, field.name)) is not None:
                environ[ENVIRONMENT_PREFIX + field.name.upper()] = value
        try:
            return DynamoConfig.from_env(environ)
        except ConfigurationError as error:
            if all(environ.get(ENVIRONMENT_PREFIX + name) for name in _TABLES):
                raise
            raise ConfigurationError(
                f"{error} Or use --events-table, --log-table and --keys-table."
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The stream that a command is about."""

    stream: Annotated[
        str,
        typer.Argument(
            metavar="STREAM",
            help="Name or UUID of the stream. Text that parses as a UUID is taken as one.",
        ),
    ]
    tenant: Annotated[str, typer.Option(help="The stream's tenant.", metavar="TEXT")] = (
        DEFAULT_TENANT
    )
    category: Annotated[str | None, typer.Option(help="The stream's category.", metavar="TEXT")] = (
        None
    )
    name: Annotated[
        bool, typer.Option("--name", help="Take STREAM as a name, even if it parses as a UUID.")
    ] = False
    uuid: Annotated[
        bool, typer.Option("--uuid", help="Take STREAM as a UUID; fail if it is not.")
    ] = False

    @property
    def id(self) -> StreamId:
        """The stream's id.

        Raises:
            typer.BadParameter: --name and --uuid are both given, or --uuid with other text.
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
    """Return a command whose option groups are spread into one option per field.

    typer turns each argument of a function into an option. A command takes a whole group as one
    argument; typer sees a function that takes the group's fields.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if is_dataclass(hint) and isinstance(hint, type):
            members = list(inspect.signature(hint).parameters.values())
            of_group = get_type_hints(hint, include_extras=True)
            parameters += [member.replace(annotation=of_group[member.name]) for member in members]
            groups[parameter.name] = (hint, [member.name for member in members])
        else:
            parameters.append(
                parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY)
            )

    @wraps(command)
    def run(**values: Any) -> None:
        for name, (group, members) in groups.items():
            values[name] = group(**{member: values.pop(member) for member in members})
        command(**values)

    del run.__wrapped__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
