"""``dynamo-es ui``."""

import errno
import logging
import socket
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Annotated, Final

import typer

from dynamo_es.cli.options import Place
from dynamo_es.cli.terminal.output import tell
from dynamo_es.cli.your_program import load_module, your_program
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import ConfigurationError, MissingExtraError

_LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")


def ui(  # noqa: PLR0913 - options, each by its name
    place: Place,
    *,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Show a sample history on an emulator in this process."),
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Address to listen on. Only this machine can reach the default."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: any free port.")
    ] = 8400,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Also accept requests for this host name, such as a proxy's. Repeatable.",
        ),
    ] = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the first page in your browser.")
    ] = False,
    tenant: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Show only this tenant.")
    ] = None,
    tenant_role: Annotated[
        str | None,
        typer.Option(
            metavar="ARN",
            envvar="DYNAMO_ES_TENANT_ROLE",
            help="Role to assume for --tenant, with the policy OneTenant. DynamoDB then refuses "
            "every other tenant.",
        ),
    ] = None,
    allow_writes: Annotated[
        bool, typer.Option("--allow-writes", help="Let pages change what is stored.")
    ] = False,
    reveal: Annotated[
        bool,
        typer.Option("--reveal", help="Show encrypted fields in clear text. Each view is logged."),
    ] = False,
    imports: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            metavar="MODULE",
            help="Import this module of event classes and aggregates. Repeatable.",
        ),
    ] = None,
) -> None:
    """Show the content of the store in your browser.

    The pages show streams with their commits and events, a stream as it was at a version or a time,
    the log, and consumers. They are read-only, unless you give --allow-writes. They have no login:
    anyone who can reach the port can read everything that your credentials can read.
    """
    try:
        from dynamo_es.ui import create_app
        from dynamo_es.ui.serving import Server, configure
    except ImportError:
        raise MissingExtraError("ui", "The stream browser") from None
    hosts = _hosts(host, allow_host or ())
    with (
        _dated_log(),
        your_program(place.variables),
        _backend(place, demo=demo, tenant=tenant, role=tenant_role) as (backend, title),
    ):
        for module in imports or ():
            load_module(module)
        app = create_app(
            backend,
            allow_writes=allow_writes,
            reveal=reveal,
            tenant=tenant,
            hosts=hosts,
            title=title,
        )
        config = configure(app, host, port)
        listener = _listen(host, port)
        address = _address(host, listener.getsockname()[1])
        tell(f"The stream browser at {address} shows {title}. Ctrl-C ends it.")
        if open_browser:
            threading.Timer(0.5, webbrowser.open, [address]).start()
        Server(config, app).run(sockets=[listener])


@contextmanager
def _dated_log() -> Iterator[None]:
    """Print the log of the pages with times, such as views of encrypted fields."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("dynamo_es.ui")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a host and a port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"Port {port} of {host} is in use, maybe by another dynamo-es ui. Choose another "
                "one, such as --port 0 for any free port."
            ) from error
        raise ConfigurationError(
            f"dynamo-es ui cannot listen on {host} port {port}: {error.strerror}. Choose an "
            "address of this machine with --host, or another --port."
        ) from error


def _hosts(host: str, allowed: Sequence[str]) -> list[str]:
    """Return the host names that the server accepts; warn if other machines can reach it."""
    from dynamo_es.ui.security import ANY_ADDRESS, LOOPBACK

    hosts = [*LOOPBACK, *allowed]
    if host in _LOOPBACK_HOSTS:
        return hosts
    tell(
        f"Warning: other machines can reach {host}. The pages have no login: anyone who can reach "
        "them can read everything that your credentials can read.",
        style="yellow",
    )
    try:
        unspecified = ip_address(host).is_unspecified
    except ValueError:
        return [*hosts, host]
    if unspecified:
        return [*hosts, ANY_ADDRESS]
    return [*hosts, f"[{host}]" if ":" in host else host]


def _address(host: str, port: int) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return f"http://{host}:{port}/"
    if address.is_unspecified:
        return f"http://localhost:{port}/"
    return f"http://[{host}]:{port}/" if address.version == 6 else f"http://{host}:{port}/"  # noqa: PLR2004


@contextmanager
def _backend(
    place: Place, *, demo: bool, tenant: str | None, role: str | None
) -> Iterator[tuple[DynamoBackend, str]]:
    """Open the backend that the pages show; yield it with a description."""
    from dynamo_es.ui import observe

    if demo:
        if tenant is not None or role is not None:
            raise ConfigurationError(
                "--tenant and --tenant-role are for your own tables, not --demo."
            )
        with _demonstration() as backend:
            yield backend, "a sample history on an emulator in this process"
        return
    config = replace(place.config(), report_capacity=True)
    title = f"the tables {config.events_table} and {config.log_table}"
    if config.endpoint_url is not None:
        title += f" at {config.endpoint_url}"
    if tenant is not None and role is not None:
        from dynamo_es.aws_lambda.sessions import tenant_backend

        sequenced = replace(config, sequencing="stream")
        backend = tenant_backend(
            tenant,
            role,
            config=sequenced,
            session_name="dynamo-es-ui",
            observer=observe,
        )
        _check(backend, tenant)
        yield backend, f"{title}, by a session of one tenant"
        return
    if tenant is not None and config.endpoint_url is None:
        raise ConfigurationError(
            "--tenant needs --tenant-role ARN, a role with the policy OneTenant of "
            "infra/access.yaml. With it, DynamoDB refuses other tenants; your own credentials "
            "reach all of them."
        )
    if role is not None:
        raise ConfigurationError("--tenant-role needs --tenant: give both.")
    backend = DynamoBackend(config, observer=observe)
    _check(backend, tenant or "")
    # Fail now if the log table is missing.
    _ = list(backend.log.tenants()) if backend.log.per_tenant else backend.log.last_position
    yield backend, title


def _check(backend: DynamoBackend, tenant: str) -> None:
    """Fail now instead of on the first page if the tables are missing or cannot be reached."""
    from dynamo_es import StreamId

    backend.in_tenant(tenant).storage.head(StreamId(name="dynamo-es ui"))


@contextmanager
def _demonstration() -> Iterator[DynamoBackend]:
    """Open an emulator with a bank and courses; more streams are written while you look."""
    from dynamo_es.cli.demonstration import ui_history
    from dynamo_es.ui import observe

    with _few_warnings(), DynamoBackend.local(observe, sequencing="stream") as backend:
        backend.with_outbox(ui_history.choose_for_outbox)
        ui_history.fill_bank(backend)
        ui_history.fill_boundary(backend)
        backend.sequencer.run_once()
        ui_history.fill_consumers(backend)
        ended = threading.Event()

        def write() -> None:
            try:
                ui_history.fill_files(backend, ended.is_set)
            except Exception as error:  # noqa: BLE001 - the pages continue without the rest
                tell(f"The sample history is incomplete: {error}", style="red")

        thread = threading.Thread(target=write, daemon=True)
        with backend.sequencer.in_background():
            thread.start()
            try:
                yield backend
            finally:
                ended.set()
                thread.join()


@contextmanager
def _few_warnings() -> Iterator[None]:
    """Log no warnings but the pages' own: the sequencer lags a little, and consumers fail."""
    levels = {"dynamo_es": logging.ERROR, "dynamo_es.ui": logging.WARNING}
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
