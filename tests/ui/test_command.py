"""``dynamo-es ui``: what it opens, what it refuses, and which hosts it answers to."""

from __future__ import annotations

import logging
import re
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer
import uvicorn
from typer.testing import CliRunner

from dynamo_es import DynamoBackend, MemoryBackend, StreamId
from dynamo_es.cli import ui as command
from dynamo_es.cli.application import application
from dynamo_es.cli.demonstration.stage import EVENTS_PER_COMMIT
from dynamo_es.cli.demonstration.ui_history import (
    BANK,
    COURSES,
    UNIVERSITY,
    fill_bank,
    fill_files,
)
from dynamo_es.dynamodb.wire import client as client_module
from dynamo_es.ui.queries import boundary_address
from dynamo_es.ui.security import ANY_ADDRESS
from tests.ui.conftest import TestClient, append, raw

if TYPE_CHECKING:
    import httpx

TABLES = {
    "DYNAMO_ES_EVENTS_TABLE": "events",
    "DYNAMO_ES_LOG_TABLE": "log",
    "DYNAMO_ES_KEYS_TABLE": "keys",
}


class Served:
    """What the command gave to uvicorn, and what it printed."""

    app: Any = None
    address: tuple[Any, ...] = ()
    status: int = 0
    err: str = ""
    pages: dict[str, httpx.Response]


