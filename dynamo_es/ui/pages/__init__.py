"""The pages, one module each. Each module has ``routes``, a list of Starlette routes."""

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
"""The modules of this package that have routes."""
