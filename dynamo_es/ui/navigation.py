"""The sections at the top of every page."""

from typing import Final

NAVIGATION: Final = (
    ("Streams", "/"),
    ("Log", "/log"),
    ("Consumers", "/consumers"),
    ("Verify", "/verify"),
)
"""Titles and addresses of the sections, in order."""
