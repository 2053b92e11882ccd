"""Every page in a real browser: nothing goes wrong, nothing sticks out, and a picture of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.browser.views import VIEWS, WIDTHS

PICTURES = Path(__file__).parents[3] / "docs" / "screenshots"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", VIEWS)
def test_a_page_is_right_and_is_pictured(visit, address, name, width):
    watched = visit(address, width)
    page = watched.open(VIEWS[name])
    page.wait_for_load_state("networkidle")
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page is wider than the screen"
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}-{width}.png", full_page=width > min(WIDTHS))


@pytest.mark.parametrize("name", VIEWS)
def test_a_page_works_without_scripts(visit, address, name):
    page = visit(address, java_script_enabled=False).open(VIEWS[name])
    assert page.locator("h1").count() == 1
