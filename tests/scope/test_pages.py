"""The browser's pages and the command line with a log of each tenant."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamo_es import DynamoBackend, MemoryBackend, StreamId
from dynamo_es.testing.conformance.language import events
from dynamo_es.ui import observe
from dynamo_es.values import ANY_VERSION
from tests.cli.conftest import backend, command_line, emulator, run
from tests.ui.conftest import browse

__all__ = ["backend", "command_line", "emulator", "run"]


def fill(store: Any, *tenants: str) -> None:
    for tenant in tenants:
        stream = StreamId(name="one", category="c")
        store.in_tenant(tenant).storage.insert_events(stream, ANY_VERSION, events(stream, 2))


@pytest.fixture
def pages():
    store = MemoryBackend(log_scope="tenant")
    store.with_outbox()
    fill(store, "", "acme", "acme")
    store.projection("balances", lambda _: None, keep_unknown=True).run_once()
    store.outbox.run_once(lambda _: None, keep_unknown=True)
    return browse(store)


@pytest.mark.parametrize("path", ["/log", "/log/live", "/plots"])
def test_a_page_of_the_log_asks_for_a_tenant(pages, path):
    page = pages.get(path)

    assert page.status_code == 200
    assert "Each tenant has a log with positions of its own" in page.text
    assert f'href="{path}?tenant=acme"' in page.text
    assert f'href="{path}?default_tenant=1"' in page.text


def test_a_tenants_log_is_shown(pages):
    assert "up to position 4" in pages.get("/log?tenant=acme").text
    assert "up to position 2" in pages.get("/log?default_tenant=1").text
    assert pages.get("/log?tenant=acme&position=3").status_code == 200
    assert pages.get("/log/live?tenant=acme").status_code == 200
    assert pages.get("/plots?tenant=acme").status_code == 200


def test_consumers_are_listed_with_the_lag_in_their_logs(pages):
    page = pages.get("/consumers").text

    assert "each position is one in that log" in page
    assert page.count("balances") >= 2
    for path in ("projection?name=balances", "outbox?name=outbox"):
        assert pages.get(f"/consumers/{path}&tenant=acme").status_code == 200
        assert pages.get(f"/consumers/{path}").status_code in {400, 404}


@pytest.mark.parametrize("path", ["/", "/streams?tenant=acme&category=c", "/search?q=one"])
def test_other_pages_work_as_with_one_log(pages, path):
    assert pages.get(path).status_code == 200


def test_a_session_of_one_tenant_sees_its_log():
    with DynamoBackend.local(log_scope="tenant") as store:
        fill(store, "acme", "other")

        def refuse(params: dict[str, Any], model: Any, **_: Any) -> None:
            body = params["body"]
            text = body if isinstance(body, str) else body.decode()
            if model.name == "Scan" or '"acme#' not in text or "other" in text:
                error = {"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}
                raise ClientError(error, model.name)  # type: ignore[arg-type]

        store.client.meta.events.register("before-call.dynamodb", refuse)
        scoped = DynamoBackend(store.config, client=store.client, observer=observe)
        pages = browse(scoped.in_tenant("acme"), tenant="acme")
        scoped.in_tenant("acme").projection("p", lambda _: None, keep_unknown=True).run_once()

        assert "up to position 2" in pages.get("/log").text
        assert pages.get("/log/live").status_code == 200
        assert pages.get("/streams?tenant=acme&category=c").status_code == 200
        consumers = pages.get("/consumers")
        assert consumers.status_code == 200
        assert "these credentials do not allow" in consumers.text


@pytest.fixture
def stored(backend, monkeypatch):
    """Two events of each of two tenants, and the variable that the commands read."""
    monkeypatch.setenv("DYNAMO_ES_LOG_SCOPE", "tenant")
    config = replace(backend.config, sequencing="inline", log_scope="tenant")
    store = DynamoBackend(config, client=backend.client).with_outbox()
    fill(store, "", "acme")
    store.projection("balances", lambda _: None, keep_unknown=True).run_once()
    return store


def lines(ended: Any) -> list[Any]:
    assert ended.status == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_tail_shows_all_logs_or_one(run, stored):
    found = [(one["tenant"], one["position"]) for one in lines(run("tail", "--once", "--json"))]
    assert sorted(found) == [("", 1), ("", 2), ("acme", 1), ("acme", 2)]
    one = lines(run("tail", "--once", "--json", "--tenant", "acme", "--after", 1))
    assert [(record["tenant"], record["position"]) for record in one] == [("acme", 2)]
    refused = run("tail", "--once", "--after", 1)
    assert refused.status != 0
    assert "needs a tenant" in refused.err


def test_checkpoints_are_listed_and_reset_by_tenant(run, stored):
    fill(stored, "acme")
    found = lines(run("checkpoints", "--json"))
    assert [(one["tenant"], one["position"], one["lag"]) for one in found] == [
        ("", 2, 0),
        ("acme", 2, 2),
    ]
    assert lines(run("projections", "list", "--json"))[1]["lag"] == 2
    reset = run("checkpoints", "reset", "balances", "--tenant", "acme", "--yes", "--to", 1)
    assert (reset.status, stored.in_tenant("acme").checkpoints.position("balances")) == (0, 1)
    assert "needs a tenant" in run("checkpoints", "reset", "balances", "--yes").err


def test_outboxes_are_listed_and_tried_again(run, stored):
    def fail(_: Any) -> None:
        raise RuntimeError("down")

    stored.outbox.run_once(fail, attempts=1, keep_unknown=True)
    found = lines(run("outbox", "list", "--json"))
    assert {(one["tenant"], one["dead"]) for one in found} == {("", True), ("acme", True)}
    assert "needs a tenant" in run("outbox", "retry", 1).err
    assert run("outbox", "retry", "--all").status == 0
    assert not any(entry.dead for entry in stored.outbox.entries())


def test_an_export_is_of_one_tenant(run, stored, tmp_path):
    target = tmp_path / "events.jsonl"
    refused = run("export", target)
    assert "An export of the log needs a tenant" in refused.err
    assert not target.exists()
    assert run("export", target, "--tenant", "acme").status == 0
    assert run("export", target, "--tenant", "acme").status == 0
    assert len(target.read_text(encoding="utf-8").splitlines()) == 2


def test_the_log_is_verified_and_rebuilt(run, stored, backend):
    assert run("log", "verify").status == 0
    client = backend.client
    for item in client.scan(TableName="log")["Items"]:
        key = {name: item[name] for name in ("log_key", "place")}
        client.delete_item(TableName="log", Key=key)
    (done,) = lines(run("log", "repair", "--json", "--tenant", "acme"))
    assert done["positions"] == 2
    (done,) = lines(run("log", "repair", "--json"))
    assert done["positions"] == 2
    assert run("log", "verify").status == 0


def test_another_scope_is_refused_with_what_to_set(run, stored, monkeypatch):
    monkeypatch.setenv("DYNAMO_ES_LOG_SCOPE", "table")
    for command in (["tail", "--once"], ["log", "verify"], ["log", "repair"]):
        refused = run(*command)
        assert refused.status != 0
        assert "DYNAMO_ES_LOG_SCOPE=tenant" in refused.err
