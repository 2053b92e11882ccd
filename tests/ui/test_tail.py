"""The live tail: each event once, from where the client left, for a bounded number of clients."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from typing import TYPE_CHECKING, Any, Final

import pytest
import uvicorn

from dynamo_es import StreamId
from dynamo_es.exceptions import ThrottledError
from dynamo_es.ui import stop, tail
from dynamo_es.ui.serving import Server
from tests.ui.conftest import append, browse, raw

if TYPE_CHECKING:
    from collections.abc import Callable

STREAM = StreamId(name="ann", category="account")

LIMIT: Final = 60.0
"""Seconds that a machine may take for what takes milliseconds: it is busy with other tests."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(tail, "_LONGEST_PAUSE", 0.02)


class Client:
    """A client of a server that is asked without a socket. Collects what it is sent."""

    def __init__(self, app: Any, path: str = "/log/tail", query: str = "", **headers: str) -> None:
        self.app = app
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "scheme": "http",
            "server": ("localhost", 80),
            "headers": [
                (b"host", b"localhost"),
                *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()),
            ],
        }
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.goes = asyncio.Event()
        self.slow = 0.0

    async def run(self) -> None:
        async def receive() -> dict[str, Any]:
            await self.goes.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if self.slow:
                await asyncio.sleep(self.slow)
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                self.text += message.get("body", b"").decode()

        await self.app(self.scope, receive, send)

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT):
            while not reached():  # noqa: ASYNC110 - what is awaited is any state
                await asyncio.sleep(0.005)

    @property
    def ids(self) -> list[int]:
        return [
            int(found)
            for found in re.findall(r"^id: (\d+)\ndata: \{\"position", self.text, re.MULTILINE)
        ]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [
            json.loads(found)
            for found in re.findall(r"^data: (\{\"position.*)$", self.text, re.MULTILINE)
        ]


def test_each_event_is_sent_once_as_it_comes(backend):
    append(backend, raw(STREAM, 1))
    app = browse(backend).app

    async def scenario() -> None:
        client = Client(app, query="after=0")
        task = asyncio.create_task(client.run())
        await client.until(lambda: client.ids == [1])
        await asyncio.to_thread(append, backend, raw(STREAM, 2), raw(STREAM, 3))
        await client.until(lambda: len(client.ids) == 3)
        client.goes.set()
        await task
        assert client.ids == [1, 2, 3]
        assert client.status == 200
        assert client.headers["content-type"].startswith("text/event-stream")
        assert client.headers["cache-control"] == "no-store"
        assert client.text.startswith("retry: 3000\n\n")
        assert client.rows[0]["event"] == "Deposited"

    asyncio.run(scenario())


def test_it_begins_at_the_end_or_after_the_last_event_that_the_client_has(memory):
    for number in (1, 2, 3):
        append(memory, raw(STREAM, number))
    app: Any = browse(memory).app

    async def scenario() -> None:
        fresh, late = Client(app), Client(app, query="after=0", last_event_id="2")
        tasks = [asyncio.create_task(client.run()) for client in (fresh, late)]
        await late.until(lambda: bool(late.ids) and app.state.tails.open == 2)
        append(memory, raw(STREAM, 4))
        await late.until(lambda: late.ids == [3, 4] and fresh.ids == [4])
        stop(app)
        await asyncio.wait_for(asyncio.gather(*tasks), LIMIT)

    asyncio.run(scenario())


def test_filters_and_the_tenant_limit_what_is_sent(memory, monkeypatch):
    monkeypatch.setattr(tail, "_BEAT", 0.01)
    append(memory, raw(STREAM, 1))
    append(memory, raw(StreamId(name="7", category="order"), 1, "Placed"))
    append(memory.in_tenant("acme"), raw(STREAM, 1))

    async def ids(query: str, **options: Any) -> list[int]:
        app: Any = browse(memory, **options).app
        client = Client(app, query=f"after=0&{query}")
        task = asyncio.create_task(client.run())
        await client.until(lambda: "event: cost" in client.text or client.status >= 400)
        stop(app)
        await asyncio.wait_for(task, LIMIT)
        return client.ids if client.status == 200 else [-client.status]

    assert asyncio.run(ids("category=order")) == [2]
    assert asyncio.run(ids("event=Deposited")) == [1, 3]
    assert asyncio.run(ids("tenant=acme")) == [3]
    assert asyncio.run(ids("", tenant="acme")) == [3]
    assert asyncio.run(ids("tenant=other", tenant="acme")) == [-403]


def test_a_server_that_stops_ends_its_tails_and_begins_none(memory):
    app: Any = browse(memory).app

    async def scenario() -> None:
        client, late = Client(app), Client(app)
        task = asyncio.create_task(client.run())
        await client.until(lambda: app.state.tails.open == 1)
        stop(app)
        await asyncio.wait_for(task, LIMIT)
        await asyncio.wait_for(late.run(), LIMIT)
        assert late.status == 503

    asyncio.run(scenario())
    assert app.state.tails.open == 0


