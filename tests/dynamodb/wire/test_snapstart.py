"""A process that SnapStart saves has no open connections; restored, it opens new ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pytest

from dynamo_es import DynamoConfig
from dynamo_es.dynamodb.wire import snapstart
from dynamo_es.dynamodb.wire.client import LazyClient, sender_of
from dynamo_es.dynamodb.wire.snapstart import close_connections
from tests.dynamodb.wire.socket_server import Connected, answering, serving

if TYPE_CHECKING:
    from pathlib import Path

PUT: dict[str, Any] = {"TableName": "events", "Item": {"stream_key": {"S": "a"}}}


@pytest.mark.parametrize("transport", ["default", "botocore", "lean"])
def test_connections_are_closed_before_a_snapshot_and_the_client_is_kept(monkeypatch, transport):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    # Stand-ins of other tests may still exist, which cannot be closed.
    monkeypatch.setattr(snapstart, "_with_connections", WeakSet())
    closed = threading.Event()

    def until_closed(connected: Connected, number: int) -> None:
        answering(connected)
        if number == 0:
            closed.set()

    with serving(until_closed) as server:
        config = DynamoConfig(
            events_table="events",
            log_table="log",
            keys_table="keys",
            endpoint_url=server.url,
            region="eu-west-1",
            transport=transport,
        )
        send: Any = sender_of(config, LazyClient(config, None))
        client = send()
        for _ in range(2):
            client.put_item(**PUT)
        assert server.accepted == 1

        close_connections()
        assert closed.wait(10)
        send().put_item(**PUT)

        assert send() is client, "making it takes most of the start"
        assert server.accepted == 2


HOOKS = """
before, after = [], []
register_before_snapshot = before.append
register_after_restore = after.append
"""
PROGRAM = """
import json, random
import dynamo_es.dynamodb.wire.snapstart
import snapshot_restore_py as hooks
random.seed(1)
first = random.random()
for hook in hooks.before + hooks.after:
    hook()
random_after = random.random()
random.seed(1)
drawn = [random.random(), random.random()]
print(json.dumps([len(hooks.before), len(hooks.after), random_after not in drawn]))
"""


def run(tmp_path: Path, kind: str, hooks: str | None = HOOKS, program: str = PROGRAM) -> Any:
    if hooks is not None:
        (tmp_path / "snapshot_restore_py.py").write_text(textwrap.dedent(hooks))
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
            "AWS_LAMBDA_INITIALIZATION_TYPE": kind,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_hooks_are_registered_and_restored_copies_draw_numbers_of_their_own(tmp_path):
    assert run(tmp_path, "snap-start") == [1, 1, True]


def test_a_function_without_snapshots_has_no_hooks(tmp_path):
    assert run(tmp_path, "on-demand")[:2] == [0, 0]


def test_a_runtime_without_hooks_is_taken_as_it_is(tmp_path):
    assert (
        run(tmp_path, "snap-start", None, "import dynamo_es.dynamodb.wire.snapstart; print([])")
        == []
    )
