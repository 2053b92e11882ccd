"""Pictures of pages, small enough for the documentation."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER: Final = Path(__file__).parents[3] / "docs" / "screenshots"
_COLOURS: Final = 128


def picture(page: Page, name: str, width: int) -> None:
    """Save what the screen shows as ``docs/screenshots/NAME-WIDTH.png``, in few colours."""
    # What a page cost differs each time.
    page.evaluate("document.getElementById('cost').textContent = 'This page cost …'")
    FOLDER.mkdir(exist_ok=True)
    with Image.open(BytesIO(page.screenshot())) as shot:
        few = shot.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    few.save(FOLDER / f"{name}-{width}.png", optimize=True)
