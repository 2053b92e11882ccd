"""Registers the commands, each with an example for its help."""

import sys
from collections.abc import Callable
from typing import Annotated, Final

import typer

from dynamo_es import __version__
from dynamo_es.cli.aws.deploy import deploy
from dynamo_es.cli.aws.package import package
from dynamo_es.cli.aws.teardown import teardown
from dynamo_es.cli.aws.template import template
from dynamo_es.cli.boundaries.index import index as boundary_index
from dynamo_es.cli.boundaries.read import read as boundary_read
from dynamo_es.cli.consumers import checkpoints, outbox, parked, projections
from dynamo_es.cli.consumers.rebuild import rebuild
from dynamo_es.cli.costs.cost import cost
from dynamo_es.cli.demonstration.demo import demo
from dynamo_es.cli.emulator import emulator
from dynamo_es.cli.failures import Commands
from dynamo_es.cli.history.export_file import export_file
from dynamo_es.cli.history.import_file import import_file
from dynamo_es.cli.init import init
from dynamo_es.cli.log.sequence import sequence
from dynamo_es.cli.log.tail import tail
from dynamo_es.cli.log.verify_and_repair import repair, set_aside, verify
from dynamo_es.cli.options import Place, expanded
from dynamo_es.cli.shell import shell
from dynamo_es.cli.streams.delete import delete
from dynamo_es.cli.streams.head import head
from dynamo_es.cli.streams.list import list_streams
from dynamo_es.cli.streams.show import show
from dynamo_es.cli.tables.adopt import adopt_tables
from dynamo_es.cli.tables.create import create_tables
from dynamo_es.cli.ui import ui

_START: Final = "To begin"
_STREAMS: Final = "Streams"
_LOG: Final = "The log and its consumers"
_AWS: Final = "On AWS"
_PLAN: Final = "Planning"

