"""The example's page, as a person uses it: in Chromium, at two widths, light and dark."""

from __future__ import annotations

import json
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect

from tests.examples.browser.conftest import HOSTILE
from tests.ui.browser.picturing import picture

WIDTHS = (1280, 360)
DO_NOT_MOVE = """() => {
  const at = /\\d{1,2} [A-Z][a-z]{2}( \\d{4})?, \\d{2}:\\d{2}/;
  const fixed = (_, year) => (year ? "3 Mar 2026, 12:00" : "3 Mar, 12:00");
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replace(at, fixed);
  }
}"""


def post(address: str, account: str, command: str, **body: object) -> None:
    """Send a command of the tenant that the page begins with."""
    place = f"{address}/accounts/{quote(account, safe='')}/{command}"
    headers = {"x-tenant": "acme", "content-type": "application/json"}
    with urlopen(Request(place, json.dumps(body).encode(), headers)) as reply:  # noqa: S310
        assert reply.status == 202


@pytest.fixture(scope="module")
def bank(application) -> str:
    """The address, after some days of the bank."""
    address, _ = application
    for account, owner in (("ann", "Ann Archer"), ("bob", "Bob Baker")):
        post(address, account, "open", owner=owner)
    post(address, "ann", "deposit", amount=125_000)
    post(address, "bob", "deposit", amount=990)
    post(address, "ann", "withdraw", amount=4_250)
    post(address, "ann", "deposit", amount=30_015)
    return address


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_shows_an_account_and_fits(visit, bank, width, scheme):
    page = visit(bank, width, color_scheme=scheme).open("/")

    expect(page.locator("#balance")).to_have_text("€1,507.65")
    expect(page.locator("#entries tr")).to_have_count(4)
    expect(page.locator("#owner")).to_have_text("Ann Archer")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.evaluate(DO_NOT_MOVE)
    name = "accounts" if scheme == "light" else "accounts-dark"
    picture(page, name, width)


def test_texts_of_others_are_only_ever_text(visit, bank):
    post(bank, HOSTILE, "open", owner="<b>Mallory</b>")
    page = visit(bank).open("/")

    page.get_by_role("button", name=HOSTILE).first.click()

    expect(page.locator("#owner")).to_have_text("<b>Mallory</b>")
    assert page.locator("img, main b").count() == 0


def test_an_account_is_opened_and_money_moves_by_keyboard_alone(visit, bank):
    page = visit(bank).open("/#/zoe")

    page.get_by_label("Owner").fill("Zoe")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The account is open.")
    page.get_by_label("Amount in euros").fill("12,50")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The balance is €12.50, at version 2.")
    expect(page.locator("#balance")).to_have_text("€12.50")
    page.get_by_label("Amount in euros").fill("20")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_role("status")).to_have_text("Only €12.50 are left.")
    page.get_by_label("Amount in euros").fill("lots")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Enter an amount such as 12.50.")


def test_a_request_that_is_sent_twice_counts_once(visit, bank):
    post(bank, "twice", "open", owner="Twice")
    page = visit(bank, 360).open("/#/twice")

    page.get_by_text("Try what protects the account").click()
    page.get_by_label("Send the request twice with one key").check()
    page.get_by_label("Only if it is still at version").check()
    expect(page.locator("#condition-version")).to_have_text("1")
    page.get_by_label("Amount in euros").fill("5")
    page.get_by_role("button", name="Deposit").click()

    expect(page.get_by_role("status")).to_contain_text("one was carried out")
    expect(page.locator("#balance")).to_have_text("€5.00")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_a_page_without_a_tenant_says_what_is_missing(visit, bank):
    page = visit(bank).open("/")

    page.get_by_label("Tenant").fill("")
    page.get_by_label("Tenant").press("Tab")

    expect(page.get_by_role("status")).to_have_text("Name a tenant at the top.")