def test_only_so_many_clients_at_a_time(memory):
    app: Any = browse(memory).app

    async def scenario() -> None:
        clients = [Client(app) for _ in range(tail.MOST_CLIENTS)]
        tasks = [asyncio.create_task(client.run()) for client in clients]
        await clients[0].until(lambda: app.state.tails.open == tail.MOST_CLIENTS)
        refused = Client(app)
        await refused.run()
        assert refused.status == 503
        assert refused.headers["retry-after"] == "10"
        clients[0].goes.set()
        await tasks[0]
        again = Client(app)
        task = asyncio.create_task(again.run())
        await again.until(lambda: again.status == 200)
        stop(app)
        await asyncio.wait_for(asyncio.gather(task, *tasks), LIMIT)

    asyncio.run(scenario())
    assert app.state.tails.open == 0


def test_a_client_that_does_not_take_what_it_is_sent_is_given_up(memory, monkeypatch):
    monkeypatch.setattr(tail, "_SLOWEST", 0.05)
    append(memory, raw(STREAM, 1))
    app: Any = browse(memory).app

    async def scenario() -> None:
        client = Client(app, query="after=0")
        client.slow = LIMIT
        await asyncio.wait_for(client.run(), LIMIT)

    asyncio.run(scenario())
    assert app.state.tails.open == 0


def test_a_wrong_position_is_refused_and_takes_no_place(memory):
    app: Any = browse(memory).app

    async def scenario() -> None:
        for query, headers in (
            ("after=x", {}),
            ("after=99", {}),
            ("after=-1", {}),
            ("", {"last_event_id": "99"}),
        ):
            client = Client(app, query=query, **headers)
            await asyncio.wait_for(client.run(), LIMIT)
            assert client.status == 400, query

    asyncio.run(scenario())
    assert app.state.tails.open == 0


def test_a_page_of_another_site_takes_no_place(memory):
    app: Any = browse(memory).app

    async def scenario() -> None:
        for site in ("cross-site", "same-site"):
            client = Client(app, sec_fetch_site=site)
            await asyncio.wait_for(client.run(), LIMIT)
            assert client.status == 403

    asyncio.run(scenario())
    assert app.state.tails.open == 0


def test_asking_for_the_headers_alone_takes_no_place(memory):
    client = browse(memory)
    assert client.head("/log/tail").status_code == 405


def test_errors_are_told_and_after_some_in_a_row_it_ends(memory):
    class Reader:
        position = 0
        calls = 0

        def read_some(self, _most: int) -> Any:
            self.calls += 1
            raise ThrottledError("Query", "Throttling", "slow down", "log")

    reader: Any = Reader()

    async def scenario() -> list[str]:
        return [text async for text in tail._messages(reader, tail.Tails())]

    sent = asyncio.run(scenario())
    assert reader.calls == 5
    assert sent[0] == "retry: 3000\n\n"
    assert [text.startswith('event: trouble\ndata: "ThrottledError') for text in sent[1:]] == [
        True
    ] * 5


def test_a_quiet_tail_says_what_it_cost(dynamo, monkeypatch):
    monkeypatch.setattr(tail, "_BEAT", 0.02)
    app: Any = browse(dynamo).app

    async def scenario() -> str:
        client = Client(app)
        task = asyncio.create_task(client.run())
        await client.until(lambda: "event: cost" in client.text)
        stop(app)
        await asyncio.wait_for(task, LIMIT)
        return client.text

    cost = re.search(r"event: cost\nid: 0\ndata: (.*)\n", asyncio.run(scenario()))
    assert cost is not None
    assert json.loads(cost[1])["requests"] >= 2


@pytest.mark.parametrize("hostile", ["a\nid: 7\n\ndata: x", "\r\n\r\n", "\u2028", "</script>"])
def test_a_hostile_name_makes_no_message_of_its_own(memory, hostile):
    append(memory, raw(StreamId(name=hostile, category=hostile), 1, hostile))
    app: Any = browse(memory).app

    async def scenario() -> Client:
        client = Client(app, query="after=0")
        task = asyncio.create_task(client.run())
        await client.until(lambda: bool(client.ids))
        stop(app)
        await asyncio.wait_for(task, LIMIT)
        return client

    client = asyncio.run(scenario())
    assert client.text.count("\n\n") == 2
    assert "\r" not in client.text
    assert len(client.rows) == 1


def test_the_live_page_works_without_scripts_and_names_its_source(memory):
    append(memory, raw(STREAM, 1))
    page = browse(memory).get("/log/live?category=account").text
    assert 'data-source="/log/tail?after=1&amp;category=account"' in page
    assert "<noscript>" in page
    assert "Deposited" in page


def test_a_signal_ends_the_tails_that_the_server_would_wait_for(memory):
    app: Any = browse(memory).app
    server = Server(uvicorn.Config(app), app)
    server.handle_exit(signal.SIGINT, None)
    assert app.state.tails.stopping
    assert server.should_exit
