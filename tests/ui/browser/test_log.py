"""The live log, consumers and verification in a real browser, as an operator uses them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from dynamo_es import ANY_VERSION, RawEvent, StreamId
from dynamo_es.dynamodb.maintenance.repair import repair
from tests.ui.browser.history import HOSTILE_TEXT
from tests.ui.browser.picturing import picture
from tests.ui.browser.views import VIEWS, WIDTHS


def append(store, name, category="live", tenant=""):
    stream = StreamId(name=f"{name} {uuid4()}", category=category)
    event = RawEvent(uuid4(), stream, datetime(2026, 3, 3, 9, tzinfo=UTC), name, {}, {})
    store.in_tenant(tenant).storage.insert_events(stream, ANY_VERSION, [event])
    repair(store.config, lambda: store.client)


def test_new_events_come_to_the_live_log_as_text(visit, address, store):
    page = visit(address).open("/log/live")
    expect(page.locator("#tail-state")).to_have_text("Live")

    append(store, HOSTILE_TEXT)

    first = page.locator("#tail-rows tr").first
    expect(first).to_contain_text(HOSTILE_TEXT)
    expect(page.locator("#tail-count")).to_contain_text("1 since this page was opened")
    assert (
        page.evaluate("document.querySelectorAll('#tail-rows script, #tail-rows img').length") == 0
    )
    assert first.get_attribute("style") is None


def test_a_paused_log_holds_events_back(visit, address, store):
    page = visit(address).open("/log/live?category=held")
    expect(page.locator("#tail-state")).to_have_text("Live")
    page.locator("#tail-pause").click()
    append(store, "Held", "held")
    append(store, "Another", "not held")
    expect(page.locator("#tail-count")).to_have_text("1 since this page was opened, 1 held back")
    expect(page.locator("#tail-rows tr")).to_have_count(0)
    page.locator("#tail-pause").click()
    expect(page.locator("#tail-rows tr")).to_have_count(1)


def test_a_page_that_nobody_sees_is_sent_nothing_and_catches_up(visit, address, store):
    page = visit(address).open("/log/live?category=unseen")
    expect(page.locator("#tail-state")).to_have_text("Live")
    append(store, "First", "unseen")
    expect(page.locator("#tail-rows tr")).to_have_count(1)
    see = """(seen) => {
        Object.defineProperty(document, "visibilityState", { value: seen, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(see, "hidden")
    expect(page.locator("#tail-state")).to_have_text("Paused while this page is hidden")
    append(store, "Second", "unseen")
    page.evaluate(see, "visible")
    expect(page.locator("#tail-rows tr")).to_have_count(2)
    expect(page.locator("#tail-rows tr").first).to_contain_text("Second")


def test_a_link_of_a_live_row_leads_to_the_event(visit, address, store):
    page = visit(address).open("/log/live?category=linked")
    expect(page.locator("#tail-state")).to_have_text("Live")
    append(store, "Linked", "linked")
    page.locator("#tail-rows a").first.click()
    expect(page.locator("h1")).to_contain_text("Linked")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_live_log_is_pictured(visit, address, width):
    page = visit(address, width).open("/log/live?tenant=bank")
    expect(page.locator("#tail-state")).to_have_text("Live")
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page is wider than the screen"
    picture(page, "log-live", width)


@pytest.mark.parametrize("scripts", [True, False])
def test_the_log_is_walked_by_links(visit, address, scripts):
    page = visit(address, java_script_enabled=scripts).open("/log?after=0")
    expect(page.get_by_role("link", name="Earlier")).to_have_count(0)
    page.get_by_role("link", name="Later").click()
    expect(page.locator("td.num").first).to_have_text("51")
    page.get_by_role("link", name="Earlier").click()
    expect(page.locator("td.num").first).to_have_text("1")


def test_a_jump_to_a_time_by_the_form(visit, address):
    page = visit(address).open("/log")
    page.get_by_label("Time (UTC)").fill("2026-03-01T00:20:00")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".notice")).to_contain_text("The first event from 2026-03-01 00:20:00")


@pytest.mark.parametrize("scripts", [True, False])
def test_an_entry_of_the_outbox_is_retried(visit, writable_address, scripts):
    page = visit(writable_address, java_script_enabled=scripts).open(VIEWS["outbox"])
    page.get_by_role("link", name="Retry", exact=True).first.click()
    expect(page.locator("h1")).to_contain_text("Retry the event at position")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("table")).to_contain_text("waiting")


def test_a_projection_is_set_back_and_pictured(visit, writable_address, store):
    store.checkpoints.move("set back", 7)
    page = visit(writable_address).open("/consumers/projection?name=set+back")
    page.get_by_role("link", name="Set the position").click()
    picture(page, "consumer-reset", 1280)
    page.get_by_label("Position").fill("3")
    page.get_by_role("button", name="Set it").click()
    expect(page.locator("h1")).to_have_text("set back")
    assert store.checkpoints.position("set back") == 3


@pytest.mark.parametrize("scripts", [True, False])
def test_a_verification_is_started_and_shows_its_end(visit, address, scripts):
    page = visit(address, java_script_enabled=scripts).open("/verify")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("Nothing is wrong")).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_finished_verification_is_pictured(visit, address, width):
    page = visit(address, width).open("/verify")
    if page.get_by_text("Nothing is wrong").count() == 0:
        page.get_by_role("button", name="Verify").click()
        expect(page.get_by_text("Nothing is wrong")).to_be_visible(timeout=60_000)
    picture(page, "verify-finished", width)


def test_ctrl_c_ends_a_server_that_is_being_followed(visit):
    program = (
        "import uvicorn, socket\n"
        "from dynamo_es import MemoryBackend\n"
        "from dynamo_es.ui import create_app\n"
        "from dynamo_es.ui.serving import Server\n"
        "app = create_app(MemoryBackend())\n"
        "listener = socket.socket(); listener.bind(('127.0.0.1', 0)); listener.listen()\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "config = uvicorn.Config(app, lifespan='off', log_level='warning')\n"
        "try:\n"
        "    Server(config, app).run(sockets=[listener])\n"
        "except KeyboardInterrupt:\n"
        "    print('ended')\n"
    )
    with subprocess.Popen(  # noqa: S603 - a program of this test
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        watched = visit(address)
        watched.open("/log/live")
        expect(watched.page.locator("#tail-state")).to_have_text("Live")
        began = time.monotonic()
        server.send_signal(signal.SIGINT)
        printed, errors = server.communicate(timeout=10)
        assert time.monotonic() - began < 5
        assert (printed, errors) == ("ended\n", "")
        expect(watched.page.locator("#tail-state")).to_have_text("Reconnecting …")
        watched.problems.clear()
