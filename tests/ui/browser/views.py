"""The pages that the tests open and picture, by the names of their pictures.

To add a page, add a line. A path may name what `write_history` stores.
"""

from __future__ import annotations

from typing import Final

VIEWS: Final = {
    "overview": "/",
}
"""Paths of pages, by name. Each has a picture at two widths in docs/screenshots."""

WIDTHS: Final = (360, 1280)
