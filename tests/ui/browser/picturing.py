"""Pictures of pages, small enough for the documentation."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER: Final = Path(__file__).parents[3] / "docs" / "screenshots"
_COLOURS: Final = 128
_UNSEEN: Final = 60
"""Levels of 256 by which a pixel may differ: the edges of letters and lines do, a little."""

# Writes fixed texts over what differs each time, so that the same page has the same picture: what
# looking cost, times of the run, generations (its time in microseconds), lags, and random ids.
_FREEZE: Final = r"""() => {
  const cost = document.getElementById("cost");
  if (cost) cost.textContent = "This page cost …";
  const days = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8].map(
    (day) => new Date(Date.now() + day * 864e5).toISOString().slice(0, 10)
  );
  const uuid4 = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
  const fixed = [
    [new RegExp(`(${days.join("|")}) [0-9:]{8}`, "g"), "2026-03-03 12:00:00"],
    [/\b1[67]\d{14}\b/g, "1772539200000000"],
    [/\b[\d,]+ (d \d+ h|h \d+ min|min \d+ s|s)\b/g, "2 h 15 min"],
    [/[\d,]+ requests, [\d.,]+ read units/g, "123 requests, 456 read units"],
    [/"[0-9a-f]{16}"/g, '"0123456789abcdef"'],
    [uuid4, "00000000-0000-4000-8000-000000000000"],
  ];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    for (const [pattern, text] of fixed) {
      texts.currentNode.data = texts.currentNode.data.replace(pattern, text);
    }
  }
}"""


def picture(page: Page, name: str, width: int) -> None:
    """Save what the screen shows as ``docs/screenshots/NAME-WIDTH.png``, in few colours.

    A picture that looks the same as the one that is there is not saved: a run changes no files.
    """
    page.evaluate(_FREEZE)
    FOLDER.mkdir(exist_ok=True)
    with Image.open(BytesIO(page.screenshot())) as shot:
        few = shot.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    path = FOLDER / f"{name}-{width}.png"
    if not _looks_like(few, path):
        few.save(path, optimize=True)


def _looks_like(picture: Image.Image, path: Path) -> bool:
    if not path.exists():
        return False
    with Image.open(path) as saved:
        if saved.size != picture.size:
            return False
        difference = ImageChops.difference(saved.convert("RGB"), picture.convert("RGB"))
    return difference.point(lambda level: 255 * (level > _UNSEEN)).getbbox() is None
