"""A backend used before a fork works in both processes, each with its own connections."""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from binascii import crc32
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from dynamo_es import DynamoBackend, DynamoConfig, ExplicitVersioning, StreamId
from dynamo_es.contracts.consumers.leases import Lease, LeaseWatch
from dynamo_es.dynamodb.streams.remembered.heads import RememberedHeads
from dynamo_es.dynamodb.wire.client import LazyClient, make_client
from dynamo_es.dynamodb.wire.parallel.at_once import AtOnce
from dynamo_es.forking import new_lock, new_reentrant_lock, tell_of_forks
from dynamo_es.testing.conformance.language import an_event, events

pytestmark = [
    pytest.mark.ci,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
LONGEST = 20


def in_child(function) -> Any:
    """Return what a function returns in a forked child; fail if the child hangs."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - the parent wants to know
            result = error
        os.write(writing, pickle.dumps(result))
        os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], LONGEST)
    if not ready:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        assert ready, "the child hangs"
        result = pickle.load(pipe)  # noqa: S301 - the child's own
    if isinstance(result, BaseException):
        raise result
    return result


class Server(BaseHTTPRequestHandler):
    """Answers every query with nothing, and notes which connection it came by."""

    protocol_version = "HTTP/1.1"
    ports: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.ports.append(self.client_address[1])
        body = json.dumps({"Items": [], "Count": 0}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("x-amz-crc32", str(crc32(body)))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its base's name
        """Say nothing."""


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    Server.ports.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield DynamoConfig(
        events_table="events",
        log_table="log",
        keys_table="keys",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region="us-east-1",
    )
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("given", [False, True], ids=["its own client", "a client of the caller's"])
def test_child_never_uses_a_connection_of_its_parent(config, given):
    backend = DynamoBackend(config, make_client(config) if given else None)
    stream = StreamId()

    def load():
        assert backend.storage.fetch_events(stream) == []

    load()
    load()
    in_child(lambda: [load(), load()])
    load()

    parents, children = set(Server.ports[:2]), set(Server.ports[2:4])
    assert len(parents) == 1, "the connection is kept"
    assert len(children) == 1
    assert parents.isdisjoint(children)
    assert set(Server.ports[4:]) == parents, "the parent goes on with it"


def test_client_for_users_is_another_one_in_the_child_too(config):
    backend = DynamoBackend(config)
    query: dict[str, Any] = {
        "TableName": "mine",
        "KeyConditionExpression": "id = :id",
        "ExpressionAttributeValues": {":id": {"S": "1"}},
    }
    backend.client.query(**query)

    in_child(lambda: backend.client.query(**query)["Count"])

    assert len(set(Server.ports)) == 2


def test_grandchild_has_connections_of_its_own(config):
    backend = DynamoBackend(config)
    stream = StreamId()
    backend.storage.fetch_events(stream)

    def child():
        backend.storage.fetch_events(stream)
        in_child(lambda: backend.storage.fetch_events(stream))

    in_child(child)

    assert len(set(Server.ports)) == 3


def test_lock_that_another_thread_holds_is_free_in_the_child():
    locks: list[Any] = [new_lock(), new_reentrant_lock()]
    heads = RememberedHeads(10, lambda: 0.0)
    held, done = threading.Event(), threading.Event()

    def hold():
        with locks[0], locks[1], heads._lock:
            held.set()
            done.wait(LONGEST)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(LONGEST)
    try:
        free = in_child(lambda: [lock.acquire(timeout=5) for lock in locks])
        assert in_child(lambda: heads.get("stream")) is None
    finally:
        done.set()
        holder.join()
    assert free == [True, True]


def test_client_that_another_thread_is_making_is_made_anew(config, monkeypatch):
    making, made = threading.Event(), threading.Event()
    parent = os.getpid()

    def make(config):
        if os.getpid() == parent:
            making.set()
            made.wait(LONGEST)
        return make_client(config)

    monkeypatch.setattr("dynamo_es.dynamodb.wire.client.make_client", make)
    lazy = LazyClient(config, None)
    maker = threading.Thread(target=lazy)
    maker.start()
    making.wait(LONGEST)
    try:
        assert in_child(lambda: lazy().meta.region_name) == "us-east-1"
    finally:
        made.set()
        maker.join()


def test_fork_while_threads_append_leaves_a_child_that_appends():
    with DynamoBackend.local() as backend:
        stop = threading.Event()

        def append():
            while not stop.is_set():
                stream = StreamId()
                backend.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))

        threads = [threading.Thread(target=append) for _ in range(3)]
        for thread in threads:
            thread.start()

        def in_its_copy():
            stream = StreamId()
            version = backend.storage.insert_events(
                stream, ExplicitVersioning(0), [an_event(stream)]
            )
            return version, len(backend.storage.fetch_events(stream)), backend.log.last_position

        try:
            found = [in_child(in_its_copy) for _ in range(5)]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert [each[:2] for each in found] == [(1, 1)] * 5
    assert all(position for *_, position in found), "its sequencer works as well"


def test_sequencer_in_a_thread_stays_with_the_parent():
    with DynamoBackend.local(sequencing="stream") as backend:
        with backend.sequencer.in_background():
            ended = in_child(lambda: [thread.name for thread in threading.enumerate()])
        assert "dynamo-es-poller" not in ended
        assert in_child(lambda: backend.sequencer.run_once().polled.records) == 0


def test_what_is_gone_is_not_told():
    told = []

    class Owner:
        def after_fork(self):
            told.append(self)

    kept, gone = Owner(), Owner()
    tell_of_forks(kept)
    tell_of_forks(gone)
    del gone

    assert in_child(lambda: len(told)) == 1
    assert not told
    assert kept


def test_an_owner_that_fails_leaves_the_others_their_turn():
    class Broken:
        def after_fork(self):
            raise ZeroDivisionError

    class Told:
        told = 0

        def after_fork(self):
            self.told += 1

    owners: list[Any] = [Broken(), Told(), Broken(), Told()]
    for owner in owners:
        tell_of_forks(owner)

    assert in_child(lambda: sum(owner.told for owner in owners if isinstance(owner, Told))) == 2


def test_requests_at_once_run_on_threads_of_the_child():
    def meeting(at_once: AtOnce) -> list[int | Exception]:
        barrier = threading.Barrier(2)
        return at_once.run(lambda place: place if barrier.wait(LONGEST / 2) >= 0 else -1, 2)

    at_once = AtOnce(2)
    busy, end = threading.Barrier(3), threading.Event()

    def waiting(_: int) -> None:
        busy.wait(LONGEST)
        end.wait(LONGEST)

    parent = threading.Thread(target=lambda: at_once.run(waiting, 2))
    parent.start()
    busy.wait(LONGEST)
    try:
        # The parent's thread is at work during the fork, and does not exist in the child.
        assert in_child(lambda: meeting(at_once)) == [0, 1]
    finally:
        end.set()
        parent.join(LONGEST)
    assert meeting(at_once) == [0, 1]


def test_a_process_that_was_interrupted_between_requests_at_once_ends():
    program = """
import _thread, signal, threading, time
from dynamo_es.dynamodb.wire.parallel.at_once import AtOnce

signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it

def call(place):
    if threading.current_thread() is threading.main_thread():
        _thread.interrupt_main()
    time.sleep(0.2)

try:
    AtOnce(4).run(call, 100)
except KeyboardInterrupt:
    print("interrupted")
"""
    ended = subprocess.run(  # noqa: S603 - this interpreter, and the text above
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "interrupted\n"
    assert ended.stderr == ""


def test_a_child_judges_leases_though_a_thread_of_the_parent_does_so_at_the_fork():
    watch = LeaseWatch()

    with watch._lock:
        assert in_child(lambda: watch.is_over("projection", Lease("other", 5_000, 1_000), 0)) is (
            False
        )
