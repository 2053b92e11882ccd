"""Every page in a real browser: nothing goes wrong, nothing sticks out, and a picture of most."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from dynamo_es.ui.queries import event_address, stream_address
from tests.ui.browser.history import (
    HOSTILE,
    HOSTILE_TEXT,
    LONG,
    LONG_EVENTS,
    LONG_TENANT,
    MALLORY,
)
from tests.ui.browser.picturing import picture
from tests.ui.browser.views import ANN, BANK, NOT_PICTURED, VIEWS, WIDTHS


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", VIEWS)
def test_a_page_is_right_and_is_pictured(visit, address, name, width):
    page = visit(address, width).open(VIEWS[name])
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page is wider than the screen"
    assert page.locator("h1").count() == 1
    if name not in NOT_PICTURED:
        picture(page, name, width)


def test_a_dark_page_is_pictured(visit, address):
    page = visit(address, color_scheme="dark").open(VIEWS["stream"])
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = map(int, re.findall(r"\d+", background)[:3])
    assert max(red, green, blue) < 60
    picture(page, "stream-dark", 1280)


def test_pages_work_without_scripts(visit, address):
    watched = visit(address, java_script_enabled=False)
    for path in VIEWS.values():
        assert watched.open(path).locator("h1").count() == 1


def test_pages_link_to_each_other(visit, address):
    page = visit(address).open("/")
    page.get_by_role("link", name="account", exact=True).click()
    page.get_by_role("link", name="account/ann").click()
    page.get_by_role("link", name="demo.account.opened").click()
    expect(page.locator("h1")).to_have_text("demo.account.opened")
    page.get_by_role("link", name="2 →").click()
    expect(page.locator("h1")).to_have_text("demo.money.deposited")
    page.get_by_role("link", name="The stream as it was").click()
    expect(page.locator("#as-it-was")).to_contain_text("Version 2")


def test_the_slash_goes_to_the_search_box(visit, address):
    page = visit(address).open(VIEWS["stream"])
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("account/bob")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Search")
    expect(page.get_by_role("link", name="account/bob").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).not_to_be_focused()


def test_a_slash_in_a_field_is_a_slash(visit, address):
    page = visit(address).open("/")
    page.locator("#open-stream").focus()
    page.keyboard.type("account/ann")
    expect(page.locator("#open-stream")).to_have_value("account/ann")


def test_the_slider_shows_the_stream_as_it_was_while_it_moves(visit, address):
    page = visit(address).open(stream_address(BANK, ANN, "/stream/as-it-was", version=1))
    page.locator("#version").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#version-shown")).to_have_text("3")
    expect(page.locator("#as-it-was")).to_contain_text("Version 3")
    expect(page).to_have_url(re.compile("version=3"))  # the view can be shared
    page.locator("#time").focus()
    page.keyboard.press("Home")
    expect(page.locator("#as-it-was")).to_contain_text("did not exist yet")


def test_the_slider_works_without_scripts(visit, address):
    watched = visit(address, java_script_enabled=False)
    page = watched.open(stream_address(BANK, ANN, "/stream/as-it-was", version=2))
    page.locator("#version").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Show this version").click()
    expect(page.locator("#as-it-was")).to_contain_text("Version 3")


def test_hostile_events_stay_text(visit, address):
    watched = visit(address)
    watched.page.on("dialog", lambda dialog: watched.problems.append("a dialog opened"))
    for version in range(1, 5):
        page = watched.open(event_address(MALLORY, HOSTILE, version))
        expect(page.locator("h1")).to_have_text(HOSTILE_TEXT)
        assert page.locator("img").count() == 0
        assert page.locator("body script").count() == 0
    page = watched.open("/search?q=alert")
    expect(page.get_by_role("link", name=str(HOSTILE.category)).first).to_be_visible()


def test_a_stream_of_100_000_events_is_paged(visit, address):
    watched = visit(address)
    page = watched.open(stream_address(LONG_TENANT, LONG))
    expect(page.locator(".figures")).to_contain_text(f"{LONG_EVENTS:,}")
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("link", name="First page")).to_be_visible()
    page = watched.open(event_address(LONG_TENANT, LONG, LONG_EVENTS // 2))
    expect(page.locator(".json").first).to_contain_text(f'"count": {LONG_EVENTS // 2}')
    half = stream_address(LONG_TENANT, LONG, "/stream/as-it-was", version=LONG_EVENTS // 2)
    expect(watched.open(half).locator("#as-it-was")).to_contain_text(f"{LONG_EVENTS // 2:,}")
    time = stream_address(LONG_TENANT, LONG, "/stream/as-it-was", time="2026-03-01T12:00")
    # A cut is between commits, of a thousand events here: the next one was complete at 12:13.
    expect(watched.open(time).locator("#as-it-was")).to_contain_text("Version 43,000")


def test_revealing_says_so_on_every_page(visit, revealing_address):
    watched = visit(revealing_address)
    for path in ("/", event_address(BANK, ANN, 1)):
        expect(watched.open(path).locator(".banner")).to_contain_text("revealed")
    expect(watched.page.locator(".json").first).to_contain_text("ann@example.com")


def test_an_error_is_a_page(visit, address):
    page = visit(address).open("/nowhere", status=404)
    expect(page.locator("h1")).to_have_text("Not Found")
