"""The emulator answers other processes until it is ended; the templates come with the package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dynamo_es import DynamoBackend, DynamoConfig, Event, StreamId
from dynamo_es.cli.aws.template import TEMPLATES

INFRA = Path(__file__).parents[2] / "infra"
STREAM = StreamId(name="ann", category="account")


class Deposited(Event):
    __event_name__ = "test_emulator.deposited"
    amount: int


@pytest.mark.ci
def test_the_emulator_serves_other_processes_until_it_is_ended(tmp_path):
    served = subprocess.Popen(
        [sys.executable, "-c", "from dynamo_es.cli import main; main()", "emulator", "--port", "0"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert served.stdout is not None
    url = served.stdout.readline().strip()
    config = DynamoConfig(
        events_table="e", log_table="l", keys_table="k", endpoint_url=url, sequencing="inline"
    )
    for process in range(2):
        with DynamoBackend(config) as backend:
            backend.create_tables()
            backend.event_store.append(
                Deposited(amount=process), stream_id=STREAM, expected_version=process
            )
    with DynamoBackend(config) as backend:
        stored = [one.event for one in backend.event_store.load_stream(STREAM)]

    served.send_signal(signal.SIGINT)

    assert stored == [Deposited(amount=0), Deposited(amount=1)]
    assert served.communicate(timeout=10)[1] == f"The emulator is at {url} (Ctrl-C ends it).\n"
    assert served.returncode == 0


def test_a_port_that_is_taken_is_an_error(run):
    from dynamo_es.dynamodb.emulator.server import serving

    with serving() as address:
        ended = run("emulator", "--port", address.partition(":")[2])

    assert ended.status == 1
    assert "Choose another --port." in ended.err


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_printed_as_it_is(run, name):
    assert run("template", name).out == (INFRA / f"{name}.yaml").read_text()


def test_every_template_has_a_line_in_the_list(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # no line is so long that it goes on in another
    listed = [line.split()[0] for line in run("template").out.splitlines()]

    assert sorted(listed) == sorted(file.stem for file in INFRA.glob("*.yaml"))


def test_an_unknown_template_is_refused_with_the_names_of_all(run):
    ended = run("template", "weather")

    assert ended.status == 2
    assert "event-store" in ended.err
