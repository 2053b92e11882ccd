"""The pages, a module each. Each module has ``routes``, a list of starlette's routes."""

from typing import Final

PAGES: Final = (
    "overview",
    "search",
    "streams",
    "stream",
    "boundary",
    "past",
    "event",
    "conversation",
    "log",
    "consumers",
    "consumer_actions",
    "verify",
    "plots",
)
"""Modules of this package that have routes."""
