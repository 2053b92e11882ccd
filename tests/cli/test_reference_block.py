"""The commands of the reference run as printed, on an empty machine with a local engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from dynamo_es import DynamoConfig
from dynamo_es.dynamodb.tables.create import delete_tables
from dynamo_es.dynamodb.wire.client import make_client

ROOT = Path(__file__).parents[2]
ENDPOINT = os.environ.get("DYNAMO_ES_TEST_ENDPOINT")
PAGE = (ROOT / "docs" / "reference" / "cli.md").read_text()
(BLOCK,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def machine(tmp_path):
    """The environment of an empty machine: the command, and no setting of AWS or the store."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "dynamo-es"
    command.write_text(
        f"#!{sys.executable}\nfrom dynamo_es.cli import main\nmain()\n", encoding="utf-8"
    )
    command.chmod(0o755)
    return {
        "PATH": f"{command.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def prefix(monkeypatch):
    """A prefix of tables that are new: an engine may keep the records of deleted tables' streams.

    The tables are deleted at the end.
    """
    if ENDPOINT is None:
        pytest.skip("no local engine: its address goes into DYNAMO_ES_TEST_ENDPOINT")
    for variable in list(os.environ):
        if variable.startswith("AWS_"):
            monkeypatch.delenv(variable)
    prefix = f"readme-{uuid4().hex[:12]}"
    yield prefix
    config = DynamoConfig(
        events_table=f"{prefix}-events",
        log_table=f"{prefix}-log",
        keys_table=f"{prefix}-keys",
        endpoint_url=ENDPOINT,
    )
    delete_tables(make_client(config), config)


@pytest.mark.ci
@pytest.mark.endpoint
def test_the_block_runs_as_printed(machine, prefix, tmp_path):
    script = BLOCK.replace("http://127.0.0.1:8000", ENDPOINT)
    script = script.replace("dynamo-es init ", f"dynamo-es init --prefix {prefix} ")

    ended = subprocess.run(  # noqa: S603 - the project's own text
        ["/bin/sh", "-eu", "-c", script],
        env=machine,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ended.returncode == 0, ended.stderr
    assert f"{prefix}-events is ready." in ended.stdout
    assert "Traceback" not in ended.stderr
    assert "Using the region us-east-1 and dummy credentials for the local" in ended.stderr
    out = ended.stdout.splitlines()
    assert "account" in out, "the categories"
    assert any(line.endswith(" 1 ann") for line in out), "the streams of the category"
    assert any(line.startswith('{"stream": ') for line in out), "the head as JSON"
    assert "1" in out, "the last position"
    assert "Deleted ann, category account, tenant acme: 1 event." in out


def test_every_command_of_the_block_exists():
    import typer.main

    from dynamo_es.cli.application import application

    names = re.findall(r"dynamo-es ([a-z-]+)", BLOCK)
    assert len(names) > 10
    known = typer.main.get_command(application).commands  # type: ignore[attr-defined]
    assert [name for name in names if name not in known] == []