@pytest.fixture
def run(monkeypatch):
    """Run the command with a server that answers some requests and ends."""
    served = Served()

    def run_ui(*arguments: str, ask: tuple[str, ...] = ()) -> Served:
        def answer(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
            served.app = server.config.app
            served.address = sockets[0].getsockname()
            client = TestClient(served.app, base_url="http://localhost")
            served.pages = {path: client.get(path) for path in ask}
            sockets[0].close()

        monkeypatch.setattr(uvicorn.Server, "run", answer)
        result = CliRunner().invoke(application, ["ui", "--port", "0", *arguments])
        if isinstance(result.exception, Exception) and not isinstance(result.exception, typer.Exit):
            raise result.exception
        served.status, served.err = result.exit_code, result.stderr
        return served

    return run_ui


@pytest.fixture
def tables(dynamo, monkeypatch):
    """An empty store, whose tables the command finds in its environment."""
    monkeypatch.setattr(client_module, "make_client", lambda _: dynamo.client)
    for variable, table in TABLES.items():
        monkeypatch.setenv(variable, table)
    return dynamo


def test_opens_on_the_tables_of_the_environment(run, tables):
    append(tables.in_tenant("acme"), raw(StreamId(name="one", category="c"), 1))
    served = run(ask=("/",))
    assert served.status == 0
    assert "acme" in served.pages["/"].text
    assert "the tables events and log" in served.pages["/"].text
    assert "read-only" in served.pages["/"].text
    assert served.address[0] == "127.0.0.1"
    assert "http://127.0.0.1:" in served.err
    assert "Warning" not in served.err


def test_a_missing_table_is_told_at_once(run, tables, monkeypatch):
    monkeypatch.setenv("DYNAMO_ES_EVENTS_TABLE", "nowhere")
    served = run()
    assert served.status == 1
    assert "create-tables" in served.err


def test_a_missing_table_of_the_log_is_told_at_once(run, tables, monkeypatch):
    monkeypatch.setenv("DYNAMO_ES_LOG_TABLE", "nowhere")
    served = run()
    assert served.status == 1
    assert "nowhere" in served.err
    assert "create-tables" in served.err


def test_a_port_in_use_is_told_with_what_to_do(run, tables):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        served = run("--port", str(port))
    assert served.status == 1
    assert f"Port {port} of 127.0.0.1 is in use" in served.err
    assert "--port 0" in served.err


def test_an_address_of_another_machine_is_told(run, tables):
    served = run("--host", "192.0.2.1")
    assert served.status == 1
    assert "cannot listen on 192.0.2.1" in served.err
    assert "--host" in served.err


@pytest.mark.ci
def test_the_demonstration_needs_no_tables(run, monkeypatch):
    for variable in TABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("dynamo_es.cli.demonstration.ui_history.fill_files", lambda *_: None)
    before = logging.getLogger("dynamo_es").level
    courses = boundary_address(UNIVERSITY, COURSES, query="course:maths")
    asked = ("/", "/streams?tenant=bank&category=account", "/consumers", courses)
    served = run("--demo", ask=asked)
    assert served.status == 0
    assert logging.getLogger("dynamo_es").level == before
    assert "This consumer refuses deposits above 2,000.00." in served.pages["/consumers"].text
    assert "a sample history" in served.pages["/"].text
    assert served.pages["/streams?tenant=bank&category=account"].status_code == 200
    assert "StudentEnrolled" in served.pages[courses].text


def test_the_demonstration_is_of_all_tenants(run):
    served = run("--demo", "--tenant", "bank")
    assert served.status == 1
    assert "not --demo" in served.err


def test_the_demonstration_has_something_of_everything(dynamo):
    fill_bank(dynamo)
    bank = dynamo.in_tenant(BANK)
    ann = bank.event_store.load_stream(StreamId(name="account/ann", category="account"))
    assert ann[0].version == 9  # a snapshot
    carol = bank.storage.head(StreamId(name="account/carol", category="account"))
    assert carol is not None
    assert carol.length == 2
    assert {*bank.log.categories(BANK)} == {"account", "alerts", "payroll"}


def test_the_files_of_the_demonstration_stop_when_the_browser_ends():
    backend = MemoryBackend()
    ended = iter([False, False, True])
    fill_files(backend, lambda: next(ended))
    assert backend.log.last_position == 2 * EVENTS_PER_COMMIT


def test_options_reach_the_pages(run, tables):
    served = run("--allow-writes", "--reveal", "--import", "tests.ui.bank", ask=("/",))
    assert "Writes are allowed." in served.pages["/"].text
    assert "Encrypted fields are revealed." in served.pages["/"].text
    assert "tests.ui.bank" in sys.modules


def test_a_look_at_encrypted_fields_is_printed_with_its_time(run, tables):
    fill_bank(tables)
    path = f"/event?tenant={BANK}&category=account&name=account/ann&version=1"
    served = run("--reveal", ask=(path,))
    assert "ann@example.com" in served.pages[path].text
    looks = re.findall(r"^\d{4}-\d\d-\d\d [\d:,]+ WARNING .*", served.err, re.MULTILINE)
    assert len(looks) >= 1
    assert f"tenant '{BANK}'" in looks[0]
    assert not logging.getLogger("dynamo_es.ui").handlers


def test_a_module_that_is_missing_is_told(run, tables):
    served = run("--import", "no.such.module")
    assert served.status == 1
    assert "There is no module no.such.module" in served.err


def test_one_tenant_on_aws_needs_a_role(run, tables):
    served = run("--tenant", "acme")
    assert served.status == 1
    assert "--tenant needs --tenant-role ARN" in served.err
    assert run("--tenant-role", "arn:aws:iam::1:role/x").status == 1


def test_one_tenant_on_a_local_engine_is_kept_to_by_the_program(run, tables):
    options = ("--tenant", "acme", "--endpoint-url", "http://127.0.0.1:9")
    served = run(*options, ask=("/streams?tenant=other&category=c",))
    assert served.pages["/streams?tenant=other&category=c"].status_code == 403


def test_one_tenant_by_a_role_looks_through_a_session_of_that_tenant(run, tables, monkeypatch):
    given = {}

    def tenant_backend(tenant_id, role_arn, *, config, session_name, observer):
        given.update(tenant=tenant_id, role=role_arn, name=session_name)
        return DynamoBackend(config, client=tables.client, observer=observer).in_tenant(tenant_id)

    monkeypatch.setattr("dynamo_es.aws_lambda.sessions.tenant_backend", tenant_backend)
    append(tables.in_tenant("acme"), raw(StreamId(name="one", category="c"), 1))
    path = "/stream?tenant=acme&category=c&name=one"
    served = run("--tenant", "acme", "--tenant-role", "arn:aws:iam::1:role/x", ask=(path,))
    assert served.status == 0
    assert served.pages[path].status_code == 200
    assert given == {"tenant": "acme", "role": "arn:aws:iam::1:role/x", "name": "dynamo-es-ui"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_no_warning(host, capsys):
    assert command._hosts(host, ()) == ["localhost", "127.0.0.1", "[::1]"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("host", "added"),
    [("0.0.0.0", ANY_ADDRESS), ("::", ANY_ADDRESS), ("10.0.0.7", "10.0.0.7"), ("box", "box")],  # noqa: S104
)
def test_other_addresses_get_a_warning(host, added, capsys):
    assert command._hosts(host, ("proxy.example",))[-2:] == ["proxy.example", added]
    assert "other machines can reach" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("::1", "http://[::1]:80/"),
        ("0.0.0.0", "http://localhost:80/"),  # noqa: S104
        ("box", "http://box:80/"),
    ],
)
def test_prints_an_address_that_can_be_opened(host, address):
    assert command._address(host, 80) == address
