"""``dynamo-es init``."""

import re
import shlex
from pathlib import Path
from typing import Annotated, Final

import typer

from dynamo_es.cli.options import Place, tell_stand_ins
from dynamo_es.cli.terminal.output import results, tell
from dynamo_es.cli.terminal.rendering import count
from dynamo_es.dynamodb.config import DEFAULT_TABLES, ENVIRONMENT_PREFIX, DynamoConfig
from dynamo_es.dynamodb.wire.session import LOCAL_REGION, is_local
from dynamo_es.environment import variables
from dynamo_es.exceptions import ConfigurationError

_DEFAULT_PREFIX: Final = "dynamo-es"
_PREFIX: Final = re.compile(r"[a-zA-Z0-9_.-]{1,240}")
"""The prefixes that infra/event-store.yaml allows."""
_NAME: Final = re.compile(r"^\s*(?:export\s+)?(\w+)\s*=", re.MULTILINE)


def init(
    place: Place,
    *,
    prefix: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Call the tables NAME-events, NAME-log and NAME-keys. "
            f"Default: {_DEFAULT_PREFIX}, as infra/event-store.yaml does.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the variables to this file, such as .env, instead of printing them.",
        ),
    ] = None,
) -> None:
    """Print environment variables with your tables and connection, for your shell or a .env file.

    The values come from the options, then from your environment, then from the defaults. All
    programs that call `DynamoBackend.from_env()` read the variables, and so does each command.
    The variables do not include credentials.
    """
    if prefix is not None and any((place.events_table, place.log_table, place.keys_table)):
        raise typer.BadParameter("Give --prefix or the names of the tables, not both.")
    if prefix is not None and not _PREFIX.fullmatch(prefix):
        raise typer.BadParameter("--prefix takes letters, digits, '_', '.' and '-', at most 240.")
    config = _config(place, prefix)
    tell_stand_ins(config)
    variables = _variables(config)
    if file is None:
        for name, value in variables.items():
            results().print(
                f"export {name}={shlex.quote(value)}", markup=False, highlight=False, soft_wrap=True
            )
        if results().is_terminal:
            tell('To set them in this shell, with the same options: eval "$(dynamo-es init)"')
    else:
        _write(file, variables)
        tell(
            f"{count(len(variables), 'variable')} written to {file}. To set them in this shell: "
            f"set -a; . {shlex.quote(_with_folder(file))}; set +a"
        )
    tell("If the tables do not exist yet: dynamo-es create-tables")


def _config(place: Place, prefix: str | None) -> DynamoConfig:
    named = {}
    if prefix is not None:
        named = {
            f"{ENVIRONMENT_PREFIX}{name.upper()}": table.replace(_DEFAULT_PREFIX, prefix, 1)
            for name, table in DEFAULT_TABLES.items()
        }
    return DynamoConfig.from_env({**variables(), **place.variables, **named})


def _variables(config: DynamoConfig) -> dict[str, str]:
    values = {
        **dict(zip(DEFAULT_TABLES, config.tables, strict=True)),
        "endpoint_url": config.endpoint_url,
        "region": config.region or (LOCAL_REGION if is_local(config) else None),
        "profile": config.profile,
    }
    return {
        f"{ENVIRONMENT_PREFIX}{name.upper()}": value
        for name, value in values.items()
        if value is not None
    }


def _write(file: Path, variables: dict[str, str]) -> None:
    """Add the variables to a file, which may have others.

    Raises:
        ConfigurationError: the file already sets one of them.
    """
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if there := sorted(set(_NAME.findall(before)) & variables.keys()):
        raise ConfigurationError(
            f"{file} already sets {', '.join(there)}. Nothing was changed. Remove these lines, or "
            "write to another file."
        )
    lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
    separator = "" if not before or before.endswith("\n") else "\n"
    with file.open("a", encoding="utf-8") as opened:
        opened.write(separator + lines)


def _with_folder(file: Path) -> str:
    """Return a path that a shell does not search in PATH."""
    return str(file) if file.parent != Path() else f"./{file.name}"