application = typer.Typer(
    name="dynamo-es",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",  # the only mode that wraps paragraphs
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes it so
    if wanted:
        sys.stdout.write(f"dynamo-es {__version__}\n")
        raise typer.Exit


def _options(
    place: Place,
    *,
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar="DYNAMO_ES_DEBUG", help="Show the traceback of an error."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """An event store on Amazon DynamoDB: one conditional write per append.

    The options of tables and connection, and --debug, go before or after the command. Each has a
    variable, such as DYNAMO_ES_ENDPOINT_URL for --endpoint-url; the option takes precedence. To
    set the variables: `dynamo-es init`. Credentials come from the AWS SDK.

    Results go to stdout, everything else to stderr. Exit status: 0 done; 1 failed, or a question
    was answered with no; 2 wrong usage; 130 interrupted.
    """
    del place, debug, version


application.callback(epilog="Example: `dynamo-es --endpoint-url http://127.0.0.1:8000 streams`")(
    expanded(_options)
)


def _register(
    group: typer.Typer,
    name: str,
    command: Callable[..., None],
    *examples: str,
    panel: str | None = None,
) -> None:
    group.command(name, epilog=_epilog(examples), rich_help_panel=panel)(expanded(command))


def _epilog(examples: tuple[str, ...]) -> str:
    commands = (
        example if "dynamo-es" in example else f"dynamo-es {example}" for example in examples
    )
    return "\n\n".join(f"Example: `{command}`" for command in commands)


def _group(
    name: str,
    help_text: str,
    *examples: str,
    panel: str,
    default: Callable[..., None] | None = None,
) -> typer.Typer:
    """Return a new group of commands, which takes the shared options before its commands too.

    Args:
        name: name of the group.
        help_text: help text of the group.
        examples: examples for its help.
        panel: panel of the help of dynamo-es in which it is listed.
        default: runs before each command of the group, or alone if there is no command.
    """

    def options(place: Place) -> None:
        del place

    group = typer.Typer(no_args_is_help=default is None, invoke_without_command=default is not None)
    group.callback(help=help_text, epilog=_epilog(examples))(expanded(default or options))
    application.add_typer(group, name=name, rich_help_panel=panel)
    return group


_register(application, "demo", demo, "demo", panel=_START)
_register(
    application,
    "init",
    init,
    'eval "$(dynamo-es init --endpoint-url http://127.0.0.1:8000)"',
    "init --prefix shop --file .env",
    panel=_START,
)
_register(application, "emulator", emulator, "emulator --port 8000", panel=_START)
_register(
    application,
    "create-tables",
    create_tables,
    "create-tables --endpoint-url http://127.0.0.1:8000",
    panel=_START,
)
_register(application, "adopt-tables", adopt_tables, "adopt-tables", panel=_AWS)
_register(application, "template", template, "template event-store", panel=_AWS)
_register(
    application,
    "deploy",
    deploy,
    "deploy --stack my-app",
    "deploy --stack my-app --add app.py --parameter ReadModelHandler=app.balances --yes",
    panel=_AWS,
)
_register(application, "teardown", teardown, "teardown --stack my-app", panel=_AWS)
_register(
    application,
    "package",
    package,
    "package --runtime python3.13 --extra encryption --add app.py",
    panel=_AWS,
)
_register(application, "import", import_file, "import history.jsonl.gz --tenant acme", panel=_START)
_register(
    application,
    "export",
    export_file,
    "export copy.jsonl.gz --tenant acme",
    "export - --category account --stream ann",
    panel=_START,
)
_register(
    application,
    "shell",
    shell,
    "shell --import my_app.events",
    'shell -c "print(backend.log.last_position)"',
    panel=_START,
)
_register(
    application,
    "streams",
    list_streams,
    "streams",
    "streams --category account",
    panel=_STREAMS,
)
_register(application, "show", show, "show ann --category account --start 1", panel=_STREAMS)
_register(application, "head", head, "head ann --category account --json", panel=_STREAMS)
_register(
    application,
    "delete",
    delete,
    "delete ann --category account --tenant acme",
    panel=_STREAMS,
)
_boundary = _group(
    "boundary",
    "Read a boundary by types and tags, see the events of a conflict, write the tag index.",
    "boundary read courses",
    panel=_STREAMS,
)
_register(
    _boundary,
    "read",
    boundary_read,
    "boundary read courses --type StudentEnrolled --tag course:c1",
    "boundary read courses --query 'CourseDefined course:c1 | student:s1' --after 12 --json",
)
_register(
    _boundary,
    "index",
    boundary_index,
    "boundary index courses",
    "boundary index courses --tenant acme --once",
)
_register(application, "ui", ui, "ui", "ui --demo", panel=_START)
_register(application, "sequence", sequence, "sequence", panel=_LOG)
_register(application, "tail", tail, "tail --category account --after 0", panel=_LOG)

_log = _group(
    "log", "Verify or repair the log, and list commits set aside.", "log verify", panel=_LOG
)
_register(_log, "verify", verify, "log verify")
_register(_log, "repair", repair, "log repair")
_register(_log, "set-aside", set_aside, "log set-aside --json")

_projections = _group(
    "projections",
    "Run a projection of your program, and list all projections.",
    "projections run my_app.read_models:balances",
    panel=_LOG,
)
_register(
    _projections,
    "run",
    projections.run,
    "projections run my_app.read_models:balances",
    "projections run my_app.read_models:balances --once --json",
)
_register(
    _projections,
    "list",
    projections.list_all,
    "projections list",
    "projections list my_app.read_models --json",
)
_register(application, "rebuild", rebuild, "rebuild my_app.read_models:balances", panel=_LOG)

_checkpoints = _group(
    "checkpoints",
    "List the consumers' positions in the log, and set one back.",
    "checkpoints",
    "checkpoints --json",
    panel=_LOG,
    default=checkpoints.list_by_default,
)
_register(_checkpoints, "list", checkpoints.list_all, "checkpoints list --json")
_register(_checkpoints, "reset", checkpoints.reset, "checkpoints reset balances --to 1000")

_register(_checkpoints, "pause", checkpoints.pause, "checkpoints pause balances")
_register(_checkpoints, "resume", checkpoints.resume, "checkpoints resume balances")

_outbox = _group(
    "outbox",
    "List events that could not be published, and retry them.",
    "outbox list",
    panel=_LOG,
)
_register(_outbox, "list", outbox.list_entries, "outbox list --tenant acme")
_register(_outbox, "retry", outbox.retry, "outbox retry 17 18", "outbox retry --all")

_parked = _group(
    "parked",
    "List streams that consumers have set aside after failures; retry or drop them.",
    "parked list",
    panel=_LOG,
)
_register(_parked, "list", parked.list_entries, "parked list --consumer balances --json")
_register(_parked, "retry", parked.retry, "parked retry my_app.read_models:balances")
_register(
    _parked,
    "drop",
    parked.drop,
    "parked drop balances 1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    "parked drop balances --skipped",
)

_register(application, "cost", cost, "cost --events-per-second 10 --size 200", panel=_PLAN)
